#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Evasions of the detection of bulk reads (docs/evasions.md), each done for real under the shipped
# policy with its defaults: those on the database itself (E1 to E4, E6 to E11, E13, E14) and on its
# memory (E12), and commands for many devices. evasions_app.sh has the application's own (E5), evasions_slow.sh the slow ones (E15)
# and those on the sensor (E16).
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
. tests/e2e/found.sh
servers_start
servers_fill
sock=$dir/run/.s.PGSQL.$port
mysock=$dir/my/sock
mariadb --no-defaults -S "$mysock" -u root -e "create user raw@'%'; grant all on *.* to raw@'%'"
resolve
printf 'policy: {rules: %s}\n' "$(pwd)/policy/rules" >"$dir/sensor.yaml"
sensor_start --config "$dir/sensor.yaml" --resolved "$dir/resolved"
named() { PGAPPNAME=$1 pg "${@:2}"; } # NAME ARGS: psql under an application name
copy() { cp "$(type -P "$1")" "$dir/$2"; } # TOOL NAME: the same program under another name
as_app() { "$dir/$1" --no-defaults -S "$mysock" -u app -ppw "${@:2}"; } # NAME ARGS: a MariaDB tool

# ---- E1, E2: other programs ----
copy mariadb-dump e1
as_app e1 mdm staff >/dev/null
named e2 -c 'select * from staff' >/dev/null
copy mariadb e2my
as_app e2my mdm -e 'select * from staff' >/dev/null
e2raw=$(python3 tests/e2e/pgraw.py "$sock" encryption_refused e2raw)
e2myraw=$(python3 tests/e2e/myraw.py "$mysock" last_statement)

# ---- E3: pages; E4: many short connections, then each by a program of another name ----
for i in $(seq 0 199 $((people - 1))); do echo "select * from staff order by id limit 199 offset $i;"; done | named e3 >/dev/null
for i in $(seq 0 99 $((people / 3))); do named e4 -c "select * from staff order by id limit 99 offset $i" >/dev/null; done
for i in $(seq 0 199 $((people - 1))); do
	cp "$pg_bin/psql" "$dir/e4_$i"
	setpriv --reuid=games --regid=games --clear-groups "$dir/e4_$i" -X -q -A -t "host=$dir/run port=$port user=app dbname=hr" \
		-c "select * from staff order by id limit 199 offset $i" >/dev/null
done

# ---- E6: the server writes it, with no row on a connection ----
named e6copy -c "copy staff to '$dir/run/e6.csv'"
named e6program -c "copy staff to program 'cat >$dir/run/e6program'"
named e6lo -c "select lo_from_bytea(77, (select string_agg(name || mobile, ',') from staff)::bytea)" \
	-c "select lo_export(77, '$dir/run/e6lo')" >/dev/null
copy mariadb e6my
as_app e6my mdm -e "select * from staff into outfile '$dir/my/e6out'"
copy mariadb e6dump
as_app e6dump mdm -e "set session group_concat_max_len = 10000000; select group_concat(name, mobile) from staff into dumpfile '$dir/my/e6dump'"

# ---- E7: the files ----
pg -c checkpoint
heap=$dir/pg/$(pg -c "select pg_relation_filepath('staff')")
cp "$heap" "$dir/e7_cp"
tar -C "$dir/my/data/mdm" -cf "$dir/e7_tar" staff.ibd
dd if="$dir/my/data/mdm/staff.ibd" of="$dir/e7_dd" bs=1M 2>/dev/null
as_postgres "$pg_bin/pg_basebackup" -h "$dir/run" -p "$port" -U app -D "$dir/run/e7_base" -X none -c fast >/dev/null 2>&1
mariabackup --no-defaults --backup --target-dir="$dir/e7_backup" --datadir="$dir/my/data" --socket="$mysock" --user=root >/dev/null 2>&1

# ---- E8: replication ----
pg -c "select pg_create_logical_replication_slot('e8', 'test_decoding')" >/dev/null
pg -c 'update staff set dept = dept' >/dev/null
PGAPPNAME=e8logical timeout 2 "$pg_bin/pg_recvlogical" -h "$dir/run" -p "$port" -U app -d hr --slot e8 --start -f /dev/null >/dev/null 2>&1
mkdir "$dir/run/wal" && chown postgres: "$dir/run/wal"
as_postgres timeout 2 "$pg_bin/pg_receivewal" -h "$dir/run" -p "$port" -U app -D "$dir/run/wal" --no-loop >/dev/null 2>&1
copy mariadb-binlog e8my
"$dir/e8my" --no-defaults -S "$mysock" -u root --read-from-remote-server \
	"$(mariadb --no-defaults -S "$mysock" -u root -N -B -e 'show master status' | cut -f1)" >/dev/null

