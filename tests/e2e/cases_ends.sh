#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Results and servers that end before their time, and many at once: a cancel request, a backend
# killed hard, a server that comes back, one whose binary is replaced, hundreds of backends, a
# table that is rewritten, a large object.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
servers_start
servers_fill
sock=$dir/run/.s.PGSQL.$port
raw() { python3 tests/e2e/pgraw.py "$sock" "$1" "$1"; }
as_postgres psql -X -q "host=$dir/run port=$port user=postgres dbname=hr" -c 'alter system set max_connections = 600'
pg_restart() { # OPTIONS
	as_postgres "$pg_bin/pg_ctl" -s -w -D "$dir/pg" -l "$dir/run/log" -m fast "$@" restart
}
pg_restart || exit 1
sensor_start
declare -A got
got[cancel_request]=$(raw cancel_request)
got[crowd]=$(raw crowd)
PGAPPNAME=rewritten pg -c 'vacuum full staff' -c 'select name from staff' >/dev/null
PGAPPNAME=large_object pg -c "select lo_from_bytea(424242, (select string_agg(name || mobile, ',') from staff)::bytea)" \
	-c "select lo_export(424242, '$dir/run/lo')" >/dev/null
got[killed_hard]=$(raw killed_hard)
for _ in $(seq 100); do pg -c 'select 1' >/dev/null 2>&1 && break; sleep 0.1; done
PGAPPNAME=after_crash pg -c 'select name from staff' >/dev/null
pg_restart
PGAPPNAME=after_restart pg -c 'select name from staff' >/dev/null

# ---- an upgrade: the binary is replaced as a package manager does, the old server goes on until it is restarted ----
servers_known() { grep -c 'database server attached' "$dir/sensor.log"; }
until_known() { # SERVERS
	for _ in $(seq 200); do [ "$(servers_known)" -ge "$1" ] && return; sleep 0.05; done
	echo "the sensor knows $(servers_known) servers, not $1"
}
replace_binary() {
	cp "$pg_bin/postgres" "$dir/run/postgres.new" && mv "$dir/run/postgres.new" "$dir/run/postgres"
}
known=$(servers_known)
replace_binary
pg_restart -p "$dir/run/postgres"
until_known $((known + 1))
PGAPPNAME=before_upgrade pg -c 'select name from staff' >/dev/null
coproc OLD { PGAPPNAME=old_session pg; }
printf 'select 1;\n' >&"${OLD[1]}"
read -r _ <&"${OLD[0]}"
replace_binary
PGAPPNAME=under_upgrade pg -c 'select name from staff' >/dev/null
printf 'select name from staff;\n\\echo done\n' >&"${OLD[1]}"
while read -r line <&"${OLD[0]}"; do [ "$line" = done ] && break; done
pg_restart -p "$dir/run/postgres"
until_known $((known + 2))
PGAPPNAME=after_upgrade pg -c 'select name from staff' >/dev/null
sensor_stop

by() { # NAME FILTER: over the results of watched tables with this application name
	results ".db.client.program == \"$1\" and (.db.tables | length > 0)" | jq -s -c "$2"
}
check "CancelRequest: as many as the client got" "$(by cancel_request 'map([.db.rows, .db.end, .db.confidence])')" \
	"[[${got[cancel_request]},\"failed\",\"exact\"]]"
check "500 backends at once: client" "${got[crowd]}" 50000
check "500 backends at once" "$(by crowd '[length, (map(.db.rows) | add), (map(.db.session) | unique | length), (map(.db.confidence) | unique)]')" \
	'[500,50000,500,["exact"]]'
check "after VACUUM FULL" "$(by rewritten 'map(.db.rows) | max')" 5000
check "17 a large object is made of the table" "$(by large_object 'map([.db.rows, .db.tables])')" '[[1,["hr.public.staff"]]]'
read -r first most <<<"${got[killed_hard]}"
check "SIGKILL: a lower bound" "$(by killed_hard "map([.db.rows >= $first - 400 and .db.rows <= $most, .db.end, .db.confidence])")" '[[true,"aborted","lower_bound"]]'
check "after the crash" "$(by after_crash 'map([.db.rows, .db.confidence])')" '[[5000,"exact"]]'
check "after a restart" "$(by after_restart 'map([.db.rows, .db.confidence])')" '[[5000,"exact"]]'
for c in before_upgrade under_upgrade old_session after_upgrade; do
	check "the server's binary is replaced: $c" "$(by $c 'map([.db.rows, .db.confidence])')" '[[5000,"exact"]]'
done
check "nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
finish
