#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Which tap has a MariaDB session, and that each counts the same: in clear, encrypted, compressed and
# both, opened before the sensor and after; a thread pool; a server that is a client itself; long
# texts; a server that is killed. Nobody but who is encrypted or compressed pays for a breakpoint.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
pool=
both_cleanup() {
	[ -z "$pool" ] || kill -9 "$pool" 2>/dev/null
	cleanup
}
trap both_cleanup EXIT
servers_start
servers_fill
declare -A flags=([clear]=--skip-ssl [tls]=--ssl [packed]="--skip-ssl --compress" [both]="--ssl --compress")
server=(-h 127.0.0.1 -P "$my_port")
root() { mariadb --no-defaults --skip-ssl -S "$dir/my/sock" -u root "$@"; }
client() { # KIND OPTIONS...: as it is called, and where $server says
	# shellcheck disable=SC2086
	mariadb --no-defaults ${flags[$1]} "${server[@]}" -u app -ppw -N -B mdm "${@:2}"
}
wait_for() { # COMMAND...: until it succeeds
	for _ in $(seq 200); do "$@" >/dev/null 2>&1 && return; sleep 0.05; done
	echo "never: $*"
	exit 1
}
sessions_are() { [ "$(root -N -B -e "select count(*) from information_schema.processlist where user = 'app'")" -ge "$1" ]; }
root -e "create user raw@'%'; grant all on *.* to raw@'%'" || exit 1

# ---- sessions that are open already, one of them in the middle of a result ----
declare -A to pids
for k in clear tls packed both; do
	mkfifo "$dir/$k"
	client "$k" --unbuffered <"$dir/$k" >"$dir/$k.out" &
	pids[$k]=$!
	exec {fd}>"$dir/$k"
	to[$k]=$fd
done
client clear --quick -e "select 'midway', s.name from staff s, seq_1_to_100; select name as midway_next from staff" |
	(wait_for test -e "$dir/go"; cat) >"$dir/midway.out" &
midway=$!
wait_for sessions_are 5
sensor_start --watch mariadb:mdm.far
touch "$dir/go"
for k in clear tls packed both; do
	# It ends by that, not by the pipe: whoever was started since holds that open, too.
	printf '%s\n' "select name as adopted_$k from staff;" '\q' >&"${to[$k]}"
	wait "${pids[$k]}"
done
wait "$midway"

# ---- sessions of each kind ----
for k in clear tls packed both; do
	client "$k" -e "select name as new_$k, mobile from staff; select mobile as key_$k from staff where id = 7" >/dev/null
done
# A text whose table is behind 10 KiB of it, by each kind; no column tells the table.
for k in clear tls packed both; do
	client "$k" -e "select /* $(printf 'x%.0s' $(seq 10240)) */ concat(name, '') as long_$k from staff" >/dev/null
done

