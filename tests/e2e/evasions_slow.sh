#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Evasions that take time (E15: a drip below every threshold but that of a week; look-ups by key), and
# those that are aimed at the sensor itself (E16: killed, stopped, its BPF objects taken, flooded), under the
# shipped policy. docs/evasions.md has the table.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
. tests/e2e/aggregator.sh
. tests/e2e/found.sh
cli=$(realpath "${ROLLCALL_CLI:-build/rollcall}")
servers_start
servers_fill
resolve

# ---- E15: only the budget of a week is left to find it ----
cat >"$dir/sensor.yaml" <<-END
	policy: {rules: $(pwd)/policy/rules}
	thresholds: {rows_10m: 0, rows_1h: 0, rows_24h: 0, rows_7d: 20000}
END
sensor_start --config "$dir/sensor.yaml" --resolved "$dir/resolved"
for i in $(seq 0 109); do echo "select * from staff order by id limit 199 offset $((i * 199 % 4600));"; done | PGAPPNAME=e15pages pg >/dev/null
for i in $(seq 200); do echo "select name, mobile from staff where id = $i;"; done | PGAPPNAME=e15keys pg >/dev/null
sensor_stop
drip='.event == "db_result" and .db.client.program == "e15pages"'
check "E15 rows of the drip" "$(jq -s "map(select($drip) | .db.rows) | add" "$dir/events")" $((110 * 199))
finds "E15 a drip, by the sensor's own budget" '.db.client.program == "e15pages"' rollcall-db-bulk-read-7d
check "E15 no other budget spoke" "$(found '.db.client.program == "e15pages"' | grep -c -E 'bulk-read(-10m|-1h|-24h)?$')" 0
finds "E15 look-ups by key" '.rule.title | test("by key")' 'Slow drip of a watched table by key'
# The same results, told as if each had come an hour and a half after the one before: a week of them.
jq -c "select($drip)" "$dir/events" | jq -c -s 'to_entries[] | .key as $i | .value | .time = (1769763600 + $i * 5400 | todate)' >"$dir/week.jsonl"
check "E15 the recording is a week long" "$(jq -s '(.[-1].time | fromdate) - (.[0].time | fromdate)' "$dir/week.jsonl")" $((109 * 5400))
"$cli" policy test --against "$dir/week.jsonl" policy/rules >"$dir/week"
check "E15 over a week, by user" "$(grep -c 'Slow drip of a watched table over days by one operating system user' "$dir/week")" 1
check "E15 over a week, the hourly rule is silent" "$(grep -c 'Many rows read by one operating system user' "$dir/week")" 0

# ---- E16: the sensor ----
agg_init
cat >"$dir/sensor.yaml" <<-END
	policy: {rules: $(pwd)/policy/rules}
	files: {web_roots: [$dir/web]}
	limits: {bulk_events: 2000}
END
mkdir "$dir/web"
sensor_now() { "$cli" status --control "$dir/control" --json 2>/dev/null | jq -r .pid; }
sensor_stream --config "$dir/sensor.yaml" --resolved ""
old=$(sensor_now)
# Stopped for a moment: the signal is told when it goes on.
bash -c "kill -STOP $old; kill -CONT $old"
# One of its links is asked for, and detached where the kernel lets it.
link=$(cat /proc/"$old"/fdinfo/* 2>/dev/null | sed -n 's/^link_id:[[:space:]]*//p' | head -1)
bpftool link detach id "$link" >/dev/null 2>&1
# Noise: more events of files in a second than one session may make.
setsid python3 -c "
for i in range(20000):
    open('$dir/web/noise', 'w').close()"
for _ in $(seq 100); do [ -n "$(found '.rule.title == "One session makes more events than it may"')" ] && break; sleep 0.1; done
kill -9 "$old"
for _ in $(seq 400); do
	new=$(sensor_now)
	[ -n "$new" ] && [ "$new" != "$old" ] && grep -q 'ended without a farewell' "$dir/events" && break
	sleep 0.05
done
# The line that the killed one was writing ends where the next one's begins.
sed -i 's/.*{"time":/{"time":/' "$dir/events"
sensor_stop
check "E16 a link of it was found" "$([ -n "$link" ] && echo yes)" yes
finds "E16 stopped" '.process.args // [] | join(" ") | contains("kill -STOP '"$old"'")' 'Signal to the sensor or to a database server from a shell'
finds "E16 its BPF objects" '.process.args // [] | join(" ") | contains("link detach id '"$link"'")' 'BPF object of the sensor opened by another process'
finds "E16 noise" '.process.args // [] | join(" ") | contains("'"$dir/web/noise"'")' 'One session makes more events than it may'
finds "E16 killed" true 'The sensor was ended without a farewell'
check "E16 another one runs" "$([ "$new" != "$old" ] && echo yes)" yes
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
[ "$failed" -eq 0 ] || tail -n 5 "$dir/sensor.log"
finish
