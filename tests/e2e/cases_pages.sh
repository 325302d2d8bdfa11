#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Reads of a watched table that neither their text nor their columns show, or that hold many people
# in one row: the pages that PostgreSQL itself turned to tell. What the sensor says is compared with
# the blocks that the server says its rows are on.
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
EOF2
blocks() { pg -c "select count(distinct (ctid::text::point)[0]) from $1"; }
staff_blocks=$(blocks staff) archive_blocks=$(blocks archive)
last_block=$(blocks "staff where id > 4900")
"${ROLLCALL_CLI:-build/rollcall}" setup database --watch postgresql:hr.public.staff --watch postgresql:hr.public.archive \
	--socket "$dir/run" --port "$port" --output "$dir/resolved" >/dev/null || exit 1
sensor_start --resolved "$dir/resolved" --watch postgresql:hr.public.archive

run() { # APPLICATION-NAME OPTIONS...
	local name=$1
	shift
	PGAPPNAME=$name pg "$@" >/dev/null 2>&1
}
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
shown='map([.db.rows, .db.tables[0], .db.confidence, .db.pages, .db.page_coverage])'
all="\"hr.public.staff\",\"exact\",$staff_blocks,1"
only="[[1,\"hr.public.staff\",\"coverage_only\",$staff_blocks,1]]"
check "6 one row" "$(of one_row "$shown")" "$only"
check "6 one row: the finding tells how many people it may hold" "$(findings one_row)" \
	'[["rollcall-db-large-row",1,5000],["rollcall-db-page-coverage",1,5000]]'
check "6 a row for each as JSON" "$(of json "$shown")" "[[5000,$all]]"
check "6 XML of a query in a string" "$(of xml "$shown")" "$only"
check "7 a function" "$(of function "$shown")" "[[5000,$all]]"
check "7 a function: by the pages alone" "$(of function 'map(.db.evidence) | add')" '["page_access"]'
check "7 a function: told while it streams" "$(findings function | jq -c 'map(.[0])')" '["rollcall-db-bulk-read"]'
for c in alias cte derived; do
	check "7 $c" "$(of $c "$shown")" "[[5000,$all]]"
done
check "7 union: the same pages twice are the same pages" "$(of union "$shown")" "[[10000,$all]]"
check "6 every row by an index" "$(of by_index "$shown")" "$only"
check "6 every row by a bitmap" "$(of bitmap "$shown")" "$only"
check "6 by parallel workers" "$(of parallel "$shown")" "$only"
check "an index-only scan in a function names the table" "$(of index_only 'map([.db.rows, .db.tables[0], (.db.pages // 0), .db.evidence])')" \
	'[[1,"hr.public.staff",0,["page_access"]]]'
check "a part of the table" "$(of part 'map([.db.pages, .db.confidence])')" "[[$last_block,\"coverage_only\"]]"
check "a part of the table is no finding" "$(findings part)" '[]'
check "one row by its key" "$(of by_key "map([.db.rows, .db.tables[0], .db.confidence, .db.pages])")" '[[1,"hr.public.staff","exact",1]]'
check "a count is a count" "$(of count "$shown")" "[[1,$all]]"
check "a count is no finding" "$(findings count)" '[]'
check "a table with more pages than bits" "$(of large 'map([.db.rows, .db.confidence, .db.page_coverage, (.db.pages - '"$archive_blocks"' | fabs) <= 1])')" '[[50000,"exact",1,true]]'
check "a notice of a table that was read" "$(of notice 'map([.db.tables[0], .db.pages])')" "[[\"hr.public.staff\",$staff_blocks]]"
check "of several small statements, those that name the table" "$(of several 'map([.db.rows, .db.tables[0]])')" '[[10,"hr.public.staff"]]'
check "after one that names another table" "$(of hidden_last 'map([.db.rows, .db.tables[0]])')" '[[50000,"hr.public.archive"]]'
check "upkeep touches pages for nobody" "$(of upkeep 'map(.db.tables) | add')" null
check "what touches none" "$(of nothing length)" 0
# heap_fetch() is called for each row of an update too: rows read by their ids are a blind spot.
check "rows by their ids in a function are not seen" "$(of row_ids length)" 0
check "nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
finish
