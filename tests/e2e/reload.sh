#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Another policy while the sensor runs: under a continuous stream of commands each has exactly one
# finding, of the rules in force; what correlations know goes on; a bad policy changes nothing; rules
# on trial raise no alerts; what each rule did and costs can be asked.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
. tests/e2e/aggregator.sh
trap 'touch "$dir/stop"; agg_stop; sensor_stop; cleanup' EXIT
chmod 755 "$dir"
mkdir "$dir/bin" "$dir/rules"
cp /bin/true "$dir/bin/true"
await() { # COMMAND...: until it succeeds
	for _ in $(seq 100); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done
	echo "FAILED to see: $*"
	return 1
}
policy() { "$rollcall" policy "$1" --control "$dir/control" "${@:2}"; }
run() { ln -f "$dir/bin/true" "$dir/bin/$1"; "$dir/bin/$1"; } # NAME: a program of its own
rule() { # ID NAME: programs whose name begins with NAME
	printf '%s\n' "title: $1" "id: $1" "name: $1" 'logsource: {category: process_creation}' \
		"detection: {s: {Image|startswith: $dir/bin/$2}, condition: s}" 'level: high' ---
}
counting() { # NAME NUMBER: of the rule tick
	printf '%s\n' "title: $1" "name: $1" \
		"correlation: {type: event_count, rules: [tick], timespan: 1h, condition: {gte: $2}}" ---
}
found() { # RULE [FILTER]: findings
	jq -c 'select(.event == "finding" and .rule.title == "'"$1"'")'"${2:-}" "$dir/events"
}
changes() { jq -c 'select(.event == "policy_change") | '"$1" "$dir/events"; }
is_found() { grep -q '"event":"finding".*"title":"'"$1"'"' "$dir/events"; }
digest() { (cd "$1" && find . -name '*.yml' -printf '%P\n' | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c1-64); }

# ---- a stream of commands, and twenty policies ----
{ rule set-0 n; rule tick tick; counting three 3; } >"$dir/rules/all.yml"
sensor_start --rules "$dir/rules" --control "$dir/control"
check "ready names the policy" "$(jq -r 'select(.event == "ready") | .policy' "$dir/events")" "$(digest "$dir/rules")"
# Some hundred a second at most: what is looked for below grows with it.
mkfifo "$dir/pause"
stream() {
	local n=0
	while [ ! -e "$dir/stop" ]; do
		read -r -t 0.001 _ <>"$dir/pause"
		n=$((n + 1))
		ln "$dir/bin/true" "$dir/bin/n$n" && "$dir/bin/n$n"
		echo "$n" >"$dir/count"
	done
}
run tick1
run tick2
stream &
streaming=$!
await is_found set-0
for k in $(seq 20); do
	rm -rf "$dir/new"
	mkdir -p "$dir/new/sub"
	# In another order, in other files: what has not changed must be known again.
	{ rule tick tick; rule "set-$k" n; } >"$dir/new/a$k.yml"
	counting three 3 >"$dir/new/sub/c.yml"
	# One that takes a while to compile: events wait for it.
	[ "$k" != 10 ] || awk -v dir="$dir" 'BEGIN { for (i = 1; i <= 3000; i++) printf "title: filler %d\nid: filler-%d\n" \
		"logsource: {category: process_creation}\ndetection: {s: {CommandLine|contains: %s/filler%d}, condition: s}\n---\n", i, i, dir, i }' \
		>"$dir/new/filler.yml"
	"$rollcall" policy apply --control "$dir/control" "$dir/new" >"$dir/answer" 2>&1 &
	applying=$!
	wait "$applying" || cat "$dir/answer"
	[ "$k" != 1 ] || first_pid=$applying
	await is_found "set-$k"
done
touch "$dir/stop"
wait "$streaming"
total=$(cat "$dir/count")
run last # told after everything before it
await grep -q "$dir/bin/last" "$dir/events"
sensor_stop
jq -r 'if .event == "policy_change" then ["change", .new_sha256, .result]
	elif .event == "exec" and (.exe | test("/bin/n[0-9]+$")) then ["exec", .exe, .id]
	elif .event == "finding" and (.process.exe | test("/bin/n[0-9]+$")) then
		["finding", .process.exe, .evidence[0], .rule.id, .events, .status] else empty end | @tsv' \
	"$dir/events" | grep -e "^change" -e "$dir/bin/n" >"$dir/walk"
check "every command was seen" "$(grep -c ^exec "$dir/walk")" "$total"
check "each has one finding" "$(grep -c ^finding "$dir/walk")" "$total"
check "each another" "$(awk '$1 == "finding" { print $2 }' "$dir/walk" | sort -u | wc -l)" "$total"
check "of that very event, by the rules in force when it came" "$(awk '
	BEGIN { now = "set-0" }
	$1 == "change" { now = "set-" ++n }
	$1 == "exec" { exe[$3] = $2; at[$3] = now }
	$1 == "finding" && (exe[$3] != $2 || at[$3] != now || $4 != now || $5 != 1 || $6 != "new") { print }' \
	"$dir/walk" | head)" ""
