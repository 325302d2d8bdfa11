#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A bulk read of the staff directory, counted to the row, over every transport and in every form
# that a client has without special tools. Each case reads, then the sensor is stopped and each
# result is compared with what was asked for.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
servers_start
servers_fill

# A session that is older than the sensor, and idle when it starts.
coproc OLD { PGAPPNAME=old pg; }
printf 'select 1;\n' >&"${OLD[1]}"
read -r _ <&"${OLD[0]}"
sensor_start
printf 'select mobile, name from staff;\n\\echo done\n' >&"${OLD[1]}"
while read -r line <&"${OLD[0]}"; do [ "$line" = done ] && break; done
printf '\\q\n' >&"${OLD[1]}"

export PGAPPNAME
PGAPPNAME=unix pg -c 'select name, mobile from staff' >/dev/null
PGAPPNAME=tls pg_tcp require -c 'select name, mobile from staff' >/dev/null
PGAPPNAME=tcp pg_tcp disable -c 'select name, mobile from staff' >/dev/null
PGAPPNAME=cursor pg -c "begin; declare c cursor for select * from staff" \
	$(for _ in $(seq 50); do echo "-c"; echo "fetch/**/100/**/from/**/c"; done) >/dev/null 2>&1
PGAPPNAME=copy pg -c 'copy staff to stdout' >/dev/null
PGAPPNAME=copy_csv pg -c 'copy staff to stdout (format csv, header)' >/dev/null
PGAPPNAME=copy_binary pg -c 'copy staff to stdout (format binary)' >/dev/null
PGAPPNAME=copy_file pg -c "copy staff to '$dir/run/x'"
PGAPPNAME=copy_program pg -c "copy staff to program 'cat >/dev/null'"
PGAPPNAME=ctas pg -c 'create table s2 as select * from staff'
PGAPPNAME=select_into pg -c 'select * into s3 from staff'
PGAPPNAME=view pg -c 'select * from v_staff' >/dev/null
PGAPPNAME=cte pg -c 'with x as (select * from staff) select name from x union all select name from x' >/dev/null
PGAPPNAME=string_agg pg -c "select string_agg(name||mobile, ',') from staff" >/dev/null
PGAPPNAME=xml pg -c "select query_to_xml('select * from staff', true, false, '')" >/dev/null
PGAPPNAME=multi pg -c 'select 1; select * from staff limit 10; select 2; select * from staff limit 20' >/dev/null
PGAPPNAME=error pg -c 'select name, 1/(id - 2500) from staff' >/dev/null 2>&1
PGAPPNAME=returning pg -c 'update staff set dept = dept returning *' >/dev/null
PGAPPNAME=notice pg -c "do \$\$ declare r record; begin for r in select * from staff loop raise notice '%', r; end loop; end \$\$" 2>/dev/null
PGAPPNAME=other pg -c 'select * from device' >/dev/null
PGAPPNAME=extended pg -c "select name from staff where id < 101 \\bind \\g" >/dev/null 2>&1
"$pg_bin/pg_dump" -h "$dir/run" -p "$port" -U app -t staff hr >/dev/null
PGAPPNAME=cancel pg -c "set statement_timeout = 300" -c "select s.name, pg_sleep(case when id = 4000 then 5 else 0 end) from staff s" >/dev/null 2>&1

my -e 'select name, mobile from staff' >/dev/null
my_tcp -e 'select name, mobile, dept from staff' >/dev/null
my -C -e 'select mobile from staff' >/dev/null
mariadb-dump --no-defaults -S "$dir/my/sock" -u app -ppw --quick mdm staff >/dev/null
mariadb-dump --no-defaults -S "$dir/my/sock" -u app -ppw --compress mdm staff >/dev/null
my -e 'call p_staff()' >/dev/null
my -e 'select dept, count(*) from staff group by id with rollup' >/dev/null
my -e 'handler staff open; handler staff read first limit 5000; handler staff close' >/dev/null
my -e "select * from staff into outfile '$dir/my/data/o'; create table s2 as select * from staff" >/dev/null
my -e 'select name from (select name from staff) x' >/dev/null
my --max-allowed-packet=64M -e "select repeat('x', 20 * 1024 * 1024) from staff limit 1" >/dev/null
my -e 'select name, id from staff' >/dev/null
sensor_stop

