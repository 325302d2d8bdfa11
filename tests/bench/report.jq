# SPDX-License-Identifier: Apache-2.0
# From the samples of tests/bench/run to its report. A round with the sensor is set against the
# mean of the rounds without it on either side.
include "targets";

def median: sort | if length % 2 == 1 then .[(length - 1) / 2] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
# The median's 95 % interval by order statistics; with fewer than six rounds all that was seen.
def half_width: 0.98 * (length | sqrt);
def interval: sort | half_width as $w
	| {low: .[[0, (length / 2 - $w | floor)] | max], high: .[[length - 1, (length / 2 + $w | ceil) - 1] | min]};
def spread: {median: median, q1: (sort | .[(length - 1) * 0.25 | floor]), q3: (sort | .[(length - 1) * 0.75 | ceil]), n: length} + interval;
# The one that 0.99 of them do not exceed.
def percentile($p): sort | .[[length - 1, (length * $p | ceil) - 1] | min];

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
		machine_us_without: (($without | map(.machine) | add) * 1e6 / ($without | map(.done) | add)),
		machine_us_with: (($with | map(.machine) | add) * 1e6 / ($with | map(.done) | add)),
		sensor_cpu_us_per_op: (($with | map(.cpu) | add) * 1e6 / ($with | map(.done) | add)),
		sensor_cpu_share: (($with | map(.cpu) | add) / ($with | map(.took) | add))
	} | . + {machine: (.machine_us_with / .machine_us_without)};

def programs($b): [$b.after[] | . as $a | ($b.before[] | select(.id == $a.id)) as $o
	| {name, type, calls: (.calls - $o.calls), ns: (.ns - $o.ns)} | select(.calls > 0)];

# Programs of type kprobe are the uprobes: they run in database servers and nowhere else. Those of
# the other kind of server are somebody else's work.
def server: if startswith("my_") then "mysql_" else "pg_" end;
def rows($b): if $b.workload | endswith("_rows") then $b.rows elif $b.workload | endswith("_million") then 100 * $b.rows else null end;
def bpf($b): [programs($b)[] | (.name | startswith($b.workload | server)) as $ours | select(.type != "kprobe" or $ours)] as $p
	| ([$p[] | select(.type == "kprobe") | .ns] | add // 0) as $tap
	| {
		workload: $b.workload, statements: $b.done,
		tap_ns_per_statement: ($tap / $b.done),
		tap_ns_per_row: (rows($b) as $rows | if $rows then $tap / $b.done / $rows else null end),
		programs: [$p[] | . + {ns_per_call: (.ns / .calls), calls_per_op: (.calls / $b.done)}]
	};
def database: test("^(pg|my)_");
def delivery($d): if $d | length == 0 then null else [$d[] | {(.stage): {events: .events, per_s: (.events / .seconds), per_core_s: (.events / .cpu)}}] | add end;

([.[] | select(.kind == "load").workload] | reduce .[] as $w ([]; if index($w) then . else . + [$w] end)) as $names
| . as $all
| {
	machine: ([$all[] | select(.kind == "machine")][0] | del(.kind)),
	loads: [$names[] as $w | workload([$all[] | select(.kind == "load" and .workload == $w)])],
	bpf: [$all[] | select(.kind == "bpf" and (.workload | database)) | bpf(.)],
	system_bpf: [$all[] | select(.kind == "bpf" and (.workload | database | not)) | bpf(.) | {workload, programs: [.programs[] | select(.type != "kprobe" and .calls_per_op > 0.5)]}],
	coverage: [$all[] | select(.kind == "coverage") | .coverage[]],
	start_to_attached_s: ([$all[] | select(.kind == "ready") | .seconds] | spread),
	memory_kb: {peak: ([$all[] | select(.kind == "memory") | .peak_kb] | max),
		resident: ([$all[] | select(.kind == "memory") | .now_kb] | median)},
	gap_events: ([$all[] | select(.kind == "lost") | .gaps] | add),
	delivery: delivery([$all[] | select(.kind == "delivery")]),
	rules: [$all[] | select(.kind == "rules") | del(.kind)],
	latency_ms: ([$all[] | select(.kind == "latency").ms] | if length == 0 then null else {p50: percentile(0.5), p99: percentile(0.99), n: length} end)
} | . + {targets: targets}