# ---- whose a breakpoint is: a session that stays open has statements of every kind ----
programs() { # NAME-PATTERN: how often the sensor's programs of that name ran
	local ids
	ids=$(sed -n 's/^prog_id:[[:space:]]*//p' "/proc/$sensor_pid"/fdinfo/* | sort -un | jq -sc .)
	/usr/sbin/bpftool prog show -j | jq --argjson ids "$ids" "map(select((.id as \$i | \$ids | index(\$i)) and
		.type == \"kprobe\" and ((.name // \"\") | test(\"^mysql_$1\"))) | .run_cnt // 0) | add // 0"
}
stats=/proc/sys/kernel/bpf_stats_enabled
stats_were=$(cat $stats)
echo 1 >$stats
mkfifo "$dir/counted"
client clear --unbuffered <"$dir/counted" >"$dir/counted.out" &
counted=$!
exec {fd}>"$dir/counted"
echo "select 'begin';" >&$fd
wait_for grep -q begin "$dir/counted.out"
hits=$(programs '')
for i in $(seq 50); do echo "select name from staff where id = $i; prepare p from 'select 1'; execute p; use mdm;"; done >&$fd
echo "select name as counted from staff; select 'end';" >&$fd
wait_for grep -q end "$dir/counted.out"
hits_clear=$(($(programs '') - hits))
echo '\q' >&$fd
wait "$counted"
hits_close=$(($(programs '') - hits))
client tls -e 'select 1' >/dev/null
hits_tls=$(($(programs tls) > 0))
echo "$stats_were" >$stats

# ---- a server that is a client ----
federated=
if root -e "install soname 'ha_federatedx'" 2>/dev/null; then
	root mdm -e "create table far(id int primary key, name varchar(60), mobile varchar(40), dept varchar(40))
		engine=federated connection='mysql://app:pw@127.0.0.1:$my_port/mdm/staff'"
	federated=$(client clear -e 'select name as federated from far' | wc -l)
fi

refused=$(python3 tests/e2e/myraw.py "$dir/my/sock" change_refused)

# ---- a thread pool: sessions wander between threads ----
mariadb-install-db --no-defaults --user=mysql --datadir="$dir/my/pool" --auth-root-authentication-method=normal \
	--skip-test-db >/dev/null 2>&1 || exit 1
setsid mariadbd --no-defaults --user=mysql --datadir="$dir/my/pool" --port=$((my_port + 1)) --bind-address=127.0.0.1 \
	--socket="$dir/my/pool.sock" --thread-handling=pool-of-threads --thread-pool-size=2 \
	--ssl-cert="$dir/my/server.crt" --ssl-key="$dir/my/server.key" >"$dir/my/pool.log" 2>&1 &
pool=$!
wait_for mariadb --no-defaults --skip-ssl -S "$dir/my/pool.sock" -u root -e "select 1"
mariadb --no-defaults --skip-ssl -S "$dir/my/pool.sock" -u root -e "create database mdm; use mdm;
	create table staff(id int primary key, name varchar(60));
	insert into staff select seq, concat('Person ', seq) from seq_1_to_1000;
	create user app@'%' identified by 'pw'; grant all on *.* to app@'%'" || exit 1
server=(-h 127.0.0.1 -P $((my_port + 1)))
workers=()
for k in clear clear tls tls packed both; do
	(for i in $(seq 30); do echo "select name as pooled from staff;"; done) | client "$k" >/dev/null &
	workers+=($!)
done
wait "${workers[@]}"

# ---- a server that is killed closes its sessions ----
client clear -e 'select sleep(60)' >/dev/null 2>&1 &
sleeper=$!
wait_for sh -c "mariadb --no-defaults --skip-ssl -S $dir/my/pool.sock -u root -N -B -e \"select 1 from information_schema.processlist where info like 'select sleep%'\" | grep -q 1"
kill -9 "$pool"
wait "$pool" "$sleeper" 2>/dev/null
sensor_stop

# ---- what the sensor saw ----
of() { # NAME FILTER: over the results of the statement that names its column so
	results ".db.system == \"mariadb\" and ((.db.statement // \"\") | test(\"as $1\\\\b\"))" | jq -s -c "$2"
}
clear=$(of new_clear '.[0].db.tap' | tr -d '"')
check "in clear by the socket" "$([[ $clear == syscall || $clear == fexit ]] && echo yes)" yes
declare -A tap=([clear]=$clear [tls]=uprobe [packed]=uprobe [both]=uprobe)
for k in clear tls packed both; do
	check "adopted, $k: client" "$(wc -l <"$dir/$k.out")" 5000
	for when in adopted new; do
		check "$when, $k" "$(of "${when}_$k" 'map([.db.rows, .db.confidence, .db.end, .db.tables, .db.tap])')" \
			"[[5000,\"exact\",\"complete\",[\"mdm.staff\"],\"${tap[$k]}\"]]"
		check "$when, $k: who" "$(of "${when}_$k" 'map([.db.user, .db.name])')" '[["app","mdm"]]'
	done
	check "by key, $k" "$(of "key_$k" 'map([.db.rows, .db.confidence])')" '[[1,"exact"]]'
	check "the client's own name, $k" "$(of "new_$k" 'map(.db.client.program)')" '["mysql"]'
	check "a long text, $k" "$(of "long_$k" 'map([.db.rows, .db.tables, .db.evidence])')" '[[5000,["mdm.staff"],["statement"]]]'
done
check "joined midway: client" "$(wc -l <"$dir/midway.out")" 505000
check "joined midway: bytes" "$(jq -s -c '[.[] | select(.event == "db_summary" and .db.system == "mariadb" and .db.confidence == "bytes_only") | .db.bytes > 1000000] | any' "$dir/events")" true
check "joined midway: the next one" "$(of midway_next 'map([.db.rows, .db.confidence, .db.end])')" '[[5000,"exact","complete"]]'
check "a session in clear: counted" "$(of counted 'map([.db.rows, .db.confidence])')" '[[5000,"exact"]]'
check "a session in clear meets no breakpoint" "$hits_clear" 0
check "but one at its end" "$hits_close" 1
check "an encrypted one does" "$hits_tls" 1
if [ -n "$federated" ]; then
	check "a server that is a client: client" "$federated" 5000
	check "a server that is a client" "$(of federated 'map([.db.rows, .db.confidence])')" '[[5000,"exact"]]'
	check "and what it asked for" "$(results '(.db.statement // "") | test("^SELECT `id`, `name`")' | jq -s -c 'map([.db.rows, .db.confidence, .db.user])')" '[[5000,"exact","app"]]'
fi
check "another user, who is refused" "$refused" True
check "is not whose session it was" "$(jq -r 'select(.event == "db_session" and .db.system == "mariadb") | .db.user' "$dir/events" | sort -u | tr '\n' ' ')" "app raw root "
check "a thread pool" "$(of pooled 'map(.db.rows) | [length, add]')" '[180,180000]'
check "a thread pool is exact" "$(of pooled 'map([.db.confidence, .db.end]) | unique')" '[["exact","complete"]]'
check "a thread pool: taps" "$(of pooled 'map(.db.tap) | unique')" "$(jq -nc --arg c "$clear" '["uprobe", $c] | sort')"
check "a server that is killed" "$(jq -s -c --argjson p "$pool" '[.[] | select(.event == "db_session" and .db.server_pid == $p)] | [map(select(.closed != true)), map(select(.closed))] | map(map(.db.session) | sort) | .[0] == .[1]' "$dir/events")" true
check "every server could be looked into" "$(grep -c 'not seen' "$dir/sensor.log")" 0
check "nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
finish
