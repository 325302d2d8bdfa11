#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `rollcall setup database` against a private PostgreSQL and a private MariaDB: what it writes must
# agree with what the servers and the file system say, and the sensor must then report who reads
# the tables' files. Runs as root; leaves nothing behind.
set -u
rollcall=$(realpath "${ROLLCALL:-build/rollcall}")
dir=$(mktemp -d /tmp/setup_database.XXXXXX)
sensor=$(realpath "${ROLLCALL_SENSOR:-build/rollcall-sensor}")
out=$dir/database.json
passed=0
failed=0
pg_bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
port=$((10000 + $$ % 10000))
# Names of our own: other servers of the host are looked at, too.
hr=hr$$
mdm=mdm$$

cleanup() {
	[ -n "${watcher:-}" ] && kill "$watcher" && wait "$watcher"
	[ -f "$dir/pg/postmaster.pid" ] && kill -INT "$(head -1 "$dir/pg/postmaster.pid")"
	[ -n "${maria:-}" ] && kill "$maria" && wait "$maria"
	for _ in $(seq 50); do [ -f "$dir/pg/postmaster.pid" ] || break; sleep 0.1; done
	rm -rf "$dir"
}
trap cleanup EXIT

check() { # NAME GOT WANTED
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'FAILED %s: got "%s", wanted "%s"\n' "$1" "$2" "$3"
	fi
}

as_postgres() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
sql() { as_postgres psql -X -q -A -t -h "$dir/run" -p "$port" -d "$hr" -c "$1"; }
msql() { mariadb --no-defaults --socket="$dir/mrun/m.sock" -N -B -e "$1"; }
setup() { "$rollcall" setup database --output "$out" "$@" 2>"$dir/err" >"$dir/stdout"; }
j() { jq -r "$1" "$out"; }

start_servers() {
	chmod 755 "$dir"
	mkdir "$dir/run" "$dir/pg" "$dir/maria"
	chown postgres: "$dir/run" "$dir/pg"
	chown mysql: "$dir/maria"
	as_postgres "$pg_bin/initdb" -D "$dir/pg" -A peer -N >/dev/null || exit 1
	as_postgres "$pg_bin/pg_ctl" -s -w -D "$dir/pg" -l "$dir/run/log" \
		-o "-k $dir/run -p $port -c listen_addresses= -c fsync=off" start || exit 1
	mariadb-install-db --no-defaults --user=mysql --datadir="$dir/maria" \
		--auth-root-authentication-method=socket --skip-test-db >/dev/null 2>&1 || exit 1
	mkdir "$dir/mrun" && chown mysql: "$dir/mrun"
	mariadbd --no-defaults --user=mysql --datadir="$dir/maria" --skip-networking \
		--socket="$dir/mrun/m.sock" --pid-file="$dir/mrun/pid" 2>"$dir/maria.log" &
	maria=$!
	for _ in $(seq 100); do msql 'select 1' >/dev/null 2>&1 && return; sleep 0.1; done
	cat "$dir/maria.log"
	exit 1
}

