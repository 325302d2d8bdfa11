# SPDX-License-Identifier: Apache-2.0
# The report of report.jq, for a reader.
include "figures";
include "targets";

"with the sensor / without it: median (95 % interval) of \(.loads[0].rate.n) rounds; noise: without / without",
"\("" | pad(10)) \("rate" | pad(20)) \("time" | pad(20)) \("noise" | pad(20)) \("op/s without" | lead(12))  machine CPU, sensor CPU",
(.loads[] | "\(.workload | pad(10)) \(.rate | range3 | pad(20)) \(.time | range3 | pad(20)) \(.noise | range3 | pad(20)) \(.rate_without | fixed(0) | lead(12))  \(.machine | fixed(2)), \(.sensor_cpu_us_per_op | fixed(2)) us/op, \(.sensor_cpu_share * 100 | fixed(1)) %, \(.sensor_wakes_per_s | fixed(0)) wake-ups/s"),
(.peers[] | "\(.side | pad(12)) \(.workload | pad(10)) \(.rate | range3 | pad(20)) machine CPU \(.machine | fixed(2))"),
(.peers_missing[] | "\(.name | pad(12)) cannot run here: \(.why)"),
"",
"in the kernel, by its own statistics (which cost some ns of each call themselves)",
(.system_bpf[] | "\(.workload)", (.programs[] | "  \(.name | pad(22)) \(.ns_per_call | fixed(0) | lead(7)) ns a call, \(.calls_per_op | fixed(2)) calls an operation")),
(.bpf[] | "\(.workload | pad(10)) database probes: \(.tap_ns_per_statement | fixed(0)) ns a statement"
	+ (if .tap_ns_per_row then ", \(.tap_ns_per_row | fixed(1)) ns a row" else "" end),
	(.programs[] | select(.type == "kprobe") | "  \(.name | pad(22)) \(.ns_per_call | fixed(0) | lead(7)) ns a call, \(.calls_per_op | fixed(2)) calls a statement")),
"",
"start to attached \(.start_to_attached_s.median | fixed(3)) s (\(.start_to_attached_s.q1 | fixed(3))-\(.start_to_attached_s.q3 | fixed(3))); resident \(.memory_kb.resident / 1024 | fixed(1)) MB, at most \(.memory_kb.peak / 1024 | fixed(1)) MB; events lost in the loads: \(.events_lost)",
(.delivery // {} | to_entries[] | "\(.key | pad(10)) \(.value.per_core_s | fixed(0)) events a second of one core, \(.value.per_s | fixed(0)) in a second here"),
"a record from the ring into the spool, judged by the shipped rules: \(.record_ns) ns of CPU",
(.rules[] | "\(.rules | lead(5)) rules \(.per_s) events a second on one core"),
(.files[] | "\(.rate) file events/s: \(.cores_without | fixed(2)) cores without, \(.cores_added.median | fixed(2)) (\(.cores_added.low | fixed(2))-\(.cores_added.high | fixed(2))) more with\(.cores_least | if . then " (the least: " + range3 + ")" else "" end); lost \(.lost), undeclared \(.undeclared)"),
(.floods[] | "\(.name | pad(10)) \(.offered_per_s | fixed(0)) events/s offered, \(.delivered_per_s | fixed(0)) delivered, \(.declared_per_s | fixed(0)) declared lost; undeclared \(.undeclared), crit lost \(.crit_lost)"),
(spans[] | "\(.name): p50 \(.p50 | fixed(1)) ms, p99 \(.p99 | fixed(1)) ms of \(.n)"),
"probes: " + ([.coverage[] | "\(.hook) \(.state)"] | join(", ")),
"",
(.targets[] | "\(.measure | pad(62)) \(.target | pad(11)) \(.got | fixed(2) | lead(11))  \(verdict)")
