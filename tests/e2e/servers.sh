# SPDX-License-Identifier: Apache-2.0
# Sourced by the end-to-end tests: a private PostgreSQL and a private MariaDB with a staff
# directory of invented people. Nothing of the host's own servers is touched; everything is in one
# scratch directory and gone at the end.
dir=$(mktemp -d /tmp/rollcall.XXXXXX)
pg_bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
# Below the ports that the kernel gives to clients.
port=$((10000 + $$ % 10000))
my_port=$((port + 10001))
people=${PEOPLE:-5000}
# Of a sensor with an aggregator: where its probes stay when it is killed.
pins=/sys/fs/bpf/rollcall/test-$$
passed=0
failed=0
sensor=$(realpath "${ROLLCALL_SENSOR:-build/rollcall-sensor}")

as_postgres() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
pg() { psql -X -q -A -t "host=$dir/run port=$port user=app dbname=hr" "$@"; }
pg_tcp() { psql -X -q -A -t "host=127.0.0.1 port=$port user=app dbname=hr sslmode=$1" "${@:2}"; }
my() { mariadb --no-defaults -S "$dir/my/sock" -u app -ppw -N -B mdm "$@"; }
my_tcp() { mariadb --no-defaults -h 127.0.0.1 -P "$my_port" -u app -ppw -N -B mdm "$@"; }

cleanup() {
	trap '' INT TERM # interrupted again, it still ends
	sensor_stop
	[ -f "$dir/pg/postmaster.pid" ] && kill -INT "$(head -1 "$dir/pg/postmaster.pid")"
	[ -n "${maria:-}" ] && kill "$maria" && wait "$maria"
	for _ in $(seq 100); do [ -f "$dir/pg/postmaster.pid" ] || break; sleep 0.1; done
	rm -rf "$dir" "$pins"
}
trap cleanup EXIT
trap 'trap "" INT TERM; exit 1' INT TERM

servers_start() {
	chmod 755 "$dir"
	mkdir "$dir/run" "$dir/pg" "$dir/my"
	chown postgres: "$dir/run" "$dir/pg"
	chown mysql: "$dir/my"
	as_postgres "$pg_bin/initdb" -D "$dir/pg" -A trust -N >/dev/null || exit 1
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
		-keyout "$dir/pg/server.key" -out "$dir/pg/server.crt" 2>/dev/null || exit 1
	cp "$dir/pg"/server.* "$dir/my"
	chown postgres: "$dir/pg"/server.*
	chown mysql: "$dir/my"/server.*
	chmod 600 "$dir/pg/server.key" "$dir/my/server.key"
	as_postgres "$pg_bin/pg_ctl" -s -w -D "$dir/pg" -l "$dir/run/log" \
		-o "-k $dir/run -p $port -c listen_addresses=127.0.0.1 -c fsync=off -c ssl=on -c wal_level=logical ${pg_options:-}" \
		start || exit 1
	mariadb-install-db --no-defaults --user=mysql --datadir="$dir/my/data" \
		--auth-root-authentication-method=normal --skip-test-db >/dev/null 2>&1 || exit 1
	setsid mariadbd --no-defaults --user=mysql --datadir="$dir/my/data" --port="$my_port" \
		--bind-address=127.0.0.1 --socket="$dir/my/sock" --secure-file-priv= --max-allowed-packet=64M \
		--ssl-cert="$dir/my/server.crt" --ssl-key="$dir/my/server.key" --log-bin="$dir/my/data/bin" --server-id=1 \
		>"$dir/my/log" 2>&1 &
	maria=$!
	for _ in $(seq 200); do
		mariadb --no-defaults -S "$dir/my/sock" -u root -e 'select 1' >/dev/null 2>&1 && return
		sleep 0.1
	done
	cat "$dir/my/log"
	exit 1
}

servers_fill() {
	local columns="id int primary key, name varchar(60), mobile varchar(40), dept varchar(40)"
	psql -X -q "host=$dir/run port=$port user=postgres dbname=postgres" \
		-c "create role app login superuser" -c "create database hr owner app"
	pg -c "create table staff($columns);
	insert into staff select i, 'Person '||i, '+32 470 '||lpad(i::text, 6, '0'), 'Unit '||i % 40
	  from generate_series(1, $people) i;
	create table device(id int primary key, serial text);
	insert into device select i, 'S'||i from generate_series(1, 5000) i;
	create view v_staff as select name, mobile from staff;
	create function f_staff() returns setof staff language sql as 'select * from staff';
	analyze" || exit 1
	mariadb --no-defaults -S "$dir/my/sock" -u root -e "create database mdm; use mdm;
	create table staff($columns);
	insert into staff select seq, concat('Person ', seq), concat('+32 470 ', lpad(seq, 6, '0')),
	  concat('Unit ', seq % 40) from seq_1_to_$people;
	create table device(id int primary key, serial varchar(40));
	insert into device select seq, concat('S', seq) from seq_1_to_5000;
	create view v_staff as select name, mobile from staff;
	create procedure p_staff() select * from staff;
	create user app@'%' identified by 'pw'; grant all on *.* to app@'%'" || exit 1
}

# Starts the sensor; events go to $dir/events.
sensor_start() {
	"$sensor" --stdout --watch postgresql:hr.public.staff --watch mariadb:mdm.staff "$@" \
		>"$dir/events" 2>"$dir/sensor.log" &
	sensor_pid=$!
	for _ in $(seq 1200); do
		grep -q '"event":"ready"' "$dir/events" 2>/dev/null && return
		kill -0 "$sensor_pid" 2>/dev/null || break
		sleep 0.05
	done
	cat "$dir/sensor.log"
	exit 1
}

# Stops it; everything that was seen is in $dir/events then.
sensor_stop() {
	[ -n "${sensor_pid:-}" ] || return 0
	# A client has its answer before the server's own call returns, where it is counted: let it.
	sleep 0.5
	kill "$sensor_pid" && wait "$sensor_pid"
	sensor_pid=
}

check() { # NAME GOT WANTED
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'FAILED %s: got "%s", wanted "%s"\n' "$1" "$2" "$3"
	fi
}

# Runs the commands of a case with an application name of its own, then asks about its results.
results() { # FILTER: compact JSON of every db_result that it selects
	jq -c "select(.event == \"db_result\") | select($1)" "$dir/events"
}

rule_hits() { # NUMBER: of the first rule, once they are as many; $rollcall asks the sensor
	local n
	for _ in $(seq 100); do
		n=$("$rollcall" policy list --control "$dir/control" --json | jq '.rules[0].hits')
		[ "$n" -ge "$1" ] && break
		sleep 0.05
	done
	echo "$n"
}

finish() {
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ]
	exit
}