pg_rows() { results ".db.client.program == \"$1\" and .db.tables == [\"hr.public.staff\"]" | jq -s -c "$2"; }
rows='map(.db.rows) | add'
for t in unix tls tcp copy copy_csv copy_binary; do
	check "$t" "$(pg_rows $t "$rows")" 5000
	check "$t confidence" "$(pg_rows $t '.[-1].db.confidence')" '"exact"'
done
old='(.db.client | has("program") | not) and .db.system == "postgresql"'
check "a session older than the sensor" "$(results "$old" | jq -c '[.db.rows, .db.user, .db.name, .db.confidence]')" \
	'[5000,"app","hr","exact"]'
check "cursor" "$(pg_rows cursor "$rows")" 5000
for t in copy_file copy_program ctas select_into; do
	check "$t" "$(pg_rows $t "$rows")" 5000
	check "$t server side" "$(pg_rows $t '.[-1].db.server_side')" true
done
check "cte" "$(pg_rows cte "$rows")" 10000
check "string_agg" "$(pg_rows string_agg "$rows")" 1
check "string_agg's row is large" "$(pg_rows string_agg '.[0].db.max_row > 100000')" true
check "query_to_xml" "$(pg_rows xml '.[0].db.evidence[0]')" '"string_in_statement"'
check "multi-statement" "$(pg_rows multi 'map(.db.rows)')" '[10,20]'
check "error in row 2500" "$(pg_rows error 'map([.db.rows, .db.end])')" '[[2499,"failed"]]'
check "returning" "$(pg_rows returning "$rows")" 5000
check "notices" "$(pg_rows notice '.[0].db.side_bytes > 100000')" true
check "unwatched table" "$(results '.db.client.program == "other"' | wc -l)" 0
check "unwatched rows are summed" \
	"$(jq -s '[.[] | select(.event == "db_summary" and .db.system == "postgresql") | .db.rows] | add >= 5000' "$dir/events")" true
check "pg_dump" "$(pg_rows pg_dump "$rows")" 5000
check "cancelled" "$(pg_rows cancel '.[-1].db.end')" '"failed"'
check "client is named" "$(pg_rows unix '.[0].db.client.exe | endswith("/psql")')" true
check "client's parent is this test" "$(pg_rows unix '.[0].process.parent.exe | endswith("bash")')" true

my_rows() { results ".db.system == \"mariadb\" and (.db.statement | startswith(\"$1\"))" | jq -s -c "$2"; }
check "mariadb unix" "$(my_rows 'select name, mobile from staff' "$rows")" 5000
check "mariadb tcp" "$(my_rows 'select name, mobile, dept' "$rows")" 5000
check "mariadb compressed" "$(my_rows 'select mobile from staff' "$rows")" 5000
check "mariadb-dump, twice" "$(my_rows 'SELECT SQL_NO_CACHE' 'map(.db.rows)')" '[5000,5000]'
check "call" "$(my_rows 'call' 'map(.db.rows)')" '[5000]'
check "rollup" "$(my_rows 'select dept, count' "$rows")" 5001
check "handler" "$(my_rows 'handler staff read' "$rows")" 5000
check "outfile" "$(my_rows 'select * from staff into outfile' 'map([.db.rows, .db.server_side])')" '[[5000,true]]'
check "create table as" "$(my_rows 'create table s2' 'map([.db.rows, .db.server_side])')" '[[5000,true]]'
check "derived table" "$(my_rows 'select name from (' "$rows")" 5000
check "20 MiB row" "$(my_rows 'select repeat' 'map([.db.rows, .db.max_row > 20000000])')" '[[1,true]]'
check "and no desync after it" "$(my_rows 'select name, id' "$rows")" 5000

check "no losses" "$(grep -c '"event":"gap"' "$dir/events")" 0
check "findings name rule, rows, principal and evidence" \
	"$(jq -s '[.[] | select(.event == "finding" and (.rule.attack | length) > 0 and .principal != "" and (.evidence | length) > 0)] | length > 10' "$dir/events")" true
check "a finding comes before its result ends" \
	"$(jq -s 'map(select(.event == "finding" and .rule.id == "rollcall-db-bulk-read" and .status == "new" and .rows < 5000)) | length > 0' "$dir/events")" true
[ "$failed" -eq 0 ] || cp "$dir/events" build/bulk_read.events
finish
