#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Tuning rules: a recording of a real sensor while commands run and PostgreSQL is read; then, from
# that recording alone, what other rules would say, why, and which exceptions silence what.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
cli=$(realpath "${ROLLCALL_CLI:-build/rollcall}")
PEOPLE=300 people=300
mark=tune$$
servers_start
servers_fill
cat >"$dir/rules.yml" <<-END
	title: Job of the tool
	id: 11111111-aaaa-4aaa-8aaa-000000000001
	logsource: {category: process_creation, product: linux}
	detection: {job: {CommandLine|contains: '$mark --job'}, condition: job}
	level: high
	---
	title: Read of many rows
	id: 11111111-aaaa-4aaa-8aaa-000000000002
	name: many_rows
	logsource: {category: database}
	detection: {read: {Rows|gte: $people, ClientProgram: $mark, Replication: null}, condition: read}
	level: medium
END
sensor_start --control "$dir/control" --rules "$dir/rules.yml"

# ---- a recording ----
record() { # NAME ARGUMENT...: in the background; its end is told in $dir/NAME.end
	local name=$1
	shift
	"$cli" record --control "$dir/control" --json "$@" >"$dir/$name.end" 2>"$dir/$name.log" &
	recorder=$!
}
wait_for() { # PATTERN FILE
	for _ in $(seq 300); do grep -q -- "$1" "$2" 2>/dev/null && return; sleep 0.1; done
	echo "waited in vain for $1 in $2"
}
record rec --out "$dir/rec.jsonl"
for _ in $(seq 300); do # until it is being shown events
	bash -c "exit 0; : $mark begin"
	grep -q "$mark begin" "$dir/rec.jsonl" 2>/dev/null && break
	sleep 0.1
done
cp /bin/bash "$dir/backup-tool"
for i in 1 2 3 4 5; do
	"$dir/backup-tool" -c "exit 0; : $mark --job nightly --stamp 173238$i$i$i"
done
"$dir/backup-tool" -c "exit 0; : $mark --job weekly"
PGAPPNAME=$mark pg -c "select * from staff" >/dev/null
PGAPPNAME=$mark pg -c "select * from device" >/dev/null
wait_for "$mark.*5000\|5000.*$mark" "$dir/rec.jsonl"
for i in 6 7 8; do "$dir/backup-tool" -c "exit 0; : $mark --job nightly --stamp 173238$i$i$i"; done
bash -c "exit 0; : $mark end"
wait_for "$mark end" "$dir/rec.jsonl"
kill -INT "$recorder"
wait "$recorder"
check "record: interrupted" "$?" 0
rec=$dir/rec.jsonl
check "record: says how much, and why it ended" "$(jq -r '[.file, .events, .bytes, .lost, .stopped] | @tsv' "$dir/rec.end")" \
	"$(printf '%s\t%s\t%s\t0\tinterrupted' "$rec" "$(wc -l <"$rec")" "$(stat -c %s "$rec")")"
check "record: for its owner alone" "$(stat -c %a "$rec")" 600
"$cli" record --control "$dir/control" --out "$rec" 2>/dev/null
check "record: overwrites nothing" "$?" 1
# What the sensor printed between the first and the last that was recorded, and nothing else.
jq -c 'select(.id)' "$rec" >"$dir/kept"
first=$(head -1 "$dir/kept" | jq .id) last=$(tail -1 "$dir/kept" | jq .id)
check "record: every event, as the sensor prints it" \
	"$(jq -c . "$dir/events" | sed -n "/\"id\":$first/,/\"id\":$last/p" | diff - "$dir/kept" >"$dir/diff" && echo same || head -c 600 "$dir/diff")" same
check "record: results that no table is watched for, too" \
	"$(jq -c 'select(.event == "db_result" and .db.rows == 5000 and .db.client.program == "'$mark'") | [.id, .db.tables]' "$rec")" '[null,null]'
check "watch does not show those" "$(jq -c 'select(.event == "db_result" and .db.rows == 5000)' "$dir/events" | wc -l)" 0

