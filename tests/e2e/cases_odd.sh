#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a careful analyst would try by hand: odd names, tables of the same name elsewhere, statements
# of every kind, results with nothing in them. Each line: rows of each result that shows the watched table.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
servers_start
servers_fill
pg <<-'END' || exit 1
	create schema "Odd Schema"; create table "Odd Schema"."Stäff List"(id int, "Full Name" text, mobile text);
	insert into "Odd Schema"."Stäff List" select i, 'p' || i, 'm' || i from generate_series(1, 700) i;
	create schema other; create table other.staff as select * from staff;
	create table "STAFF" as select * from staff;
	create table people(id int, name text) partition by range (id);
	create table people_1 partition of people for values from (0) to (500);
	create table people_2 partition of people for values from (500) to (2000);
	insert into people select i, 'p' || i from generate_series(0, 999) i;
	create table nulls(a text, b text); insert into nulls select null, null from generate_series(1, 600);
	create database other;
END
psql -X -q "host=$dir/run port=$port user=app dbname=other" -c "create table staff as select 1 as id from generate_series(1, 950)"
mariadb --no-defaults -S "$dir/my/sock" -u root mdm <<-'END' || exit 1
	create table `Stäff List` as select seq as id, 'x' as name from seq_1_to_720;
	create table nulls(a text, b text); insert into nulls select null, null from seq_1_to_610;
	create table copy like staff;
	create database other; create table other.staff as select seq as id from seq_1_to_910;
END
watched=(--watch 'postgresql:hr."Odd Schema"."Stäff List"' --watch postgresql:hr.public.people --watch postgresql:hr.public.nulls)
"${ROLLCALL_CLI:-build/rollcall}" setup database --watch postgresql:hr.public.staff "${watched[@]}" --socket "$dir/run" --port "$port" \
	--output "$dir/resolved" >/dev/null || exit 1
sensor_start --resolved "$dir/resolved" "${watched[@]}" --watch 'mariadb:mdm.Stäff List' --watch mariadb:mdm.nulls

cases=() # NAME WANTED
n=0
pg_case() { # WANTED OPTIONS...
	n=$((n + 1))
	cases+=("pg$n ${*:2}" "$1")
	PGAPPNAME=pg$n pg "${@:2}" >/dev/null 2>&1
}
my_case() { # WANTED STATEMENTS: each result's statement has @ where the case's name goes
	n=$((n + 1))
	cases+=("my$n $2" "$1")
	mariadb --no-defaults -S "$dir/my/sock" -u app -ppw --force mdm -e "${2//@/as my$n}" >/dev/null 2>&1
}
# Names.
pg_case 700 -c 'select "Full Name", mobile from "Odd Schema"."Stäff List"'
pg_case 700 -c 'set search_path = "Odd Schema"' -c 'select mobile from "Stäff List"'
pg_case '' -c 'select name from other.staff'
pg_case '' -c 'select name from "STAFF"'
pg_case 5000 -c 'SELECT NAME FROM STAFF'
pg_case 5000 -c 'select name from U&"\0073taff"'
pg_case 5000 -c 'select name from hr.public.staff'
pg_case '' -d other -c 'select * from staff'
pg_case 1000 -c 'select * from people'
pg_case 500 -c 'select * from people_1'
pg_case '' -c 'select serial as "from staff" from device limit 5'
pg_case 5000 -c 'select/**/name/**/from/* from device */staff'
pg_case 5000 -c "select name /* $(head -c 6000 /dev/zero | tr '\0' x) */ from staff"
# Rows.
pg_case 600 -c 'select * from nulls'
pg_case 5000 -c 'select from staff'
pg_case 0 -c 'select * from staff where false'
pg_case '' -c 'select 1 where false'
pg_case 1 -c 'select 1 where exists (select from staff)'
pg_case 5000 -c 'table staff'
pg_case 1 -c 'values ((select count(*) from staff))'
pg_case 5000 -c 'select d.serial, s.name from device d left join lateral (select name from staff where staff.id = d.id) s on true'
pg_case 5000 -c 'select name from staff tablesample system (100)'
pg_case '5000 5000' -c 'select * from only staff' -c 'select * from staff *'
pg_case 5000 -c 'select name, row_number() over (order by id) from staff'
pg_case 5000 -c 'select name from staff for update'
pg_case 5000 -c 'select name from staff intersect select name from staff'
pg_case 7 -c 'select serial from device limit 3; select name from staff limit 7; select 2 where false'
# Writes that answer with rows.
pg_case 777 -c 'update staff set dept = dept where id <= 777 returning id, name'
pg_case 333 -c begin -c 'delete from staff where id <= 333 returning *' -c rollback
pg_case 222 -c 'create table pub(like staff)' -c 'insert into pub select * from staff where id <= 222 returning *'
pg_case 444 -c 'with d as (update staff set dept = dept where id <= 444 returning *) select * from d'
pg_case '300 200' -c begin -c 'select name from staff limit 300' -c rollback -c 'select mobile from staff limit 200'
# COPY, cursors, SQL's own prepared statements, plans.
pg_case 5000 -c 'copy (select name, mobile from staff) to stdout (format binary)'
pg_case 5000 -c 'copy (select name, mobile from staff) to stdout csv header'
pg_case 5000 -c 'copy (select * from v_staff) to stdout'
pg_case 5000 -c '\copy staff to /dev/null'
pg_case '0 5000' -c begin -c 'declare c cursor for select * from staff' -c 'fetch all from c'
pg_case '0 100 50 1 1 1' -c begin -c 'declare c scroll cursor for select * from staff' -c 'move 1000 in c' -c 'fetch 100 in c' \
	-c 'fetch backward 50 from c' -c 'fetch absolute 4000 from c' -c 'fetch last c' -c 'fetch first in "c"' -c 'move forward all in c'
