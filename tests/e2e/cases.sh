#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The hard cases that ordinary clients do not make (those they do are in bulk_read.sh): each run
# against the real server, then the sensor's results are compared with what the client got.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
servers_start
servers_fill
sock=$dir/run/.s.PGSQL.$port
raw() { python3 tests/e2e/pgraw.py "$sock" "$1" "$1"; } # CASE: also its application name
mysql_client() { build/tests/e2e/mysql_client "$dir/my/sock" "$1"; }

"${ROLLCALL_CLI:-build/rollcall}" setup database --watch postgresql:hr.public.staff --socket "$dir/run" --port "$port" \
	--output "$dir/resolved" >/dev/null || exit 1

until_true() { # COMMAND...
	for _ in $(seq 200); do "$@" >/dev/null && return; sleep 0.05; done
	echo "never: $*"
}
sql_has_rows() { [ -n "$(pg -c "$1")" ]; }
until_sql() { until_true sql_has_rows "$1"; }
has_whole_segment() { compgen -G "$dir/run/wal/????????????????????????" >/dev/null; }

# ---- before the sensor: sessions that it has to adopt ----
coproc PREPARED { raw prepared; }
read -r line <&"${PREPARED[0]}"
coproc MIDWAY { raw midway; } 2>/dev/null
read -r line <&"${MIDWAY[0]}"
mkfifo "$dir/my_in" "$dir/my_out"
mysql_client prepared <"$dir/my_in" >"$dir/my_out" &
exec 7>"$dir/my_in" 8<"$dir/my_out"
read -r line <&8
sensor_start --resolved "$dir/resolved"
echo >&"${PREPARED[1]}"
read -r prepared_rows <&"${PREPARED[0]}"
echo >&"${MIDWAY[1]}"
read -r midway_rows <&"${MIDWAY[0]}"
read -r midway_next <&"${MIDWAY[0]}"
echo >&7
read -r my_prepared_rows <&8
exec 7>&- 8<&-

# ---- PostgreSQL ----
declare -A got
for c in portal_slices pipelined bytewise reluctant encryption_refused abandoned pages by_key; do
	got[$c]=$(raw $c)
done
handed_over=$(raw handed_over | sort -u | tr '\n' ' ')
PGAPPNAME=notify pg -c 'listen c' -c "select pg_notify('c', name || mobile) from staff limit 5000" >/dev/null
PGAPPNAME=error_text pg -c "do \$\$ begin raise exception '%', (select string_agg(name||mobile, ',') from staff); end \$\$" >/dev/null 2>&1
pg -c 'create extension dblink' >/dev/null
PGAPPNAME=dblink pg -c "select count(*) from dblink('host=$dir/run port=$port user=app dbname=hr application_name=inner', 'select name from staff') as t(name text)" >/dev/null
PGAPPNAME=drip pg <<<"begin; declare c cursor for select * from staff;
	$(for _ in $(seq 50); do echo 'fetch 100 from c; select pg_sleep(0.01);'; done)" >/dev/null
