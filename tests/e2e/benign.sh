#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An application's ordinary load on watched and unwatched tables: no finding, nothing lost, each
# statement accounted for. STATEMENTS (50,000) can be set; 1,000,000 takes some minutes.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
statements=${STATEMENTS:-50000}
servers_start
servers_fill
# A user of this run's own: the sensor sees every PostgreSQL of the host.
user=app$$
pg -c "create role $user login; grant select on staff, device to $user"
# In memory: a million events are a gigabyte, and a disk that stalls would stall the sensor.
events=$(mktemp /dev/shm/rollcall.XXXXXX)
trap 'cleanup; rm -f "$events"' EXIT
ln -s "$events" "$dir/events"
sensor_start
cat >"$dir/watched.sql" <<-EOF2
	\\set i random(1, $people)
	select name, mobile from staff where id = :i;
EOF2
cat >"$dir/unwatched.sql" <<-EOF2
	\\set i random(1, 5000)
	select serial from device where id = :i;
EOF2
load() { # PROTOCOL OPTIONS
	PGAPPNAME=app "$pg_bin/pgbench" -n -U "$user" -c 2 -j 1 -M "$1" -t $((statements / 8)) \
		-f "$dir/watched.sql" -f "$dir/unwatched.sql" "${@:2}" hr >>"$dir/pgbench" 2>&1
}
load simple -h "$dir/run" -p "$port"
load extended -h 127.0.0.1 -p "$port"
load prepared -h "$dir/run" -p "$port"
PGSSLMODE=disable load prepared -h 127.0.0.1 -p "$port"
sensor_stop
ours() { # EVENT FILTER
	grep "\"event\":\"$1\"" "$dir/events" | grep "$user" | jq -c "$2"
}
check "the load ran" "$(grep -c 'number of failed transactions: 0 ' "$dir/pgbench")" 12
check "no finding" "$(ours finding '[.rule.id, .rows]')" ""
check "nothing was lost" "$(grep '"event":"gap"' "$dir/events")" ""
watched=$(ours db_result '.db.rows' | wc -l)
unwatched=$(ours db_summary .results | jq -s add)
check "every statement is accounted for" "$((watched + unwatched))" "$((statements / 8 * 8))"
check "watched look-ups are exact" "$(ours db_result '[.db.rows, .db.confidence]' | sort -u)" '[1,"exact"]'
echo "$statements statements: $watched results of the watched table, $unwatched summed up"
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
finish