pg_case '0 700 700 700 700 700 700 700 100' -v FETCH_COUNT=700 -c 'select name from staff'
pg_case '0 1234' -c 'prepare p(int) as select name from staff where id <= $1' -c 'execute p(1234)'
pg_case 1 -c 'explain select * from staff'
pg_case '' -c 'listen staff' -c 'notify staff'
pg_case '0 5000' -c 'create temp view tv as select * from staff' -c 'select name from tv'

my_case 720 'select name @ from `Stäff List`'
my_case '' 'select id @ from other.staff; use other; select id @ from staff'
my_case 5000 'use other; select name @ from mdm.staff'
my_case 610 'select a @, b from nulls'
my_case 0 'select name @ from staff where false'
my_case '1 1' 'explain select name @ from staff; analyze format=json select name @ from staff'
my_case 500 'with recursive r(n) as (select 1 union all select n + 1 from r where n < 500) select s.name @ from r join staff s on s.id = r.n'
my_case 321 "xa start 'x'; select name @ from staff limit 321; xa end 'x'; xa prepare 'x'; xa rollback 'x'"
my_case 44 'start transaction; select name @ from staff limit 44; rollback'
my_case '10 3' 'select name @ from staff limit 10 offset 5; select 1 @ where false; select mobile @ from staff limit 3'
my_case 300 'insert into copy select * from staff where id <= 300 returning id @, name'
my_case '' 'delete from copy returning id @'
my_case 5000 'select name @ from staff natural join device'
my_case 5000 'select s.name @ from device d straight_join staff s on s.id = d.id'
my_case 50 'select s.name @ from (staff s, device d) where s.id = d.id and s.id <= 50'
my_case 10000 'select name @ from staff union select serial from device'
my_case 1 'select json_arrayagg(name) @ from staff'
my_case 5000 'select /*!50000 name @ from */ staff'
my_case 15 'lock tables staff read; select name @ from staff limit 15; unlock tables'
my_case '' 'create sequence sq; select next value for sq @; drop sequence sq'
my_case '' 'values (1), (2); select table_name @ from information_schema.tables'
# Names that clients give themselves.
PGAPPNAME=$'ctl\x01\x1b[31m\n\t"\\' pg -c 'select name from staff limit 111' >/dev/null
PGAPPNAME=$(printf 'é%.0s' {1..60}) pg -c 'select name from staff limit 112' >/dev/null 2>&1
# What fails copies nothing.
my --force -e 'insert into absent select * from staff' >/dev/null 2>&1
sensor_stop

for ((i = 0; i < ${#cases[@]}; i += 2)); do
	name=${cases[i]%% *}
	check "${cases[i]:0:120}" "$(results ".db.client.program == \"$name\" or (.db.statement | test(\"as $name\\\\b\"))" | jq -r .db.rows | paste -sd' ')" \
		"${cases[i + 1]}"
done
check "every line is JSON in UTF-8" "$(iconv -f utf-8 -t utf-8 "$dir/events" | jq -c .event | wc -l)" "$(wc -l <"$dir/events")"
check "control characters in a client's name" "$(results '.db.rows == 111' | jq .db.client.program)" '"ctl\u0001\u001b[31m\n\t\"\\"'
check "a client's name of many bytes" "$(results '.db.rows == 112' | jq '.db.client.program | startswith("é" * 31)')" true
check "all are exact" "$(results true | jq -r .db.confidence | sort -u)" exact
check "a copy that failed is none" "$(jq -r 'select(.event == "finding" and (.db.statement // "" | test("into absent"))) | .rule.id' "$dir/events")" ""
check "nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
finish