# ---- bounds ----
record size --out "$dir/size.jsonl.gz" --max-size 64KiB
for _ in $(seq 300); do /bin/true; kill -0 "$recorder" 2>/dev/null || break; done
for _ in $(seq 300); do kill -0 "$recorder" 2>/dev/null || break; /bin/true; sleep 0.05; done
wait "$recorder"
check "record: as large as it may be" "$? $(jq -r '.stopped, .bytes > 49152 and .bytes <= 65536' "$dir/size.end" | tr '\n' ' ')" "0 the size is reached (--max-size) true "
check "record: compressed" "$(gzip -dc "$dir/size.jsonl.gz" | wc -lc | tr -s ' ')" " $(jq -r '"\(.events) \(.bytes)"' "$dir/size.end")"
record time --out "$dir/time.jsonl" --for 1s
wait "$recorder"
check "record: as long as it may be" "$? $(jq -r .stopped "$dir/time.end")" "0 the time is over (--for)"
# A recorder that stands still while more happens than is kept for it.
record slow --out "$dir/slow.jsonl"
for _ in $(seq 300); do /bin/true; [ -s "$dir/slow.jsonl" ] && break; sleep 0.1; done
kill -STOP "$recorder"
dropped() { "$cli" status --json --control "$dir/control" | jq -r .watchers_dropped; }
long=$(head -c 30000 /dev/zero | tr '\0' x)
for i in $(seq 2000); do /bin/true "$long"; [ $((i % 100)) = 0 ] && [ "$(dropped)" -gt 0 ] && break; done
kill -CONT "$recorder"
for _ in $(seq 300); do /bin/true; grep -q '"lane":"watch"' "$dir/slow.jsonl" && break; sleep 0.1; done
kill -INT "$recorder"
wait "$recorder"
check "record: what was lost is told, and where" "$? $(jq -r '.lost > 0' "$dir/slow.end") $(jq -s --slurpfile told "$dir/slow.end" \
	'[.[] | select(.event == "gap" and .lane == "watch") | .count] | add == $told[0].lost' "$dir/slow.jsonl")" "3 true true"

record ended --out "$dir/ended.jsonl"
for _ in $(seq 300); do /bin/true; [ -s "$dir/ended.jsonl" ] && break; sleep 0.1; done
sensor_stop
wait "$recorder"
check "record: the sensor ended" "$? $(jq -r .stopped "$dir/ended.end")" "1 the sensor ended"
"$cli" record --control "$dir/control" --out "$dir/nobody.jsonl" 2>"$dir/nobody.log"
check "record: no sensor" "$? $(grep -c 'is rollcall-sensor running' "$dir/nobody.log") $(ls "$dir/nobody.jsonl" 2>/dev/null)" "1 1 "
"$cli" record --for soon 2>/dev/null
check "record: wrong usage" "$?" 2

# ---- another policy against the present one ----
test_json() { "$cli" policy test --against "$rec" --json "$@" 2>"$dir/test.log"; }
change() { test_json "$@" | jq -c '[.findings[] | [.change, .rule[-1:], .present.level, .tested.level, .present.times, .tested.times, .tested.rows]]'; }
check "test: nothing changes" "$("$cli" policy test --against "$rec" --present "$dir/rules.yml" "$dir/rules.yml" | tail -1 | cut -d' ' -f2-6; echo "${PIPESTATUS[0]}")" \
	"$(printf 'events; 0 new, 0 gone,\n0')"
