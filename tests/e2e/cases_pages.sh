#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Reads of a watched table that neither their text nor their columns show, or that hold many people
# in one row: PostgreSQL's own counts of what it read tell, taken from the backend's memory. What the
# sensor says of each is compared with what the server reports in its statistics for the same statement.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
servers_start
servers_fill
pg >/dev/null <<-'EOF2'
	create index staff_mobile on staff (mobile);
	create table archive as select i as id, repeat('x', 700) as body from generate_series(1, 50000) i;
	alter table archive add primary key (id);
	vacuum analyze staff, archive;
	create function f_archive() returns setof text language plpgsql as
		'begin return query select body from archive; end';
	create function f_one(int) returns text language plpgsql as
		'begin return (select name from staff where id = $1); end';
	create function f_sum() returns bigint language plpgsql as
		'begin return (select sum(length(mobile)) from staff); end';
	create function f_ctid() returns text language plpgsql as
		'begin return (select string_agg(mobile, '','') from staff
		 where ctid = any (array[''(0,1)'', ''(1,1)'', ''(2,1)'']::tid[])); end';
	create function f_staff_rows() returns setof staff language plpgsql as
		'begin return query select * from staff; end';
	create function f_ids() returns text language plpgsql as
		'begin return (select string_agg(mobile, '','') from staff where ctid = any (array(
		 select format(''(%s,%s)'', b, i)::tid from generate_series(0, 60) b, generate_series(1, 130) i))); end';
	create function f_locked(int) returns text language plpgsql as
		'begin return (select name from staff where id = $1 for update); end';
	create function f_registered(int) returns int language plpgsql as
		'begin insert into staff values ($1, ''x'', ''y'', ''z''); return 1; end';
	create table people (id int, name text) partition by hash (id);
	select format('create table people_%s partition of people for values with (modulus 40, remainder %s)', i, i)
		from generate_series(0, 39) i \gexec
	insert into people select i, 'Person ' || i from generate_series(1, 4000) i;
	vacuum analyze people;
EOF2
blocks() { pg -c "select count(distinct (ctid::text::point)[0]) from $1"; }
staff_blocks=$(blocks staff) archive_blocks=$(blocks archive)
last_block=$(blocks "staff where id > 4900")
"${ROLLCALL_CLI:-build/rollcall}" setup database --watch postgresql:hr.public.staff --watch postgresql:hr.public.archive \
	--watch postgresql:hr.public.people --socket "$dir/run" --port "$port" --output "$dir/resolved" >/dev/null || exit 1

# Rows and blocks of staff that the server says were read, ever.
reported() {
	pg -c "select seq_tup_read, coalesce(idx_tup_fetch, 0),
		(select sum(idx_tup_read) from pg_stat_user_indexes i where i.relid = t.relid), heap_blks_read + heap_blks_hit
		from pg_stat_user_tables t join pg_statio_user_tables b using (relid) where t.relid = 'staff'::regclass" | tr '|' ' '
}
declare -A server_rows server_blocks
run() { # APPLICATION-NAME OPTIONS...
	local name=$1 before
	shift
	read -ra before < <(reported)
	PGAPPNAME=$name pg "$@" >/dev/null 2>&1
	# A backend reports at its end, before it leaves this view.
	until [ "$(pg -c "select count(*) from pg_stat_activity where application_name = '$name'")" = 0 ]; do sleep 0.02; done
	read -ra after < <(reported)
	local scanned=$((after[0] - before[0])) fetched=$((after[1] - before[1])) entries=$((after[2] - before[2]))
	server_rows[$name]=$((scanned + (fetched > entries ? fetched : entries)))
	server_blocks[$name]=$((after[3] - before[3]))
}

# Opened, and busy, before the sensor: what it read then is nobody's.
exec 7> >(PGAPPNAME=early pg >"$dir/early.out" 2>&1)
early=$!
echo "select count(*), string_agg(mobile, ',') from staff;" >&7
for _ in $(seq 200); do grep -q 5000 "$dir/early.out" && break || sleep 0.05; done
sensor_start --resolved "$dir/resolved" --watch postgresql:hr.public.archive --watch postgresql:hr.public.people
printf 'select 1;\nselect f_one(9);\n\\q\n' >&7 # the sensor has its end of the pipe, too
wait "$early"
exec 7>&-
cat >"$dir/dynamic.sql" <<-'EOF2'
	do $$ declare x text; begin
		execute 'select string_agg(mo' || 'bile, chr(44)) from st' || 'aff' into x;
		raise notice '%', x;
	end $$;
