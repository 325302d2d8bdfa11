#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# MariaDB's stored functions, procedures and triggers that read a watched table: a statement that runs
# one names the table, whatever its own text and columns say, once `rollcall setup database` has read
# their bodies, or the sensor saw them being made. What merely has the same name does not.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
servers_start
servers_fill
root() { mariadb --no-defaults -S "$dir/my/sock" -u root mdm; }
root <<'END2'
create function f_count() returns int reads sql data return (select count(*) from staff);
create function f_name(i int) returns varchar(60) reads sql data return (select name from v_staff where mobile like concat('%', lpad(i, 6, '0')));
create function f_of_f(i int) returns varchar(60) reads sql data return concat('-', `mdm`.f_name (i));
create function f_innocent(i int) returns varchar(60) no sql return concat('staff ', i);
create view v_function as select f_of_f(id) as n from device where id <= 20;
create view v_innocent as select f_innocent(id) as n from device where id <= 20;
create table noted(id int primary key, n int);
create table seen(n int);
create trigger t_noted before insert on noted for each row set new.n = (select count(*) from staff);
delimiter //
create procedure p_outer() begin call P_Staff; end//
create procedure p_noting(i int) begin insert into noted values (i, 0); end//
create procedure p_mixed() begin select serial from device limit 7; select concat(name) from staff limit 30; end//
create procedure p_cursor(out big longtext) begin
	declare done int default 0; declare n varchar(60);
	declare c cursor for select name from staff; declare continue handler for not found set done = 1;
	set big = ''; open c;
	r: loop fetch c into n; if done then leave r; end if; set big = concat(big, n); end loop; close c; end//
create procedure p_string() begin prepare s from 'select concat(name) from staff limit 40'; execute s; end//
create procedure p_dynamic() begin
	set @q = concat('select concat(name) from st', 'aff limit 50'); prepare s from @q; execute s; end//
delimiter ;
create database other; use other;
create function f_count() returns int no sql return 7;
create table staff(id int); insert into staff values (1);
create function f_reads_another() returns int reads sql data return (select max(id) from staff);
set sql_mode = oracle;
delimiter //
create package mdm.pack as function people return int; end//
create package body mdm.pack as function people return int as n int; begin select count(*) into n from staff; return n; end; end//
delimiter ;
END2
"${ROLLCALL_CLI:-build/rollcall}" setup database --watch mariadb:mdm.staff --socket "$dir/my/sock" \
	--output "$dir/resolved" >"$dir/setup" || exit 1
check "what setup found" "$(jq -r '.tables[0].relations | map("\(.kind) \(.schema).\(.name)") | sort | join(", ")' "$dir/resolved")" \
	"routine mdm.f_count, routine mdm.f_name, routine mdm.f_of_f, routine mdm.p_cursor, routine mdm.p_mixed, routine mdm.p_noting, routine mdm.p_outer, routine mdm.p_staff, routine mdm.p_string, routine mdm.pack, table mdm.staff, trigger mdm.noted, view mdm.v_function, view mdm.v_staff"
check "and said" "$(grep -E '^  (views|routines)' "$dir/setup" | xargs)" "views 2 routines 11"
sensor_start --resolved "$dir/resolved"

my -e 'select f_count() as one' >/dev/null
my -e 'select other.f_count() as two, f_innocent(1)' >/dev/null
my -e 'use other; select mdm.f_count() as three; select f_count() as four; select f_reads_another() as five' >/dev/null
my -e 'select f_of_f(id) as six from device where id <= 20' >/dev/null
my -e 'select n as seven from v_function' >/dev/null
my -e 'select n as eight from v_innocent' >/dev/null
my -e 'call p_outer()' >/dev/null
my -e 'call p_mixed' >/dev/null
my -e 'call p_cursor(@nine)' >/dev/null
my -e 'call p_string()' >/dev/null
my -e 'call p_dynamic()' >/dev/null
my -e 'insert into noted values (1, 0), (2, 0)' >/dev/null
my -e 'select * from noted where id = 10 or true' >/dev/null
my -e 'call p_noting(3)' >/dev/null
my -e 'insert into seen select n from noted' >/dev/null
my -e "prepare s from 'select f_name(id) as eleven from device where id <= 20'; execute s" >/dev/null
my -e 'do f_count()' >/dev/null
my -e 'set sql_mode = oracle; select pack.people() as twelve' >/dev/null
# Made while the sensor looks on.
my --force <<'END2' 2>/dev/null
create or replace view late_view as select concat(name, mobile) as x from staff limit 60;
create view late_over_late as select x from late_view;
delimiter //
create procedure late_procedure() begin select 1; select concat(name) from staff limit 70; end//
create function late_function(i int) returns varchar(60) reads sql data begin declare n varchar(60); select name into n from staff where id = i; return n; end//
create trigger late_trigger after insert on seen for each row begin set @a = 1; set @b = (select max(name) from staff); end//
delimiter ;
create view absent_view as select * from staff, absent;
END2
my <<'END2' >/dev/null
rename table staff to people, device to things;
select concat(name) as renamed from people limit 61;
execute immediate concat('select name as renamed_hidden from peo', 'ple limit 62');
alter table people rename other.crew;
select concat(name) as moved from other.crew limit 63;
alter table other.crew rename to mdm.staff;
rename table things to device;
select concat(name) as back from staff limit 64;
END2
my -e 'select x as fourteen from late_over_late' >/dev/null
my -e 'call late_procedure()' >/dev/null
my -e 'select late_function(7) as fifteen' >/dev/null
my -e 'insert into seen values (2)' >/dev/null
pg -c 'create view late_view as select upper(name) from staff' -c 'select * from late_view' >/dev/null
sensor_stop