PGAPPNAME=rows_json pg -c 'select row_to_json(s) from staff s' >/dev/null
PGAPPNAME=heap pg -c "select pg_read_binary_file(pg_relation_filepath('staff'))" >/dev/null
PGAPPNAME=union pg -c 'select name from staff union all select mobile from staff' >/dev/null
PGAPPNAME=a_view pg -c 'select v.mobile from v_staff as v' >/dev/null
PGAPPNAME=function pg -c 'select * from f_staff()' >/dev/null
PGAPPNAME=count pg -c 'select count(*) from staff' >/dev/null
PGAPPNAME=killed pg -c 'select s.name, pg_sleep(case when id = 4500 then 30 else 0 end) from staff s' >/dev/null 2>&1 &
killed=$!
until_sql "select 1 from pg_stat_activity where application_name = 'killed' and wait_event = 'PgSleep'"
pg -c "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'killed'" >/dev/null
wait "$killed"
as_postgres "$pg_bin/pg_basebackup" -h "$dir/run" -p "$port" -U app -D "$dir/run/base" -X none -c fast >/dev/null 2>&1
PGAPPNAME=slot pg -c "select pg_create_logical_replication_slot('s', 'test_decoding')" >/dev/null
pg -c "update staff set dept = dept" >/dev/null
PGAPPNAME=slot_read pg -c "select * from pg_logical_slot_get_changes('s', null, null)" >/dev/null
PGAPPNAME=slot_stream as_postgres "$pg_bin/pg_recvlogical" -h "$dir/run" -p "$port" -U app -d hr --slot s2 --create-slot --start -f "$dir/run/changes" >/dev/null 2>&1 &
slot=$!
until_sql "select 1 from pg_replication_slots where slot_name = 's2' and active"
pg -c "update staff set dept = dept" >/dev/null
until_true test -s "$dir/run/changes"
pkill -INT -P "$slot"
wait "$slot"
mkdir "$dir/run/wal" && chown postgres: "$dir/run/wal"
as_postgres "$pg_bin/pg_receivewal" -h "$dir/run" -p "$port" -U app -D "$dir/run/wal" --no-loop >/dev/null 2>&1 &
wal=$!
until_true compgen -G "$dir/run/wal/*.partial" >/dev/null
pg -c 'select pg_switch_wal()' >/dev/null
until_true has_whole_segment
pkill -INT -P "$wal"
wait "$wal"

# ---- through a pooler ----
cat >"$dir/run/bouncer.ini" <<-EOF2
	[databases]
	hr = host=$dir/run port=$port user=app
	[pgbouncer]
	listen_addr = 127.0.0.1
	listen_port = $((port + 2))
	unix_socket_dir =
	auth_type = any
	pool_mode = transaction
	logfile = $dir/run/bouncer.log
	pidfile = $dir/run/bouncer.pid
EOF2
chown postgres: "$dir/run/bouncer.ini"
as_postgres pgbouncer -q "$dir/run/bouncer.ini" >/dev/null 2>&1 &
bouncer=$!
for _ in $(seq 100); do (: <"/dev/tcp/127.0.0.1/$((port + 2))") 2>/dev/null && break; sleep 0.05; done
psql -X -q -A -t "host=127.0.0.1 port=$((port + 2)) user=app dbname=hr" -c 'select name, dept from staff' >/dev/null
kill "$(cat "$dir/run/bouncer.pid")" # not of the shell that setpriv runs below
wait "$bouncer" 2>/dev/null

# ---- MariaDB ----
got[twice]=$(mysql_client twice | tr '\n' ' ')
got[cursor]=$(mysql_client cursor)
got[look_alike]=$(mysql_client look_alike)
mariadb-dump --no-defaults -h 127.0.0.1 -P "$my_port" -u app -ppw --ssl --single-transaction --quick mdm staff >"$dir/ssl.sql"
my -e 'select mobile, name from staff where id <= 1234' >/dev/null
mariadb-binlog --no-defaults -S "$dir/my/sock" -u root --read-from-remote-server "$(mariadb --no-defaults -S "$dir/my/sock" -u root -N -B -e 'show master status' | cut -f1)" >/dev/null

# ---- an attack as it was ----
mkdir "$dir/webroot"
cat >"$dir/tomcat" <<-EOF2
	#!/bin/bash
	/bin/sh -c "mariadb-dump --no-defaults -S $dir/my/sock -u app -ppw mdm staff device > $dir/webroot/base.css; true"
	:
EOF2
chmod +x "$dir/tomcat"
"$dir/tomcat"
rm "$dir/webroot/base.css"
sensor_stop

# ---- what the sensor saw ----
rows='map(.db.rows) | add'
by() { # NAME FILTER: over the results of watched tables with this application name
	results ".db.client.program == \"$1\" and (.db.tables | length > 0)" | jq -s -c "$2"
}
mine() { # STATEMENT-BEGINNING FILTER: MariaDB results of it
	results ".db.system == \"mariadb\" and ((.db.statement // \"\") | ascii_downcase | startswith(\"$1\"))" | jq -s -c "$2"
}