EOF2
index='set enable_seqscan = off; set enable_bitmapscan = off'
run one_row -c "select string_agg(mobile, ',') from staff"
run json -c 'select row_to_json(s) from staff s'
run xml -c "select query_to_xml('select name, mobile from staff', true, false, '')"
run function -c 'select * from f_staff()'
run alias -c 'select v.mobile from v_staff as v'
run cte -c 'with x as materialized (select name from staff) select * from x'
run union -c 'select name from staff union all select mobile from staff'
run derived -c 'select y.n from (select x.n from (select name as n from staff) x) y'
run by_index -c "$index; select string_agg(mobile, ',') from staff where id > 0"
run bitmap -c "set enable_seqscan = off; set enable_indexscan = off; select string_agg(mobile, ',') from staff where id > 0"
run index_only -c "$index; select f_sum()"
run part -c "$index; select string_agg(mobile, ',') from staff where id > 4900"
run by_key -c 'select f_one(77)'
run count -c 'select count(*) from staff'
run large -c 'select * from f_archive()'
run parallel -c "set min_parallel_table_scan_size = 0; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
	set parallel_leader_participation = off; select string_agg(mobile, ',') from staff where name > ''"
run notice -c "do 'begin raise notice ''%'', (select count(*) from staff); end'"
run row_ids -c 'select f_ctid()'
run several -c 'select 1; select f_one(7); select name from staff limit 10; select 2'
run hidden_last -c 'select name from staff limit 0; select f_archive()'
run upkeep -c 'vacuum staff' -c 'analyze staff' -c 'select 1 as upkeep'
run nothing -c 'select * from generate_series(1, 300)'
run point -c 'select name from staff where id = 78'
run all_ids -c 'select f_ids()'
run set_of -c 'select f_staff()' -c 'select count(*) from f_staff_rows()'
run dynamic -f "$dir/dynamic.sql"
run hidden_index_only -c "$index; select string_agg(f_sum()::text || repeat('x', 99000), '')"
run leader_too -c "set min_parallel_table_scan_size = 0; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
	select string_agg(mobile, ',') from staff where name > ''"
run aborted -c "begin; select string_agg(mobile, ',') from staff; rollback"
run locked -c 'select f_locked(70)'
run registered -c 'select f_registered(100001)'
pg -c 'delete from staff where id = 100001' -c 'vacuum staff' >/dev/null
run partitions -c "select string_agg(name, ',') from people"
pg -c 'create index staff_dept on staff (dept)' >/dev/null
run new_index -c "$index; select string_agg(mobile, ',') from staff where dept = 'Unit 7'"
# The server reports once a second: some of these come before, some after, the last two in one transaction.
{
	for i in $(seq 1 24); do echo "select f_one($i); select f_sum(), f_one(1) from generate_series(1, $i % 3); select pg_sleep(0.12);"; done
	echo "begin; select f_one(1); select pg_sleep(1.2); select f_one(2); commit; select pg_sleep(1.2); select f_one(3)"
} >"$dir/flushes.sql"
run flushes -f "$dir/flushes.sql"
seq 1 300 | sed 's/.*/select f_one(&);/' >"$dir/fast.sql"
run fast -f "$dir/fast.sql"
run one_message -c 'select f_one(7); select f_one(8); select string_agg(mobile, $$,$$) from staff; select f_one(9)'
run uncounted -c 'select f_one(5)' -c 'set track_counts = off' -c 'select f_one(6)' -c 'set track_counts = on' -c 'select f_one(7)'
sensor_stop

# Its results that have rows, or side bytes.
of() { # APPLICATION-NAME FILTER
	jq -s -c --arg name "$1" "map(select(.event == \"db_result\" and .db.client.program == \$name and
		(.db.rows > 0 or .db.side_bytes > 0))) | $2" "$dir/events"
}
findings() { # APPLICATION-NAME
	jq -s -c --arg name "$1" 'map(select(.event == "finding" and .db.client.program == $name) |
		[.rule.id, .rows_min, .rows_max]) | unique_by(.[0])' "$dir/events"
}
rows_read() { of "$1" 'map(.db.rows_read) | add'; }
shown='map([.db.rows, .db.tables[0], .db.confidence, .db.pages, .db.page_coverage])'
all="\"hr.public.staff\",\"exact\",$staff_blocks,1"
only="[[1,\"hr.public.staff\",\"coverage_only\",$staff_blocks,1]]"
large_row='[["rollcall-db-large-row",1,5000],["rollcall-db-page-coverage",1,5000]]'
check "6 one row" "$(of one_row "$shown")" "$only"
check "6 one row: the finding tells how many people it may hold" "$(findings one_row)" "$large_row"
check "6 a row for each as JSON" "$(of json "$shown")" "[[5000,$all]]"
check "6 XML of a query in a string" "$(of xml "$shown")" "$only"
check "7 a function" "$(of function "$shown")" "[[5000,$all]]"
check "7 a function: by what was read alone" "$(of function 'map(.db.evidence) | add')" '["rows_read"]'
check "7 a function: told while it streams" "$(findings function | jq -c 'map(.[0])')" '["rollcall-db-bulk-read"]'
for c in alias cte derived; do
	check "7 $c" "$(of $c "$shown")" "[[5000,$all]]"
done
check "7 union: the same pages twice are the same pages" "$(of union "$shown")" "[[10000,$all]]"
check "6 every row by an index" "$(of by_index "$shown")" "$only"
check "6 every row by a bitmap" "$(of bitmap "$shown")" "$only"
check "6 by parallel workers" "$(of parallel "$shown")" "$only"
check "6 by parallel workers and their leader" "$(of leader_too "$shown")" "$only"
check "an index-only scan in a function" "$(of index_only 'map([.db.rows, .db.tables[0], .db.rows_read, .db.evidence])')" \
	'[[1,"hr.public.staff",5000,["rows_read"]]]'
