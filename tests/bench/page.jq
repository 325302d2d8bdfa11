# SPDX-License-Identifier: Apache-2.0
# The report of report.jq as the measured part of docs/performance.md.
include "figures";
include "targets";

def both: "\(.median | fixed(2)) (\(.low | fixed(2))-\(.high | fixed(2)))";

.machine as $m
| "\($m.day): \($m.cpus) cores (\($m.cpu), \($m.virtual)), \($m.memory / 1048576 | round) GB, \($m.system), kernel \($m.kernel), security modules \($m.lsm); load at the start \($m.load); \($m.rounds) rounds of \($m.each) s a load.",
"",
"| load | rate, with / without (95 %) | time | noise | operations/s without | CPU of the machine, with / without | sensor CPU | wake-ups/s |",
"|---|---|---|---|---|---|---|---|",
(.loads[] | "| \(.workload) | \(.rate | both) | \(.time.median | fixed(2)) | \(.noise | both) | \(.rate_without | fixed(0)) | \(.machine | fixed(2)) | \(.sensor_cpu_us_per_op | fixed(2)) us | \(.sensor_wakes_per_s | fixed(0)) |"),
"",
"![with / without](performance.svg)",
"",
(if .peers + .peers_missing | length == 0 then empty else
	"| what else there is | load | rate, with / without (95 %) | CPU of the machine, with / without |",
	"|---|---|---|---|",
	(.peers[] | "| \(.side) | \(.workload) | \(.rate | both) | \(.machine | fixed(2)) |"),
	(.peers_missing[] | "| \(.name) | cannot run here: \(.why) | | |"),
	"" end),
"| files opened and closed in a watched tree | cores without | cores added (95 %) | the least | lost | not declared |",
"|---|---|---|---|---|---|",
(.files[] | "| \(.rate) events/s | \(.cores_without | fixed(2)) | \(.cores_added | both) | \(.cores_least | if . then both else "" end) | \(.lost) | \(.undeclared) |"),
"",
"| flood from every core | offered/s | delivered/s | declared lost/s | not declared | crit lost |",
"|---|---|---|---|---|---|",
(.floods[] | "| \(.name) | \(.offered_per_s | fixed(0)) | \(.delivered_per_s | fixed(0)) | \(.declared_per_s | fixed(0)) | \(.undeclared) | \(.crit_lost) |"),
"",
"| in the kernel | per operation | per row |",
"|---|---|---|",
(.bpf[] | "| \(.workload), database probes | \(.tap_ns_per_statement | fixed(0)) ns | \(.tap_ns_per_row | if . then (fixed(1) + " ns") else "" end) |"),
(.system_bpf[] | .workload as $w | .programs[] | "| \($w), \(.name) | \(.ns_per_call | fixed(0)) ns a call, \(.calls_per_op | fixed(2)) calls | |"),
"",
"| | |",
"|---|---|",
"| start to attached | \(.start_to_attached_s | both) s |",
"| resident memory | \(.memory_kb.resident / 1024 | fixed(1)) MB, at most \(.memory_kb.peak / 1024 | fixed(1)) MB |",
"| events lost in these loads | \(.events_lost) |",
(.delivery // {} | to_entries[] | "| \(.key) | \(.value.per_core_s | fixed(0)) events a second of one core; \(.value.per_s | fixed(0)) in a second of this run |"),
"| a record from the ring into the spool, judged by the shipped rules | \(.record_ns) ns of CPU |",
(.rules[] | "| \(.rules) rules | \(.per_s) events a second on one core |"),
(spans[] | "| \(.name) | p50 \(.p50 | fixed(1)) ms, p99 \(.p99 | fixed(1)) ms (\(.n) findings) |"),
"",
"| target | aimed at | measured | |",
"|---|---|---|---|",
(.targets[] | "| \(.measure) | \(.target) | \(.got | fixed(2)) | \(verdict) |")