sed 's/^level: high/level: critical/; s/ClientProgram: [a-z0-9]*, //; s/000000000002/000000000003/' "$dir/rules.yml" >"$dir/other.yml"
check "test: new, gone, changed" \
	"$(change --present "$dir/rules.yml" "$dir/other.yml" | jq -c 'sort_by(.[0])')" \
	"$(jq -nc "[[\"changed\",\"1\",\"high\",\"critical\",9,9,0],[\"gone\",\"2\",\"medium\",null,2,null,null],[\"new\",\"3\",null,\"medium\",null,2,$((people + 5000))]]")"
"$cli" policy test --against "$rec" --present "$dir/rules.yml" "$dir/other.yml" >"$dir/table"
check "test: findings differ" "$?" 3
check "test: the table" "$(sed -n 's/^changed *\(high -> critical\) .*Job of the tool$/\1/p' "$dir/table")" "high -> critical"
check "test: compressed, from a pipe" "$(gzip -c "$rec" | "$cli" policy test --against - --json "$dir/rules.yml" 2>/dev/null | jq -c '[.events, .added]')" "[$(wc -l <"$rec"),2]"
check "test: as the sensor found" "$(jq -r 'select(.event == "finding" and .rule.title == "Job of the tool") | .events' "$rec" | sort -n | tail -1)" 8

# ---- why ----
read_id=$(jq -r 'select(.event == "db_result" and .db.client.program == "'$mark'" and .id) | .id' "$rec" | head -1)
"$cli" policy why "$read_id" --against "$rec" "$dir/rules.yml" >"$dir/why"
check "why: field by field" "$? $(sed -n 's/^ *\(.*\(Rows\|Replication\).*\)$/\1/p' "$dir/why" | tr '\n' '|')" \
	"0 yes Rows|gte: '$people'; met: '$people'|yes Replication: null; met: 'null'|"
jq -c 'select(.id == "'"$read_id"'")' "$rec" >"$dir/event.json"
check "why: an event from standard input, as JSON" \
	"$("$cli" policy why - --json --rule many_rows "$dir/rules.yml" <"$dir/event.json" | jq -c '[.rules[] | [.title, .matched]]')" '[["Read of many rows",true]]'
check "why: an event of another log source" \
	"$("$cli" policy why "$dir/event.json" --rule 11111111-AAAA-4aaa-8aaa-000000000001 "$dir/rules.yml" | grep -c 'not of its log source')" 1
"$cli" policy why nobody --against "$rec" "$dir/rules.yml" 2>/dev/null
check "why: no such event" "$?" 1

# ---- exceptions ----
found=$(jq -r 'select(.event == "finding" and .rule.title == "Job of the tool") | .id' "$rec" | head -1)
except() { "$cli" policy except "$@" --against "$rec" --owner ann --reason "it's the nightly job" "$dir/rules.yml" 2>"$dir/except.log"; }
except "$found" --until 2020-01-01
check "except: a date that is over" "$? $(grep -c 'must end in the future' "$dir/except.log")" "2 1"
weekly=$(jq -r 'select(.event == "exec" and (.process.args | join(" ") | contains("--job weekly"))) | .id' "$rec")
except "$weekly" --until 2099-12-31 --out "$dir/weekly.yml"
check "except: for one event" "$? $(grep -c 'hidden 1 matches of 1 principals' "$dir/except.log")" "0 1"
check "except: it alone is hidden" "$(change --all --present "$dir/rules.yml" "$dir/rules.yml" "$dir/weekly.yml" | jq -c '.[0]')" \
	'["changed","1","high","high",9,8,0]'
check "except: stable fields, without what changes" "$(grep -c "Image|cased: .*backup-tool'\|CommandLine|cased: .*--job weekly'" "$dir/weekly.yml")" 2
except "$found" --until 2099-12-31 >"$dir/all.yml"
check "except: for a finding" "$? $(sed -n "s/.*--job \(.*\)'/\1/p" "$dir/all.yml") $(sed -n 's/.*would have hidden \([0-9]*\) .*/\1/p' "$dir/except.log")" "0 * 9"
except "$read_id" --until 2099-12-31 >"$dir/read.yml"
check "except: a read, by principal and table" "$? $(grep -c "Principal|cased: 'postgresql:app@hr via .*psql as root'\|Tables|cased: 'hr.public.staff'" "$dir/read.yml")" "0 2"
check "except: the other table's read stays" "$(change --all --present "$dir/rules.yml" "$dir/rules.yml" "$dir/read.yml" | jq -c '.[1]')" \
	'["changed","2","medium","medium",2,1,5000]'
check "except: who, why, until" "$(test_json "$dir/rules.yml" "$dir/weekly.yml" | jq -c '.exceptions[0] | [.owner, .reason, .until, .hidden, .expired]')" \
	'["ann","it'"'"'s the nightly job","2099-12-31",1,false]'
sed 's/^expiry: .*/expiry: 2020-01-01/' "$dir/weekly.yml" >"$dir/over.yml"
check "an expired exception: policy check" "$("$cli" policy check "$dir/rules.yml" "$dir/over.yml" | sed 's/.*over.yml:\([0-9:]*\): \(warning: the exception\) .* of .ann. \(.*\)/\1 \2 \3/')" \
	"$(printf '7:9 warning: the exception expired on 2020-01-01: it hides nothing\n2 rules, 0 correlations, 1 filters: 0 mistakes, 0 notes, 1 expired exceptions')"
check "an expired exception: hides nothing" "$(test_json --present "$dir/rules.yml" "$dir/rules.yml" "$dir/over.yml" | jq -c '[.same, .exceptions[0].expired, .exceptions[0].hidden]')" '[2,true,0]'
mkdir "$dir/policy"
cp "$dir/rules.yml" "$dir/over.yml" "$dir/policy"
check "an expired exception: a sensor tells" "$("$sensor" --check-config --rules "$dir/policy" 2>&1 | grep -c 'expired on 2020-01-01')" 1
sed "s/--job weekly/--job monthly/" "$dir/weekly.yml" >"$dir/unused.yml"
check "an exception that is not used" "$("$cli" policy test --against "$rec" --present "$dir/rules.yml" "$dir/rules.yml" "$dir/unused.yml" | awk '/^HIDDEN/ { on = 1; next } on && NF { print $1, $2, $3, $4; exit }')" "0 unused 2099-12-31 ann"

# ---- suggestions ----
"$cli" policy suggest "$rec" --min 5 --owner ann "$dir/rules.yml" >"$dir/suggested.yml" 2>"$dir/suggest.log"
check "suggest: what repeats" "$? $(grep -c '^title' "$dir/suggested.yml") $(sed -n 's/^# Hides \([0-9]*\) matches.*level \([a-z]*\):.*/\1 \2/p' "$dir/suggested.yml") $(grep -c -- "--job nightly --stamp \*'" "$dir/suggested.yml")" "0 1 8 high 1"
check "suggest: ready to be used" "$(change --present "$dir/rules.yml" "$dir/rules.yml" "$dir/suggested.yml")" '[["changed","1","high","high",9,1,0]]'

finish
