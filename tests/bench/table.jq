# SPDX-License-Identifier: Apache-2.0
# The report of report.jq, for a reader.
def pad($n): tostring | . + (" " * ([$n - length, 0] | max));
def lead($n): tostring | (" " * ([$n - length, 0] | max)) + .;
def fixed($d): . as $x | if $x == null then "-" else pow(10; $d) as $p | ($x * $p | round) as $i
	| if $d == 0 then $i | tostring else (($i / $p) | floor | tostring) + "."
		+ (($i - (($i / $p) | floor) * $p) | tostring | lead($d) | gsub(" "; "0")) end end;
def range3: (.median | fixed(2) | lead(5)) + "  (" + (.q1 | fixed(2)) + "-" + (.q3 | fixed(2)) + ")";

"with the sensor / without it: median (middle half) of \(.loads[0].rate.n) rounds; noise: without / without",
"\("" | pad(10)) \("rate" | pad(20)) \("time" | pad(20)) \("noise" | pad(20)) \("op/s without" | lead(12))  sensor CPU",
(.loads[] | "\(.workload | pad(10)) \(.rate | range3 | pad(20)) \(.time | range3 | pad(20)) \(.noise | range3 | pad(20)) \(.rate_without | fixed(0) | lead(12))  \(.sensor_cpu_us_per_op | fixed(2)) us/op, \(.sensor_cpu_share * 100 | fixed(1)) %"),
"",
"in the kernel, by its own statistics (which cost some ns of each call themselves)",
(.getppid_bpf[] | "  \(.name | pad(22)) \(.ns_per_call | fixed(0) | lead(7)) ns a call   (whole machine, while getppid runs)"),
(.bpf[] | "\(.workload | pad(10)) database probes: \(.tap_ns_per_statement | fixed(0)) ns a statement"
	+ (if .tap_ns_per_row then ", \(.tap_ns_per_row | fixed(1)) ns a row" else "" end),
	(.programs[] | select(.type == "kprobe") | "  \(.name | pad(22)) \(.ns_per_call | fixed(0) | lead(7)) ns a call, \(.calls_per_op | fixed(2)) calls a statement")),
"",
"start to attached \(.start_to_attached_s.median | fixed(3)) s (\(.start_to_attached_s.q1 | fixed(3))-\(.start_to_attached_s.q3 | fixed(3))); resident \(.memory_kb.resident / 1024 | fixed(1)) MB, at most \(.memory_kb.peak / 1024 | fixed(1)) MB; events of loss: \(.gap_events)",
"probes: " + ([.coverage[] | "\(.hook) \(.state)"] | join(", "))
