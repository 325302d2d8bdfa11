#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# While file events flood from every CPU, far more than can be told: every row is counted, every
# program that is executed and every hand on the sensor is told, and of the flood itself each event
# is delivered or declared lost, to the number that the flooders counted.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
servers_start
servers_fill
mkdir "$dir/www"
printf 'files:\n  web_roots: [%s]\nlimits:\n  bulk_events: 20000\n' "$dir/www" >"$dir/sensor.yaml"
cp /bin/true "$dir/marker"
mkfifo "$dir/pipe"
# The flood's own events, hundreds of thousands a second, are counted by the kernel. The event ready,
# which names each probe's event, is not one of them.
grep --line-buffered -v '^{"time":"[^"]*","host":"[^"]*","event":"file_' <"$dir/pipe" >"$dir/events" &
filter=$!
"$sensor" --stdout --config "$dir/sensor.yaml" --control "$dir/control" --watch postgresql:hr.public.staff \
	--watch mariadb:mdm.staff >"$dir/pipe" 2>"$dir/sensor.log" &
sensor_pid=$!
for _ in $(seq 600); do grep -q '"event":"ready"' "$dir/events" && break; sleep 0.05; done
status() { "${ROLLCALL_CLI:-build/rollcall}" status --json --control "$dir/control"; }
# All lanes: [told of, read, declared lost] of the flood's kinds.
flood_counts() {
	status | jq -c '[.coverage.counts[] | select(.event | IN("file_open", "file_change", "file_close"))] |
		[(map((.written // 0) + (.dropped // 0) + (.throttled // 0)) | add), (map((.written // 0) - (.read // 0)) | add)]'
}

setsid build/tests/e2e/flooder "$dir/www" >"$dir/flooded" &
flooder=$!
for i in $(seq 20); do
	PGAPPNAME=flood pg -c 'select name, mobile from staff' >/dev/null
	my -e 'select name, mobile from staff' >/dev/null
	"$dir/marker" "$i"
	kill -CONT "$sensor_pid"
done
kill "$flooder"
wait "$flooder"
check "the flooders did what they meant to" $? 0
read -r flooded rate alone <"$dir/flooded"
# What is written has been read once two looks say the same.
for _ in $(seq 100); do
	before=${counts:-}
	counts=$(flood_counts)
	[ "$counts" = "$before" ] && [ "$(jq '.[1]' <<<"$counts")" = 0 ] && break
	sleep 0.1
done
check "of the flood, told = delivered + declared lost" "$counts" "[$flooded,0]"
check "no critical record was lost" "$(status | jq '.coverage.lanes[] | select(.name == "crit") | .dropped // 0')" 0
sensor_stop
wait "$filter"

check "PostgreSQL: every row" "$(results '.db.client.program == "flood"' | jq -s -c '[length, (map(.db.rows) | add), (map(.db.confidence) | unique)]')" \
	'[20,100000,["exact"]]'
check "MariaDB: every row" "$(results '.db.system == "mariadb" and .db.rows == 5000' | jq -s -c '[length, (map(.db.confidence) | unique)]')" \
	'[20,["exact"]]'
check "every program" "$(jq -r --arg exe "$dir/marker" 'select(.event == "exec" and .process.exe == $exe) | .process.args[1]' "$dir/events" | sort -n | tr '\n' ' ')" \
	"$(seq 20 | tr '\n' ' ')"
check "every hand on the sensor" "$(jq -c 'select(.event == "signal" and .number == 18 and .target == "sensor")' "$dir/events" | wc -l)" 20
check "that the flood was not told whole is said" "$(jq -s 'any(.[]; .event == "gap" or .event == "throttle")' "$dir/events")" true
echo "$rate file events/s were offered ($alone/s of the flooders' CPU time)"
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
finish