# ---- E9: encrypted and compressed, over the loopback ----
PGAPPNAME=e9 pg_tcp require -c 'select * from staff' >/dev/null
copy mariadb e9my
"$dir/e9my" --no-defaults -h 127.0.0.1 -P "$my_port" -u app -ppw --ssl --compress mdm -e 'select * from staff' >/dev/null

# ---- E10: what hides the table's name ----
named e10view -c 'select * from v_staff' >/dev/null
named e10function -c 'select * from f_staff()' >/dev/null
named e10prepared -c 'prepare p as select * from staff' -c 'execute p' >/dev/null
{ echo 'begin; declare c cursor for select * from staff;'; for _ in $(seq 50); do echo 'fetch 100 from c;'; done; } | named e10cursor >/dev/null
named e10dynamic -c "do \$\$ begin execute 'create temp view hidden as select * from st' || 'aff'; end \$\$" -c 'select * from hidden' >/dev/null
for c in view procedure prepared handler hidden; do copy mariadb "e10$c"; done
as_app e10view mdm -e 'select * from v_staff' >/dev/null
as_app e10procedure mdm -e 'call p_staff()' >/dev/null
as_app e10prepared mdm -e "prepare s from concat('select * from st', 'aff'); execute s" >/dev/null
as_app e10handler mdm -e 'handler staff open as h; handler h read first limit 5000' >/dev/null
as_app e10hidden mdm -e "prepare s from concat('select concat(name, mobile) from st', 'aff'); execute s" >/dev/null

# ---- E11: a copy that nobody watches ----
named e11 -c 'create table pub as select * from staff' -c 'select * from pub' >/dev/null
copy mariadb e11my
as_app e11my mdm -e 'create table pub as select * from staff; select * from pub' >/dev/null

# ---- E12: the server's memory ----
python=$(python3 -c 'import os, sys; print(os.path.realpath(sys.executable))')
peek() { # WAY: each by a program of another name, which is another finding
	cp "$python" "$dir/e12$1"
	PYTHONHOME=$(python3 -c 'import sys; print(sys.base_prefix)') "$dir/e12$1" - "$maria" "$1" <<-'END'
		import ctypes, sys
		pid, way = int(sys.argv[1]), sys.argv[2]
		heap = next(l.split()[0].split("-") for l in open(f"/proc/{pid}/maps") if " rw-p " in l)
		begin = int(heap[0], 16)
		if way == "mem":
		    with open(f"/proc/{pid}/mem", "rb", 0) as f:
		        f.seek(begin)
		        data = f.read(4096)
		elif way == "vm":
		    class Vector(ctypes.Structure):
		        _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
		    buffer = ctypes.create_string_buffer(4096)
		    mine = Vector(ctypes.cast(buffer, ctypes.c_void_p), 4096)
		    data = buffer.raw[:ctypes.CDLL(None).process_vm_readv(pid, ctypes.byref(mine), 1, ctypes.byref(Vector(begin, 4096)), 1, 0)]
		else:
		    libc = ctypes.CDLL(None)
		    libc.ptrace.argtypes = [ctypes.c_long] * 4
		    data = b"x" * 4096 if libc.ptrace(0x4206, pid, 0, 0) == 0 else b""  # PTRACE_SEIZE
		print(len(data))
	END
}
e12mem=$(peek mem)
e12vm=$(peek vm)
e12ptrace=$(peek ptrace)

# ---- E13: io_uring; E14: all people in one row ----
cp build/tests/e2e/uring_client "$dir/e13"
e13=$("$dir/e13" "$sock" app hr e13 'select * from staff')
named e14string -c "select string_agg(name || mobile, ',') from staff" >/dev/null
named e14json -c "select json_agg(s) from staff s" >/dev/null
named e14xml -c "select table_to_xml('staff', true, false, '')" >/dev/null
copy mariadb e14my
as_app e14my mdm -e "set session group_concat_max_len = 10000000; select group_concat(name, mobile) from staff" >/dev/null

# ---- not a read: commands for many devices ----
named wipe -c 'create table nano_commands(id int, command text)' \
	-c "insert into nano_commands select id, 'EraseDevice' from device limit 150" >/dev/null
seq 150 | sed 's/$/\tDeviceLock/' | named wipecopy -c 'copy nano_commands from stdin'
{ for i in $(seq 120); do echo "insert into nano_commands values ($i, 'EraseDevice');"; done; } | named wipesingly >/dev/null
copy mariadb wipe
as_app wipe mdm -e "create table commands(id int, command text); insert into commands select id, 'EraseDevice' from device limit 150"
my -e "insert into commands values (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e'), (6, 'f')"
sensor_stop