make_schema() {
	as_postgres createdb -h "$dir/run" -p "$port" "$hr"
	sql "create table staff(id int primary key, name text, mobile text, dept text);
	insert into staff select i, 'n'||i, '+4700'||i, repeat('x', 20) from generate_series(1,5000) i;
	create view v1 as select name, mobile from staff;
	create view v2 as select mobile from v1;
	create materialized view mv as select * from v2;
	create table people(id int, name text) partition by range (id);
	create table people_1 partition of people for values from (0) to (100);
	create table people_2 partition of people for values from (100) to (1000);
	insert into people select i, 'p'||i from generate_series(0, 199) i;
	create view vp as select * from people_1;
	create schema \"odd one\"; create table \"odd one\".\"a.b'c\"(x int);
	create table other(id int); create view vo as select * from other;
	analyze staff;"
	msql "create database $mdm; use $mdm;
	create table staff(id int primary key, name varchar(40), mobile varchar(40));
	insert into staff select seq, concat('n',seq), seq from seq_1_to_3000;
	create view v1 as select name, mobile from staff;
	create view v2 as select mobile from v1 where mobile > 7;
	create table other(id int); create view vo as select * from other;
	create table parts(id int) partition by hash(id) partitions 3;
	create table \`od-d\`(id int); create table my(id int) engine=myisam;
	analyze table staff;" >/dev/null
}

test_postgresql() {
	local t='.tables[0]'
	setup --watch postgresql:$hr.staff
	check "pg: exit" $? 0
	check "pg: database oid" "$(j "$t.database_oid")" \
		"$(sql "select oid from pg_database where datname='$hr'")"
	check "pg: relations" "$(j "[$t.relations[]|\"\(.oid) \(.kind) \(.name)\"]|sort|join(\",\")")" \
		"$(sql "select string_agg(oid||' '||case relname when 'staff' then 'table' when 'mv' then
		'matview' else 'view' end||' '||relname, ',' order by oid) from pg_class
		where relname in ('staff','v1','v2','mv')")"
	check "pg: rows" "$(j "$t.rows")" 5000
	check "pg: columns" "$(j "[$t.columns[]|\"\(.number)\(.name)\"]|sort|join(\",\")")" \
		"1id,2name,3mobile,4dept"
	check "pg: heap path" "$(j "[$t.files[]|select(.kind==\"heap\").path]|sort|join(\",\")")" \
		"$(sql "select string_agg('$dir/pg/'||pg_relation_filepath(oid), ',' order by
		pg_relation_filepath(oid)) from pg_class where relname in ('staff','mv')")"
	check "pg: index and toast are there" \
		"$(j "[$t.files[].kind]|unique|join(\",\")")" "heap,index,toast"
	local path
	path=$(j "[$t.files[]|select(.kind==\"heap\")][0].path")
	check "pg: inode" "$(j "[$t.files[]|select(.kind==\"heap\")][0].ino")" "$(stat -c %i "$path")"
	check "pg: device" "$(j "[$t.files[]|select(.kind==\"heap\")][0].dev")" \
		"$((0x$(stat -c %D "$path") >> 8 << 20 | 0x$(stat -c %D "$path") & 255))"
	check "pg: exe inode" "$(j '.servers[0].exe_ino')" "$(stat -c %i "$pg_bin/postgres")"
	check "pg: mode" "$(stat -c %a "$out")" 640
	setup --watch postgresql:$hr.public.people
	check "pg: partitions" "$(j "[$t.relations[]|\"\(.kind) \(.name)\"]|sort|join(\",\")")" \
		"partition people_1,partition people_2,table people,view vp"
	check "pg: rows never analysed are counted" "$(j "$t.rows")" 200
	setup --watch postgresql:$hr.people_1
	check "pg: parent of a partition" \
		"$(j "[$t.relations[]|\"\(.kind) \(.name)\"]|sort|join(\",\")")" \
		"parent people,table people_1,view vp"
	setup --watch "postgresql:$hr.\"odd one\".\"a.b'c\""
	check "pg: odd name" "$(j "$t.relations[0].name")" "a.b'c"
	local before
	setup --watch postgresql:$hr.staff
	before=$(j "[$t.files[]|select(.kind==\"heap\").path]|sort|join(\",\")")
	sql "vacuum full staff"
	setup --watch postgresql:$hr.staff
	check "pg: same oid after VACUUM FULL, other files" \
		"$([ "$(j "[$t.files[]|select(.kind==\"heap\").path]|sort|join(\",\")")" != "$before" ] && echo other)" other
}

test_mariadb() {
	local t='.tables[0]'
	setup --watch mariadb:$mdm.staff
	check "mariadb: exit" $? 0
	check "mariadb: relations" "$(j "[$t.relations[]|\"\(.kind) \(.schema).\(.name)\"]|join(\",\")")" \
		"table $mdm.staff,view $mdm.v1,view $mdm.v2"
	check "mariadb: rows near 3000" "$(j "$t.rows|. > 2500 and . < 3500")" true
	check "mariadb: columns" "$(j "[$t.columns[].name]|join(\",\")")" "id,name,mobile"
	check "mariadb: file" "$(j "$t.files[0].path")" "$dir/maria/$mdm/staff.ibd"
	check "mariadb: inode" "$(j "$t.files[0].ino")" "$(stat -c %i "$dir/maria/$mdm/staff.ibd")"
	check "mariadb: one file" "$(j "$t.files|length")" 1
	setup --watch mysql:$mdm.parts
	check "mariadb: partition files" "$(j "[$t.files[].path]|sort|map(sub(\".*/\";\"\"))|join(\",\")")" \
		"parts#P#p0.ibd,parts#P#p1.ibd,parts#P#p2.ibd"
	setup --watch mariadb:$mdm.od-d
	check "mariadb: encoded file name" "$(j "$t.files[0].path")" "$dir/maria/$mdm/od@002dd.ibd"
	setup --watch mariadb:$mdm.my
	check "mariadb: MyISAM" "$(j "[$t.files[]|.kind]|sort|join(\",\")")" "heap,index"
}

test_together_and_errors() {
	setup --watch postgresql:$hr.staff --watch mariadb:$mdm.staff --json
	check "both in one file" "$(j '[.tables[].watch]|join(",")')" "postgresql:$hr.staff,mariadb:$mdm.staff"
	check "--json prints the file" "$(jq -c . "$dir/stdout")" "$(jq -c . "$out")"
	local sum
	sum=$(md5sum <"$out")
	setup --socket "$dir/run" --watch postgresql:$hr.staf
	check "near table: exit" $? 1
	check "near table" "$(grep -c "did you mean 'staff'" "$dir/err")" 1
	setup --socket "$dir/run" --watch postgresql:${hr}x.staff
	check "near database" "$(grep -c "did you mean '$hr'" "$dir/err")" 1
	setup --socket "$dir/mrun/m.sock" --watch mariadb:$mdm.stuff
	check "mariadb: near table" "$(grep -c "did you mean 'staff'" "$dir/err")" 1
	setup --socket "$dir/mrun/m.sock" --watch mariadb:${mdm}n.staff
	check "mariadb: near database" "$(grep -c "did you mean '$mdm'" "$dir/err")" 1
	setup --watch postgresql:$hr.staff --watch mariadb:$mdm.none
	check "one of two missing: nothing is written" "$(md5sum <"$out")" "$sum"
	setup --watch postgresql:$hr.staff --socket /nonexistent
	check "no server" "$(grep -c "no running PostgreSQL server" "$dir/err")" 1
	setup --watch postgresql:$hr.staff --socket "$dir/run" --port "$port"
	check "by socket and port" $? 0
	setup --watch oracle:hr.staff
	check "bad name" "$(grep -c "must be postgresql, mariadb or mysql" "$dir/err")" 1
	setup --watch postgresql:$hr.staff --user nobody --socket "$dir/run"
	check "refused: says the server's reason" "$(grep -ci "authentication failed" "$dir/err" | sed 's/[1-9]/1/')" 1
	setpriv --reuid=nobody --regid=nogroup --clear-groups "$rollcall" setup database \
		--watch postgresql:$hr.staff --output /tmp/x 2>"$dir/err"
	check "not root" "$(grep -c "must be run as root" "$dir/err")" 1
}

reads() { # FILE: who opened it, as the sensor saw it
	jq -r --arg p "$1" 'select(.event=="file_read" and .path==$p)|"\(.process.exe) \(.tables)"' \
		"$dir/events" | sort -u | paste -sd,
}

test_physical() {
	local heap ibd cat
	cat=$(realpath "$(command -v cat)")
	setup --watch postgresql:$hr.staff --watch mariadb:$mdm.staff
	heap=$(j '[.tables[0].files[]|select(.kind=="heap")][0].path')
	ibd=$dir/maria/$mdm/staff.ibd
	"$sensor" --stdout --resolved "$out" --watch postgresql:$hr.staff \
		--watch mariadb:$mdm.staff --watch mariadb:$mdm.my >"$dir/events" 2>"$dir/sensor.log" &
	watcher=$!
	for _ in $(seq 100); do grep -q '"event":"ready"' "$dir/events" && break; sleep 0.1; done
	cat "$heap" "$ibd" "$dir/maria/$mdm/my.MYD" "$dir/maria/$mdm/other.ibd" >/dev/null
	ln "$heap" "$dir/innocent" && cp "$dir/innocent" "$dir/copy"
	sql "select count(*) from staff" >/dev/null
	sql "vacuum staff"
	msql "select count(*) from $mdm.staff; flush tables; select max(name) from $mdm.staff;
		alter table $mdm.staff add column x int, algorithm=copy" >/dev/null
	sleep 2
	cat "$ibd" "$dir/maria/$mdm/my.MYD" >/dev/null
	sleep 1
	check "physical: as long as its files are there" "$(grep -c '"event":"coverage"' "$dir/events")" 0
	# The old file stays, empty, until a checkpoint; the sensor looks again when it sees DDL.
	sql "vacuum full staff"
	sql checkpoint
	sql "create table later(id int)"
	for _ in $(seq 50); do grep -q '"event":"coverage"' "$dir/events" && break; sleep 0.1; done
	kill "$watcher" && wait "$watcher"
	watcher=
	check "physical: told when the files are others, and no more" \
		"$(jq -r 'select(.event == "coverage") | "\(.state) \(.probes[-1].reason)"' "$dir/events")" \
		"degraded $hr.staff: a file of it that setup found is gone"
	check "physical: heap" "$(reads "$heap")" "$cat $hr.staff"
	check "physical: tablespace" "$(reads "$ibd")" "$cat $mdm.staff"
	check "physical: a file that setup did not resolve" "$(reads "$dir/maria/$mdm/my.MYD")" \
		"$cat $mdm.my"
	check "physical: hard link" "$(reads "$dir/innocent")" "$(realpath "$(command -v cp)") $hr.staff"
	check "physical: another table" "$(reads "$dir/maria/$mdm/other.ibd")" ""
	check "physical: the servers are left alone" "$(jq -r 'select(.event=="file_read")|.process.exe' \
		"$dir/events" | grep -c -e postgres -e mariadbd)" 0
	check "physical: again after ALTER TABLE" "$(jq -r --arg p "$ibd" \
		'select(.event=="file_read" and .path==$p).inode.ino' "$dir/events" | sort -u | wc -l)" 2
	check "physical: finding" "$(jq -r 'select(.event=="finding").tables[]?' "$dir/events" |
		grep -c "$hr.staff" | sed 's/[1-9][0-9]*/some/')" some
}

start_servers
make_schema
test_postgresql
test_mariadb
test_together_and_errors
test_physical
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
