#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An application's ordinary load on watched and unwatched tables: no finding, nothing lost, each
# statement accounted for. STATEMENTS (40,000) can be set; 1,000,000 takes some minutes.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
statements=${STATEMENTS:-40000}
servers_start
servers_fill
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
	PGAPPNAME=app "$pg_bin/pgbench" -n -U app -c 2 -j 1 -M "$1" -t $((statements / 8)) \
		-f "$dir/watched.sql" -f "$dir/unwatched.sql" "${@:2}" hr >>"$dir/pgbench" 2>&1
}
load simple -h "$dir/run" -p "$port"
load extended -h 127.0.0.1 -p "$port"
load prepared -h "$dir/run" -p "$port"
PGSSLMODE=disable load prepared -h 127.0.0.1 -p "$port"
sensor_stop
check "the load ran" "$(grep -c 'number of failed transactions: 0 ' "$dir/pgbench")" 12
check "no finding" "$(grep -c '"event":"finding"' "$dir/events")" 0
check "nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0
watched=$(grep -c '"event":"db_result"' "$dir/events")
unwatched=$(grep '"event":"db_summary"' "$dir/events" | jq -s 'map(select(.db.client.program == "app" or (.principal | test("pgbench"))) | .results) | add')
check "every statement is accounted for" "$((watched + unwatched))" "$((statements / 8 * 8))"
check "watched look-ups are exact" "$(grep '"event":"db_result"' "$dir/events" | jq -c '[.db.rows, .db.confidence]' | sort -u)" '[1,"exact"]'
echo "$statements statements: $watched results of the watched table, $unwatched summed up"
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
finish
