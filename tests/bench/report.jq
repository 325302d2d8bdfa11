# SPDX-License-Identifier: Apache-2.0
# From the samples of tests/bench/run to its report. A round with the sensor is set against the
# mean of the rounds without it on either side.
def median: sort | if length % 2 == 1 then .[(length - 1) / 2] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def spread: sort | {median: median, q1: .[(length - 1) * 0.25 | floor], q3: .[(length - 1) * 0.75 | ceil], n: length};

def pairs($with; $without):
	[$with[] | . as $w | ([$without[] | select(.round == $w.round or .round == $w.round - 1) | .rate] | add / length) as $base
		| $w.rate / $base];
# Without against the next without: what the machine does by itself.
def noise($without): ($without | sort_by(.round)) as $o | [range(1; $o | length) | $o[.].rate / $o[. - 1].rate];

def workload($loads):
	($loads | map(select(.sensor))) as $with | ($loads | map(select(.sensor | not))) as $without
	| {
		workload: $loads[0].workload,
		rate_without: ($without | map(.rate) | median),
		rate: (pairs($with; $without) | spread),
		time: (pairs($with; $without) | map(1 / .) | spread),
		noise: (noise($without) | spread),
		sensor_cpu_us_per_op: (($with | map(.cpu) | add) * 1e6 / ($with | map(.done) | add)),
		sensor_cpu_share: (($with | map(.cpu) | add) / ($with | map(.took) | add))
	};

def programs($b): [$b.after[] | . as $a | ($b.before[] | select(.id == $a.id)) as $o
	| {name, type, calls: (.calls - $o.calls), ns: (.ns - $o.ns)} | select(.calls > 0)];

# Programs of type kprobe are the uprobes: they run in database servers and nowhere else. Those of
# the other kind of server are somebody else's work.
def server: if startswith("my_") then "mysql_" else "pg_" end;
def bpf($b): [programs($b)[] | (.name | startswith($b.workload | server)) as $ours | select(.type != "kprobe" or $ours)] as $p
	| ([$p[] | select(.type == "kprobe") | .ns] | add // 0) as $tap
	| {
		workload: $b.workload, statements: $b.done,
		tap_ns_per_statement: ($tap / $b.done),
		tap_ns_per_row: (if $b.workload | endswith("_rows") then $tap / $b.done / $b.rows else null end),
		programs: [$p[] | . + {ns_per_call: (.ns / .calls), calls_per_op: (.calls / $b.done)}]
	};

(map(select(.kind == "load")) | [.[].workload] | reduce .[] as $w ([]; if index($w) then . else . + [$w] end)) as $names
| . as $all
| {
	loads: [$names[] as $w | workload([$all[] | select(.kind == "load" and .workload == $w)])],
	bpf: [$all[] | select(.kind == "bpf" and .workload != "getppid") | bpf(.)],
	getppid_bpf: [$all[] | select(.kind == "bpf" and .workload == "getppid") | bpf(.).programs[] | select(.type != "kprobe")],
	coverage: [$all[] | select(.kind == "coverage") | .coverage[]],
	start_to_attached_s: ([$all[] | select(.kind == "ready") | .seconds] | spread),
	memory_kb: {peak: ([$all[] | select(.kind == "memory") | .peak_kb] | max),
		resident: ([$all[] | select(.kind == "memory") | .now_kb] | median)},
	gap_events: ([$all[] | select(.kind == "lost") | .gaps] | add)
}
