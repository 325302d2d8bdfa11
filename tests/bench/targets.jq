# SPDX-License-Identifier: Apache-2.0
# What is aimed at, each beside what the report of report.jq measured: for page.jq, table.jq and
# the report itself. reached is null where the run did not measure it.
def load($w): .loads[] | select(.workload == $w);
# Without what a backend does once in a second, whatever it runs, report its statistics, and what it
# does once in a session, log in.
def hits($w): [.bpf[] | select(.workload == $w) | .programs[]
	| select(.type == "kprobe" and (.name | startswith("pg_reads") | not)) | .each_op] | add;
def least($measure; $target; f): {measure: $measure, target: ">= \($target)", got: ([f] | first // null)}
	| . + {reached: (if .got == null then null else .got >= $target end)};
def most($measure; $target; f): {measure: $measure, target: "<= \($target)", got: ([f] | first // null)}
	| . + {reached: (if .got == null then null else .got <= $target end)};
def rate($w; $target): least("\($w), rate with / without"; $target; load($w).rate.median);
def cpu($w; $target): most("\($w), CPU of the machine with / without"; $target; load($w).machine);
def row_ns($w; $target): most("\($w), ns of BPF a row"; $target; .bpf[] | select(.workload == $w).tap_ns_per_row);
def replay($n; $target): least("replay, \($n) rules, events/s of one core"; $target; .rules[] | select(.rules == $n).per_s);
def at($rate): .files[] | select(.rate == $rate);
def cores($rate; $measure): most($measure; 0.25; at($rate).cores_added.median);
def kept($rate; $measure): most($measure; 0; at($rate).lost);
def starved($measure; f): most("sensor starved, 600,000/s offered: " + $measure; 0; .floods[] | select(.name == "starved") | f);

def targets: [
	rate("pg_unix"; 0.95), cpu("pg_unix"; 1.05), rate("pg_tcp"; 0.95), cpu("pg_tcp"; 1.05),
	rate("pg_tls"; 0.88), most("pg_tls, breakpoints a statement"; 1; hits("pg_tls")),
	rate("pg_rows"; 0.97), row_ns("pg_rows"; 40), rate("my_rows"; 0.97), row_ns("my_rows"; 40),
	rate("my_point"; 0.95), rate("nginx"; 0.96), rate("fork_exec"; 0.95),
	most("getppid, time with / without"; 1.35; load("getppid").time.median),
	cores(200000; "100,000 open+close/s, cores added"), kept(200000; "100,000 open+close/s, events lost"),
	cores(100000; "the same, 50,000/s: 100,000 events/s, cores added"), kept(100000; "the same, events lost"),
	starved("crit events lost"; .crit_lost), starved("losses of others that were not declared"; .undeclared),
	replay(300; 1500000), replay(3000; 1000000),
	least("ingest, events/s of one core"; 150000; .delivery.ingest.per_core_s // empty),
	most("kernel event to stored finding, p50 ms"; 5; .latency_ms.stored.p50 // empty),
	most("kernel event to stored finding, p99 ms"; 20; .latency_ms.stored.p99 // empty),
	most("first row to stored finding, p50 ms"; 5; .latency_ms.stored_row.p50 // empty),
	most("first row to stored finding, p99 ms"; 20; .latency_ms.stored_row.p99 // empty),
	most("resident MB at the end of the loads"; 24; .memory_kb.resident / 1024),
	most("resident MB at most, at the start"; 24; .memory_kb.peak / 1024),
	most("start to attached, ms"; 200; .start_to_attached_s.median * 1000)
];
def verdict: if .reached == null then "not measured" elif .reached then "reached" else "missed" end;