of() { # STATEMENT: [rows, tables, evidence] of each of its results
	results ".db.statement | startswith(\"$1\")" | jq -s -c 'map([.db.rows, .db.tables[0], .db.evidence])'
}
by_routine='"mdm.staff",["routine"]'
check "a function" "$(of 'select f_count () as one')" "[[1,$by_routine]]"
check "functions of the same name, and of another" "$(of 'select other.f_count () as two')" "[]"
check "of another database" "$(of 'select mdm.f_count () as three')" "[[1,$by_routine]]"
check "another database's own" "$(of 'select f_count () as four')$(of 'select f_reads_another')" "[][]"
check "a function over a function over a view, for each row of another table" "$(of 'select f_of_f (id) as six')" "[[20,$by_routine]]"
check "a view over a function" "$(of 'select n as seven')" '[[20,"mdm.staff",["statement","column_description"]]]'
check "a view over another function" "$(of 'select n as eight')" "[]"
check "a procedure that calls a procedure" "$(of 'call p_outer')" '[[5000,"mdm.staff",["routine","column_description"]],[0,"mdm.staff",["routine"]]]'
check "a procedure's results, whichever they are" "$(of 'call p_mixed')" "[[7,$by_routine],[30,$by_routine],[0,$by_routine]]"
check "a procedure with a cursor of its own" "$(of 'call p_cursor')" "[[0,$by_routine]]"
check "SQL in a string of a procedure" "$(of 'call p_string')" "[[40,$by_routine],[0,$by_routine]]"
check "SQL that a procedure puts together is not seen through" "$(of 'call p_dynamic')" "[]"
check "a trigger" "$(of 'insert into noted')" "[[0,$by_routine]]"
check "reads of a table with a trigger" "$(of 'select * from noted')$(of 'insert into seen select')" "[][]"
check "a procedure that makes a trigger run" "$(of 'call p_noting')" "[[0,$by_routine]]"
check "a prepared statement" "$(of 'execute s')" '[[20,"mdm.staff",["prepared_statement"]]]'
check "DO" "$(of 'do f_count')" "[[0,$by_routine]]"
check "a package" "$(of 'select pack.people')" "[[1,$by_routine]]"
check "a view over a view, made meanwhile" "$(of 'select x as fourteen' | jq -c 'map([.[0], .[1], (.[2] | index("statement") != null)])')" '[[60,"mdm.staff",true]]'
check "a procedure, made meanwhile" "$(of 'call late_procedure')" "[[1,$by_routine],[70,$by_routine],[0,$by_routine]]"
check "a function, made meanwhile" "$(of 'select late_function')" "[[1,$by_routine]]"
check "a trigger, made meanwhile" "$(of 'insert into seen values')" "[[0,$by_routine]]"
rows_of() { of "$1" | jq -c 'map(.[:2])'; }
check "by another name" "$(rows_of 'select concat (name) as renamed from')" '[[61,"mdm.staff"]]'
check "by another name, which is hidden" "$(results '.db.statement | startswith("execute immediate")' | jq -s -c 'map([.db.rows, .db.tables[0]])')" '[[62,"mdm.staff"]]'
check "in another database" "$(rows_of 'select concat (name) as moved from')" '[[63,"mdm.staff"]]'
check "by its own again" "$(rows_of 'select concat (name) as back from')" '[[64,"mdm.staff"]]'
check "PostgreSQL: a view, made meanwhile, without setup" "$(of 'select * from late_view')" '[[5000,"hr.public.staff",["statement","column_description"]]]'
check "of all people by a procedure: found, exact" "$(jq -s -c 'map(select(.event == "finding" and (.db.statement // "" | startswith("call p_outer")))) | last | [.rule.id, .rows, .rows_max]' "$dir/events")" \
	'["rollcall-db-bulk-read",5000,5000]'
check "nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
finish