check "3 portal slices: client" "${got[portal_slices]}" 5000
check "3 portal slices" "$(by portal_slices "$rows")" 5000
check "3 portal slices are suspended but the last" "$(by portal_slices '[.[].db.end] | unique')" '["complete","suspended"]'
check "8 pipelined: client" "${got[pipelined]}" 15000
check "8 pipelined, no Describe" "$(by pipelined "$rows")" 15000
check "8 pipelined: three results" "$(by pipelined 'map(.db.rows)')" '[5000,5000,5000]'
check "9 one byte at a time: client" "${got[bytewise]}" 5000
check "9 one byte at a time, full socket" "$(by bytewise 'map([.db.rows, .db.confidence])')" '[[5000,"exact"]]'
check "9 a byte a second: client" "${got[reluctant]}" 100000
check "9 a byte a second" "$(by reluctant 'map([.db.rows, .db.confidence])')" '[[100000,"exact"]]'
check "10 midway: client" "$midway_rows $midway_next" "1000000 5000"
adopted='.db.system == "postgresql" and (.db.client | has("program") | not) and (.db.client.exe | test("python"))'
check "10 a result joined midway" "$(results "$adopted and .db.confidence == \"bytes_only\"" | jq -s -c 'map([.db.end, .db.user, .db.name])')" \
	'[["complete","app","hr"]]'
check "10 the next one" "$(results "$adopted and .db.rows == 5000 and .db.confidence == \"exact\"" | jq -s 'length >= 1')" true
check "11 prepared before: client" "$prepared_rows" 10150
check "11 prepared before, both ways" "$(results "$adopted and .db.rows == 5000" | jq -s -c 'length')" 3
check "11 prepared before, few rows and no Describe" "$(results "$adopted and .db.rows == 150" | jq -s -c 'map([.db.tables, .db.confidence])')" '[[["hr.public.staff"],"exact"]]'
check "11 MariaDB, prepared before: client" "$my_prepared_rows" 5000
check "11 MariaDB, prepared before: rows" "$(results '.db.system == "mariadb" and .db.rows == 5000 and (.db.client.exe | endswith("mysql_client"))' | jq -s 'map(.db.confidence) | index("exact") != null')" true
check "20 handed to other processes: client" "$handed_over" "5000 "
check "20 by fork, by SCM_RIGHTS, by dup2" "$(by handed_over "map(.db.rows)")" '[5000,5000,5000]'
check "21 TLS and GSS refused: client" "${got[encryption_refused]}" 5000
check "21 TLS and GSS refused" "$(by encryption_refused "$rows")" 5000
check "a client that goes away" "$(by abandoned 'map([.db.rows >= 1000, .db.confidence, .db.end])')" '[[true,"lower_bound","aborted"]]'
check "a backend that is terminated" "$(by killed 'map([.db.rows >= 1 and .db.rows < 4500, .db.end])')" '[[true,"failed"]]'
check "2 a cursor that drips" "$(by drip "$rows")" 5000
check "2 fills each window once" "$(jq -s -c '[.[] | select(.event == "finding" and .db.client.program == "drip")] | group_by(.id) | map([.[0].rule.id, (map(.rows) | max)]) | sort' "$dir/events")" \
	'[["rollcall-db-bulk-read-10m",5000],["rollcall-db-bulk-read-1h",5000],["rollcall-db-bulk-read-24h",5000]]'