# ---- what was found ----
by_name() { echo ".db.client.program == \"$1\""; }
by_exe() { echo "(.db.client.exe // \"\" | endswith(\"/$1\"))"; }
by_args() { echo "(.process.args // [] | join(\" \") | contains(\"$1\"))"; }
bulk=rollcall-db-bulk-read
finds "E1 a dump program under another name" "$(by_exe e1)" $bulk
finds "E2 psql" "$(by_name e2)" $bulk
finds "E2 mariadb" "$(by_exe e2my)" $bulk
check "E2 a script on the socket: rows" "$e2raw" "$people"
finds "E2 a script on the socket" "$(by_name e2raw)" $bulk
check "E2 a script on the other socket: rows" "$e2myraw" "$people"
finds "E2 a script on the other socket" '(.db.statement // "" | test("as last_statement"))' $bulk
finds "E3 pages" "$(by_name e3)" rollcall-db-bulk-read-10m rollcall-db-bulk-read-1h
finds "E4 short connections" "$(by_name e4)" rollcall-db-bulk-read-10m
finds "E4 and programs" '.principal == "ClientUser=games"' 'Many rows read by one operating system user, through whatever programs'
finds "E6 COPY TO a file" "$(by_name e6copy)" rollcall-db-server-side-copy
finds "E6 COPY TO PROGRAM" "$(by_name e6program)" rollcall-db-server-side-copy "Statement that moves data through the database server's files or programs"
finds "E6 the program" "$(by_args e6program)" 'Program started by a database server'
finds "E6 lo_export" "$(by_name e6lo)" "Statement that moves data through the database server's files or programs"
finds "E6 INTO OUTFILE" "$(by_exe e6my)" rollcall-db-server-side-copy "Statement that moves data through the database server's files or programs"
finds "E6 INTO DUMPFILE" "$(by_exe e6dump)" rollcall-db-server-side-copy "Statement that moves data through the database server's files or programs"
finds "E7 cp" "$(by_args e7_cp)" rollcall-db-physical-read
finds "E7 tar" "$(by_args e7_tar)" rollcall-db-physical-read
finds "E7 dd" "$(by_args e7_dd)" rollcall-db-physical-read
finds "E7 pg_basebackup" '.db.client.program == "pg_basebackup"' rollcall-db-replication
finds "E7 mariabackup" "$(by_args e7_backup)" rollcall-db-physical-read
finds "E8 a logical slot" '.db.client.program == "e8logical"' rollcall-db-replication
finds "E8 WAL" '.db.client.program == "pg_receivewal"' rollcall-db-replication
finds "E8 binlog" "$(by_exe e8my)" rollcall-db-replication
finds "E9 TLS" "$(by_name e9)" $bulk
finds "E9 TLS and compression" "$(by_exe e9my)" $bulk
finds "E10 a view" "$(by_name e10view)" $bulk
finds "E10 a function" "$(by_name e10function)" $bulk
finds "E10 a prepared statement" "$(by_name e10prepared)" $bulk
finds "E10 a cursor" "$(by_name e10cursor)" rollcall-db-bulk-read-10m
finds "E10 dynamic SQL" "$(by_name e10dynamic)" $bulk
for c in view procedure prepared handler; do finds "E10 MariaDB: $c" "$(by_exe e10$c)" $bulk; done
finds "E10 MariaDB: dynamic SQL of expressions" "$(by_exe e10hidden)" 'Many rows by a statement that names no table'
finds "E11 CREATE TABLE AS" "$(by_name e11)" rollcall-db-server-side-copy
finds "E11 CREATE TABLE AS, MariaDB" "$(by_exe e11my)" rollcall-db-server-side-copy
for way in mem vm ptrace; do
	mark=e12$way
	check "E12 $way: bytes" "${!mark}" 4096
	finds "E12 $way" "(.process.exe | endswith(\"/$mark\"))" 'Memory of the sensor or of a database server opened by another process'
done
check "E13 io_uring: rows" "$e13" "$people"
finds "E13 io_uring" "$(by_name e13)" $bulk
finds "E13 its ring" "$(by_args "$dir/e13")" 'io_uring set up below a web or application server, or from a temporary directory'
finds "E14 string_agg" "$(by_name e14string)" rollcall-db-large-row rollcall-db-page-coverage
finds "E14 json_agg" "$(by_name e14json)" rollcall-db-large-row
finds "E14 table_to_xml" "$(by_name e14xml)" 'Statement that turns a whole table, query or schema into one text'
finds "E14 group_concat" "$(by_exe e14my)" rollcall-db-large-row
many='Commands for many devices within ten minutes'
finds "commands by INSERT" "$(by_name wipe)" "$many"
finds "commands by COPY" "$(by_name wipecopy)" "$many" 'Commands for devices written by something other than the application'
finds "commands one by one" "$(by_name wipesingly)" "$many"
finds "commands, MariaDB" "$(by_exe wipe)" "$many"
finds "commands by hand, MariaDB" '.db.system == "mariadb"' 'Commands for devices written by something other than the application'
check "commands: rows written" "$(jq -c 'select(.event == "finding" and .rule.title == "'"$many"'") | [.db.client.program, .db.rows_written]' "$dir/events")" \
	"$(printf '["wipe",150]\n["wipecopy",150]\n["wipesingly",1]\n["mysql",150]')"
check "nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
finish