check "... into one large row" "$(findings hidden_index_only)" "$large_row"
check "a part of the table" "$(of part 'map([.db.pages, .db.confidence])')" "[[${server_blocks[part]},\"coverage_only\"]]"
check "... which is small" "$((server_blocks[part] <= last_block + 1))" 1
check "a part of the table is no finding" "$(findings part)" '[]'
check "one row by its key" "$(of by_key "map([.db.rows, .db.tables[0], .db.confidence, .db.pages, .db.rows_read])")" '[[1,"hr.public.staff","exact",1,1]]'
check "one row by its key, as an application asks" "$(of point "map([.db.rows, .db.confidence, .db.rows_read, .db.evidence])")" \
	'[[1,"exact",1,["statement","column_description","rows_read"]]]'
check "one row is no finding" "$(findings point; findings by_key; findings fast)" $'[]\n[]\n[]'
check "one row that is locked" "$(of locked 'map([.db.rows, .db.rows_read])')" '[[1,1]]'
check "a row that is written was not read" "$(of registered length)" 0
check "a count is a count" "$(of count "$shown")" "[[1,$all]]"
check "a count is no finding" "$(findings count)" '[]'
check "a large table" "$(of large 'map([.db.rows, .db.rows_read, .db.confidence, .db.page_coverage, .db.pages])')" "[[50000,50000,\"exact\",1,$archive_blocks]]"
check "a table of more parts than there are accounts" "$(of partitions 'map([.db.tables[0], .db.rows_read])')" '[["hr.public.people",4000]]'
check "a notice of a table that was read" "$(of notice 'map([.db.tables[0], .db.pages])')" "[[\"hr.public.staff\",$staff_blocks]]"
check "dynamic SQL in DO" "$(of dynamic 'map([.db.tables[0], .db.rows_read])')" '[["hr.public.staff",5000]]'
check "a function of rows" "$(of set_of 'map([.db.rows, .db.tables[0], .db.rows_read])')" '[[5000,"hr.public.staff",5000],[1,"hr.public.staff",5000]]'
check "rows by their ids in a function" "$(of row_ids 'map([.db.tables[0], .db.rows_read, .db.pages])')" '[["hr.public.staff",3,3]]'
check "every row by its id: as many as blocks were fetched, or the table has" "$(of all_ids 'map([.db.rows_read, .db.confidence])')" \
	"[[$((server_blocks[all_ids] < 5000 ? server_blocks[all_ids] : 5000)),\"coverage_only\"]]"
check "every row by its id: found" "$(findings all_ids | jq -c 'map(.[0])')" '["rollcall-db-large-row","rollcall-db-page-coverage"]'
check "an index that was made after setup" "$(of new_index 'map([.db.tables[0], .db.rows_read])')" '[["hr.public.staff",125]]'
check "a transaction that is taken back" "$(of aborted "$shown")" "$only"
check "of several small statements, those that name the table" "$(of several 'map([.db.rows, .db.tables[0]])')" '[[10,"hr.public.staff"]]'
check "after one that names another table" "$(of hidden_last 'map([.db.rows, .db.tables[0]])')" '[[50000,"hr.public.archive"]]'
check "several statements of one message" "$(of one_message 'map([.db.confidence, .db.rows_read])')" '[["coverage_only",5003]]'
check "upkeep reads for nobody" "$(of upkeep 'map(.db.tables) | add')" null
check "what touches none" "$(of nothing length)" 0
# Its startup was not seen, so it has no name.
check "what a session read before the sensor" \
	"$(jq -s -c 'map(select(.event == "db_result" and .db.client.program == null) | [.db.tables[0], .db.rows_read])' "$dir/events")" '[["hr.public.staff",1]]'
for c in one_row json xml function alias cte union derived by_index bitmap index_only part by_key count parallel leader_too \
	point dynamic set_of aborted locked new_index flushes fast one_message hidden_index_only; do
	check "$c: rows as the server reports them" "$(rows_read $c)" "${server_rows[$c]}"
done
check "before and after the server reports: each its own" "$(of flushes 'map(select(.db.statement | test("^select f_one")) | .db.rows_read) | [length, min, max]')" '[27,1,1]'
check "... and of what reads more" "$(of flushes 'map(select(.db.statement | test("f_sum")) | .db.rows_read / .db.rows) | unique')" '[5001]'
check "many a second: each its own" "$(of fast 'map(.db.rows_read) | [length, min, max]')" '[300,1,1]'
check "a server that does not count says so" "$(of uncounted 'map([.db.rows_read, .db.uncounted])')" '[[1,false],[1,false]]'
check "... in a gap" "$(jq -c 'select(.event == "gap") | [.lane, .count]' "$dir/events" | sort -u)" '["database",1]'
check "nothing else was lost" "$(grep -c '"event":"gap"' "$dir/events")" 1
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
finish