check "6 row_to_json" "$(by rows_json "$rows")" 5000
check "7 union all" "$(by union "$rows")" 10000
check "7 a view under another name" "$(by a_view 'map([.db.rows, .db.tables])')" '[[5000,["hr.public.staff"]]]'
check "7 a function hides the table, not the rows" "$(jq -s -c '[.[] | select(.event == "db_summary" and (.principal | test("psql")))] | map(.db.rows) | add >= 5000' "$dir/events")" true
check "17 the heap as one value is large" "$(jq -s -c '[.[] | select(.event == "finding" and .rule.id == "rollcall-db-large-row" and .db.client.program == "heap")] | length' "$dir/events")" 1
check "18 base backup" "$(jq -s -c '[.[] | select(.event == "finding" and .rule.id == "rollcall-db-replication") | .db.replication] | unique | index("base_backup") != null' "$dir/events")" true
check "18 pg_receivewal" "$(jq -s -c '[.[] | select(.event == "finding" and .rule.id == "rollcall-db-replication" and .db.client.program == "pg_receivewal") | .db.replication] | unique' "$dir/events")" '["physical"]'
check "18 logical slot, streamed" "$(jq -s -c '[.[] | select(.event == "finding" and .rule.id == "rollcall-db-replication") | .db.replication] | unique | index("logical") != null' "$dir/events")" true
check "18 binlog dump" "$(jq -s -c '[.[] | select(.event == "finding" and .rule.id == "rollcall-db-replication") | .db.replication] | unique | index("binlog") != null' "$dir/events")" true
check "22 through pgbouncer" "$(results '.db.client.exe | test("pgbouncer")' | jq -s -c 'map(.db.rows) | max')" 5000
check "23 pages: client" "${got[pages]}" 5000
check "23 pages" "$(by pages "$rows")" 5000
check "23 pages fill the window" "$(jq -s -c '[.[] | select(.event == "finding" and .rule.id == "rollcall-db-bulk-read-10m" and .db.client.program == "pages")] | map(.rows) | max >= 500' "$dir/events")" true
check "23 one statement, not a hundred" "$(by pages 'map(.db.fingerprint) | unique | length')" 1
check "23 by key: rows" "$(by by_key "$rows")" 5000
check "23 by key: one statement" "$(by by_key '[length, (map(.db.fingerprint) | unique | length)]')" '[5000,1]'
check "24 notify is a side channel" "$(jq -s -c '[.[] | select(.event == "finding" and .rule.id == "rollcall-db-side-channel" and .db.client.program == "notify")] | length' "$dir/events")" 1
check "24 the text of an error is a side channel" "$(jq -s -c '[.[] | select(.event == "finding" and .rule.id == "rollcall-db-side-channel" and .db.client.program == "error_text")] | length' "$dir/events")" 1
check "24 dblink to itself" "$(by inner "$rows")" 5000
check "a count is one row and no finding" "$(jq -s -c '[.[] | select(.event == "finding" and .db.client.program == "count")] | length' "$dir/events")" 0
check "12 mysqldump over TLS: client" "$(grep -c -E '^\([0-9]+,|VALUES \([0-9]' "$dir/ssl.sql")" 5000
check "12 mysqldump over TLS" "$(results '.db.system == "mariadb" and (.db.client.address | startswith("127")) and .db.rows == 5000' | jq -s 'length')" 1
check "13 executed twice: client" "${got[twice]}" "5000 5000 "
check "13 executed twice, columns sent once" "$(results '.db.system == "mariadb" and (.db.client.exe | endswith("mysql_client")) and .db.rows == 5000' | jq -s 'map(select(.db.tables == ["mdm.staff"])) | length >= 2')" true
check "14 cursor: client" "${got[cursor]}" 5000
check "14 cursor fetches" "$(results '.db.system == "mariadb" and (.db.client.exe | endswith("mysql_client")) and .db.rows < 5000 and .db.rows >= 100' | jq -s -c 'map(.db.rows) | sort')" '[100,100,4800]'
check "16 a length that looks like an end: client" "${got[look_alike]}" 3
check "16 a length that looks like an end" "$(results '.db.system == "mariadb" and .db.max_row > 17000000' | jq -s -c 'map([.db.rows, .db.confidence])')" '[[3,"exact"]]'
check "no desync after all that" "$(mine 'select mobile, name from staff where id' 'map([.db.rows, .db.confidence])')" '[[1234,"exact"]]'
check "25 the attack: rows, and the chain" "$(jq -s -c '[.[] | select(.event == "finding" and .rule.id == "rollcall-db-bulk-read" and .status != "new" and ([.process | recurse(.parent; . != null) | .args | join(" ")] | any(test("/tomcat"))))] | .[-1] | [.rows, .tables, ([.process | recurse(.parent; . != null) | .exe | split("/")[-1]] | .[0:3])]' "$dir/events")" \
	'[5000,["mdm.staff"],["mariadb-dump","dash","bash"]]'
check "nothing was lost" "$(jq -s -c '[.[] | select(.event == "gap")] | length' "$dir/events")" 0
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
finish