check "by every policy" "$(awk '$1 == "finding" { print $4 }' "$dir/walk" | sort -u | wc -l)" 21
echo "$total commands, $(grep -c ^change "$dir/walk") changes"
check "nothing was lost" "$(jq -r 'select(.event == "gap") | .reason' "$dir/events" | sort | uniq -c)" ""
check "every change is told, once" "$(changes '[.result, .by, .uid, .path, .added, .removed, .changed, .reason]' | sort | uniq -c | sed 's/^ *//')" \
	"18 [\"applied\",\"command\",0,\"$dir/rules\",1,1,0,null]
1 [\"applied\",\"command\",0,\"$dir/rules\",1,3001,0,null]
1 [\"applied\",\"command\",0,\"$dir/rules\",3001,1,0,null]"
check "who it was" "$(changes .pid | head -1)" "$first_pid"
check "from one to the next" "$(changes '[.old_sha256, .new_sha256] | join(" ")' | tr -d '"' |
	awk 'NR > 1 && $1 != last { print } { last = $2 }')" ""
check "the digest is that of the files" "$(changes .new_sha256 | tail -1)" "\"$(digest "$dir/rules")\""
check "they are installed" "$(diff -r "$dir/new" "$dir/rules" && echo same)" same
check "the ones before are kept" "$(ls "$dir/rules.before")" "$(printf 'a19.yml\nsub')"
check "no other is left" "$(ls -d "$dir"/rules*)" "$dir/rules
$dir/rules.before"

# ---- correlations, mistakes, SIGHUP ----
rm -r "$dir/rules"/*
{ rule tick tick; rule other other; counting three 3; } >"$dir/rules/all.yml"
rm "$dir/events" # it is looked at before the new one is made
sensor_start --rules "$dir/rules" --control "$dir/control"
run tick1
run tick2
saw() { grep -q "\"event\":\"exec\".*$dir/bin/$1\"" "$dir/events"; }
await saw tick2
rm -rf "$dir/new"
mkdir "$dir/new"
{ counting three 3; rule more more; rule tick tick; } >"$dir/new/all.yml"
check "applied" "$(policy apply "$dir/new")" "in force: 1 rules added, 1 removed, 0 changed
$(digest "$dir/new")  $dir/rules"
run tick3
await is_found three
check "a correlation goes on over a change" "$(found three '| [.events, (.evidence | length)]')" '[3,3]'
run tick4
await saw tick4
{ counting three 2; rule more more; rule tick tick; } >"$dir/new/all.yml"
policy apply --json "$dir/new" >"$dir/answer"
check "as JSON" "$(jq -c '[.done, .path, .added, .removed, .changed]' "$dir/answer")" "[true,\"$dir/rules\",0,0,1]"
run tick5
run more1
await is_found more
check "one that was changed begins anew" "$(found three | wc -l)" 1

printf 'title: bad\nlogsource: {category: process_creation}\ndetection: {s: {Image|contain: x}, condition: s}\n---\ntitle: worse\n' >"$dir/new/bad.yml"
cp -r "$dir/rules" "$dir/good"
policy apply "$dir/new" >"$dir/answer" 2>"$dir/answer.log"
check "mistakes: exit status" "$?" 1
check "each mistake has its place" "$(cat "$dir/answer")" \
	"$dir/new/bad.yml:3:23: unknown modifier 'contain'; did you mean 'contains'?
$dir/new/bad.yml:5:1: 'detection', 'correlation' or 'filter' is missing"
check "and in the log" "$(grep -c "error: $dir/new/bad.yml:[35]:[0-9]*: " "$dir/sensor.log")" 2
check "nothing was installed" "$(diff -r "$dir/good" "$dir/rules" && echo same)" same
run more2
await grep -q "\"event\":\"finding\".*/bin/more2\"" "$dir/events"
check "the old ones are in force" "$(found more '| [.process.exe, .principal]' | tail -1)" \
	"[\"$dir/bin/more2\",\"$dir/bin/more2 as root\"]"
check "a directory is not replaced by a file" "$(policy apply "$dir/new/all.yml" 2>&1 | tail -1 | sed 's/: [A-Z][a-z ]*$//')" \
	"rollcall: error: '$dir/rules' is replaced as a whole, by what is of its kind"
policy apply "$dir/none" 2>/dev/null
check "what is not there" "$?" 1

cp "$dir/new/bad.yml" "$dir/rules/bad.yml"
kill -HUP "$sensor_pid"
refused() { changes .result | grep -q refused; }
await refused
check "SIGHUP, and a mistake" "$(changes 'select(.by == "signal") | [.result, .uid, .pid, .mistakes, .reason]')" \
	"[\"refused\",0,0,2,\"$dir/rules/bad.yml:3:23: unknown modifier 'contain'; did you mean 'contains'?\"]"
check "the old policy is named" "$(changes 'select(.by == "signal") | .old_sha256 == .new_sha256')" false
run more3
await grep -q "\"event\":\"finding\".*/bin/more3\"" "$dir/events"
policy apply >"$dir/answer" 2>&1
check "apply without a path, and a mistake" "$?" 1
rm "$dir/rules/bad.yml"
# The sensor has no right to change files and reads those of others.
mkdir -m 700 "$dir/rules/private"
rule private private >"$dir/rules/private/p.yml"
chmod 600 "$dir/rules/private/p.yml"
chown -R games: "$dir/rules/private"
kill -HUP "$sensor_pid"
hup_applied() { changes 'select(.by == "signal") | .result' | grep -q applied; }
await hup_applied
run private1
await is_found private
check "SIGHUP, and files of others" "$(changes 'select(.by == "signal" and .result == "applied") | [.added, .removed, .changed]')" '[1,0,0]'

# ---- what is in force ----
run tick6
await saw tick6
for i in $(seq 200); do "$dir/bin/more1"; done
await eval 'policy list --json | jq -e ".rules[] | select(.id == \"more\") | .hits >= 203" '
policy list --json >"$dir/list"
check "rules, kinds and modes" "$(jq -c '[.rules[] | [.id, .kind, .level, .mode, .line]]' "$dir/list")" \
	'[["three","correlation","medium","alert",1],["more","detection","high","alert",5],["tick","detection","high","alert",12],["private","detection","high","alert",1]]'
check "hits, though a correlation counts it" "$(jq -c '[.rules[] | select(.id == "tick") | .hits, (.last_hit > 0)]' "$dir/list")" '[6,true]'
check "the policy" "$(jq -r '.sha256, .path' "$dir/list")" "$(digest "$dir/rules")
$dir/rules"
check "cost is measured" "$(jq '.event_nanoseconds > 0 and ([.rules[] | select(.id == "more") | .nanoseconds > 0] | all)' "$dir/list")" true
check "for people" "$(policy list | grep -c "^high  *alert  *6  .*tick  *$dir/rules/all.yml:12$")" 1
policy apply extra path 2>/dev/null
check "wrong usage" "$?" 2

# ---- on trial ----
cp -r "$dir/rules" "$dir/trial"
echo 'observe: [more, three]' >"$dir/trial/trial.yml"
policy apply "$dir/trial" >/dev/null
check "a mode is a change" "$(changes '[.added, .removed, .changed]' | tail -1)" '[0,0,2]'
findings() { "$rollcall" status --control "$dir/control" --json | jq .findings; }
before=$(findings)
run more4
run private4
await grep -q "\"event\":\"finding\".*/bin/private4\"" "$dir/events"
check "findings on trial are marked" "$(found more '| [.process.exe, .mode]' | tail -1)" "[\"$dir/bin/more4\",\"observe\"]"
check "others are not" "$(found private .mode | sort -u)" null
check "and are not counted" "$(($(findings) - before))" 1
check "the list says it" "$(policy list --json | jq -c '[.rules[] | select(.mode == "observe") | .id]')" '["three","more"]'
sensor_stop
check "without a sensor: the files" "$(policy list --json "$dir/trial" | jq -c '[.rules[0].mode, .rules[0].hits, .rules[0].nanoseconds, .sha256]')" \
	"[\"observe\",0,-1,\"$(digest "$dir/trial")\"]"
rm -rf "$dir/fresh"
policy apply --rules "$dir/fresh" "$dir/trial" >"$dir/answer"
check "installed without a sensor" "$? $(diff -r "$dir/trial" "$dir/fresh" && echo same)" "0 same"
policy apply --rules "$dir/fresh" "$dir/new" >"$dir/answer" 2>/dev/null
check "not with mistakes" "$? $(diff -r "$dir/trial" "$dir/fresh" && echo same)" "1 same"
policy apply 2>/dev/null
check "nobody to ask" "$?" 1

# ---- as a service: the supervisor passes SIGHUP on; observed findings are no alerts at the aggregator ----
agg_init
agg_start
rm "$dir/events"
sensor_stream --rules "$dir/trial"
supervisor=$sensor_pid
rule late late >"$dir/trial/late.yml"
kill -HUP "$supervisor"
await eval 'changes .result | grep -q applied'
run late1
run more5
await grep -q "\"event\":\"finding\".*/bin/late1\"" "$dir/events"
await grep -q "\"event\":\"finding\".*/bin/more5\"" "$dir/events"
delivered
check "the supervisor lives, and passed it on" "$(kill -0 "$supervisor" && changes '[.result, .by, .added]')" '["applied","signal",1]'
check "the change is in the store" "$(store "select count(*) from events where kind = 'policy_change'")" 1
titles() { "$rollcall" findings --store "$dir/agg/store.db" --json "$@" | jq -r .rule.title | grep -e more -e late | sort | tr '\n' ' '; }
check "alerts" "$(titles)" "late "
check "with those on trial" "$(titles --observe)" "late more "
check "they are marked" "$("$rollcall" findings --store "$dir/agg/store.db" --observe | grep ' more ' | grep -c '(observe)$')" 1
check "the host's number of findings" "$("$rollcall" hosts --store "$dir/agg/store.db" --json | jq .findings)" \
	"$(jq -s '[.[] | select(.event == "finding" and .status == "new" and .mode == null)] | length' "$dir/events")"
finish
