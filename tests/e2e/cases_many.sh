#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A server with very many tables (TABLES, 100,000), of which one is watched: setup finds it, reads of it
# are exact, its files are known among all the others.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
tables=${TABLES:-100000}
servers_start
servers_fill
# In small transactions: each table holds a lock until its own ends.
pg -c "create procedure many(n int) language plpgsql as \$\$ begin
	for i in 1..n loop
		execute 'create table t' || i || '()';
		if i % 1000 = 0 then commit; end if;
	end loop; end \$\$" -c "call many($tables)" || exit 1
"${ROLLCALL_CLI:-build/rollcall}" setup database --watch postgresql:hr.public.staff --socket "$dir/run" --port "$port" \
	--output "$dir/resolved" >/dev/null || exit 1
heap=$dir/pg/$(pg -c "select pg_relation_filepath('staff')")
sensor_start --resolved "$dir/resolved"
PGAPPNAME=many pg -c 'select name from staff' -c "select * from t$((tables / 2))" >/dev/null
find "$(dirname "$heap")" -type f -exec cat {} + >/dev/null
sensor_stop
check "the tables are there" "$(find "$(dirname "$heap")" -type f | wc -l | awk -v n="$tables" '{ print ($1 > n) }')" 1
check "one of very many tables" "$(results '.db.client.program == "many"' | jq -s -c 'map([.db.rows, .db.tables, .db.confidence, .db.fraction])')" \
	'[[5000,["hr.public.staff"],"exact",1]]'
check "its files among all files" "$(jq -r 'select(.event == "file_read").path' "$dir/events" | sort -u)" \
	"$(jq -r '.tables[0].files[].path' "$dir/resolved" | sort)"
check "nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
finish
