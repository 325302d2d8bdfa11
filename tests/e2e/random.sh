#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Thousands of mixed random statements from eight sessions over every transport: what the sensor
# counted differs by nothing from what the clients got, session by session, nor from the servers' own
# counts: pg_stat_statements (which leaves out statements that failed), and MariaDB's user
# statistics (which leave out COM_STMT_FETCH). STATEMENTS (10,000) and SEED can be set.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
seed=${SEED:-$RANDOM}
statements=${STATEMENTS:-10000}
pg_options='-c shared_preload_libraries=pg_stat_statements -c pg_stat_statements.max=20000'
servers_start
servers_fill
pg_root() { psql -X -q -A -t "host=$dir/run port=$port user=postgres dbname=hr" "$@"; }
my_root() { mariadb --no-defaults -S "$dir/my/sock" -u root -N -B "$@"; }
pg_root -c 'create extension pg_stat_statements' -c 'select pg_stat_statements_reset()' >"$dir/reset"
my_root -e 'set global userstat = 1; flush user_statistics'
sensor_start
build/tests/e2e/random_load "$seed" "$statements" "$dir/run" "$port" "$dir/my/sock" "$my_port" >"$dir/sent"
check "seed $seed: every session ended well" "$(wc -l <"$dir/sent")" 8
pg_sent=$(pg_root -c "select sum(rows), sum(rows) filter (where query ~ 'staff|^fetch') from pg_stat_statements
	where userid = 'app'::regrole" | tr '|' ' ')
my_sent=$(my_root -e "select rows_sent from information_schema.user_statistics where user = 'app'")
sensor_stop
rows() { # SYSTEM FILTER: rows of results and summaries
	jq -s "map(select((.event == \"db_result\" or .event == \"db_summary\") and .db.system == \"$1\" and ($2)).db.rows) | add" "$dir/events"
}
check "seed $seed: PostgreSQL's own count of all and of the staff's rows" \
	"$pg_sent" "$(rows postgresql '.db.user == "app" and .db.end != "failed"') $(rows postgresql '.event == "db_result" and .db.end != "failed"')"
fetched=$(awk '{ n += $4 } END { print n }' "$dir/sent")
check "seed $seed: MariaDB's own count of all rows, and $fetched fetched" "$((my_sent + fetched))" "$(rows mariadb '.db.user == "app"')"
jq -r 'select(.event == "db_result" and (.db.tables | length > 0)) | "\(.db.client.pid) \(.db.rows)"' "$dir/events" |
	awk '{ n[$1] += $2 } END { for (p in n) print p, n[p] }' >"$dir/counted"
while read -r pid rows n _; do
	check "seed $seed: $n statements of a session" "$(awk -v p="$pid" '$1 == p { print $2 }' "$dir/counted")" "$rows"
done <"$dir/sent"
check "seed $seed: every count is exact" \
	"$(results '.db.tables | length > 0' | jq -r .db.confidence | sort -u | tr '\n' ' ')" 'exact '
check "seed $seed: nothing was lost" "$(jq -s 'map(select(.event == "gap")) | length' "$dir/events")" 0
echo "seed $seed: $statements statements, $(awk '{ n += $2 } END { print n }' "$dir/sent") rows"
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
finish
