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

# Somebody's turn is set against the mean of those of nobody on either side.
def base($w; $none; f): [$none[] | select(.turn == $w.turn - 1 or .turn == $w.turn + 1) | f] | add / length;
def pairs($with; $none): [$with[] | . as $w | $w.rate / base($w; $none; .rate)];
# Nobody against the next nobody: what the machine does by itself.
def noise($none): ($none | sort_by(.turn)) as $o | [range(1; $o | length) | $o[.].rate / $o[. - 1].rate];
def per_op: (map(.machine) | add) * 1e6 / (map(.done) | add);

def of_side($loads; $side):
	($loads | map(select(.side == $side))) as $with | ($loads | map(select(.side == "none"))) as $none
	| if $with | length == 0 then empty else {
		side: $side,
		workload: $loads[0].workload,
		rate: (pairs($with; $none) | spread),
		time: (pairs($with; $none) | map(1 / .) | spread),
		machine_us_without: ($none | per_op),
		machine_us_with: ($with | per_op)
	} | . + {machine: (.machine_us_with / .machine_us_without)} end;

def workload($loads; $sensor):
	($loads | map(select(.side == "none"))) as $none
	| of_side($loads; "rollcall") + {
		rate_without: ($none | map(.rate) | median),
		noise: (noise($none) | spread),
		sensor_cpu_us_per_op: (($sensor | map(.cpu) | add) * 1e6 / ($sensor | map(.done) | add)),
		sensor_cpu_share: (($sensor | map(.cpu) | add) / ($sensor | map(.took) | add)),
		sensor_wakes_per_s: (($sensor | map(.wakes) | add) / ($sensor | map(.took) | add))
	};

# Cores that a flood of so many events a second costs, all told: the makers', the kernel's, the sensor's.
def cores: .machine / .took;
def lost: .events - .delivered;
def undeclared: [.events - .delivered - .declared, .told - .events] | map(fabs) | max;
def added($with; $none): [$with[] | . as $w | ($w | cores) - base($w; $none; cores)] | if length == 0 then null else spread end;
def files($all): [($all | map(.rate) | unique[]) as $rate | ($all | map(select(.rate == $rate))) as $of
	| def of_side($side): $of | map(select(.side == $side));
	of_side("none") as $none | of_side("rollcall") as $with
	| {rate: $rate, cores_without: ($none | map(cores) | median),
		cores_added: added($with; $none), cores_least: added(of_side("least"); $none),
		offered_per_s: ($with | map(.events / .took) | median),
		lost: ($with | map(lost + .trimmed) | add), undeclared: ($with | map(undeclared) | add),
		crit_lost: ($with | map(.crit_lost) | add)}];
def flood: {name, offered_per_s: (.events / .took), delivered_per_s: (.delivered / .took),
	declared_per_s: (.declared / .took), undeclared: undeclared, crit_made, crit_told,
	crit_lost: (.crit_lost + (.crit_made // 0) - (.crit_told // 0))};
def latency(f): if length == 0 then null else (map(f / 1e6) | {p50: percentile(0.5), p99: percentile(0.99), n: length}) end;

# each_op: calls of one operation more.
def programs($b): [$b.after[] | . as $a | ($b.before[] | select(.id == $a.id)) as $o
	| ($b.begun[] | select(.id == $a.id)) as $s
	| {name, type, calls: (.calls - $o.calls), ns: (.ns - $o.ns),
		each_op: ((.calls + $s.calls - 2 * $o.calls) / ($b.done - $b.short))}
	| select(.calls > 0)];

# Programs of type kprobe are the uprobes: they run in database servers and nowhere else. Those of
# the other kind of server are somebody else's work. A tap on system calls runs inside the dispatcher,
# whose time has the other calls of the load, too.
def server: if startswith("my_") then "mysql_" else "pg_" end;
def rows($b): if $b.workload | endswith("_rows") then $b.rows elif $b.workload | endswith("_million") then 100 * $b.rows else null end;
def bpf($b): [programs($b)[] | (.name | startswith($b.workload | server)) as $ours | select(.type != "kprobe" or $ours)] as $p
	| ([$p[] | select(.type == "kprobe" or .name == "syscall_exit__dispatch" or (.name | startswith($b.workload | server))) | .ns] | add // 0) as $tap
	| {
		workload: $b.workload, statements: $b.done,
		tap_ns_per_statement: ($tap / $b.done),
		tap_ns_per_row: (rows($b) as $rows | if $rows then $tap / $b.done / $rows else null end),
		programs: [$p[] | . + {ns_per_call: (.ns / .calls), calls_per_op: (.calls / $b.done)}]
	};
def database: test("^(pg|my)_");
def delivery($d): if $d | length == 0 then null else [$d[] | {(.stage): {events: .events, per_s: (.events / .seconds), per_core_s: (.events / .cpu)}}] | add end;

[.[] | select(.kind == "load").workload] as $w | (reduce $w[] as $i ([]; if index($i) then . else . + [$i] end)) as $names
| . as $all
| def of($kind): [$all[] | select(.kind == $kind)];
{
	machine: (of("machine")[0] | del(.kind)),
	loads: [$names[] as $w | workload([of("load")[] | select(.workload == $w)]; [of("sensor")[] | select(.workload == $w)])],
	peers: [(of("load") | map(.side) | unique - ["none", "rollcall"])[] as $side | $names[] as $w
		| of_side([of("load")[] | select(.workload == $w)]; $side)],
	peers_missing: [of("peer")[] | del(.kind)],
	bpf: [of("bpf")[] | select(.workload | database) | bpf(.)],
	system_bpf: [of("bpf")[] | select(.workload | database | not) | bpf(.) | {workload, programs: [.programs[] | select(.type != "kprobe" and .calls_per_op > 0.5)]}],
	coverage: [of("coverage")[] | .coverage[]],
	start_to_attached_s: (of("ready") | map(.seconds) | spread),
	memory_kb: {peak: (of("memory") | map(.peak_kb) | max), resident: (of("memory") | map(.now_kb) | median)},
	events_lost: (of("lost") | map(.lost) | add),
	files: files(of("files")),
	floods: [of("flood")[] | flood],
	delivery: delivery(of("delivery")),
	record_ns: (of("record")[0].ns),
	rules: [of("rules")[] | del(.kind)],
	latency_ms: (of("latency") | {printed: latency(.printed), stored: latency(.stored), stored_row: latency(.stored_row)})
} | . + {targets: targets}
