#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Where PostgreSQL's bytes are taken from: sessions in clear at their socket, without a breakpoint
# (the kernel's own count of program runs is asked), those under TLS with one a flush; never at two
# places, never from another socket of the backend; exact when writes are refused and repeated, and
# in sessions that were encrypted before the sensor came.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
stats=/proc/sys/kernel/bpf_stats_enabled
stats_were=$(cat $stats)
trap 'echo "$stats_were" >$stats; cleanup' EXIT
servers_start
servers_fill
pg -c 'create extension dblink' >/dev/null
raw() { python3 tests/e2e/pgraw.py "tls:$port" "$1" "$1"; } # CASE: also its application name

# ---- sessions older than the sensor ----
coproc OLD { PGAPPNAME=old pg_tcp require; }
printf 'select 1;\n' >&"${OLD[1]}"
read -r _ <&"${OLD[0]}"
coproc PREPARED { raw prepared; } 2>/dev/null # two of them at once
read -r _ <&"${PREPARED[0]}"
sensor_start
# They are put before there are programs for them.
check "no breakpoint is without a program" "$(find "/proc/$sensor_pid/fd" -lname '*perf_event*' | wc -l)" 0
printf 'select name from staff limit 30;\nselect name from staff;\n\\echo done\n' >&"${OLD[1]}"
while read -r line <&"${OLD[0]}"; do [ "$line" = done ] && break; done
printf '\\q\n' >&"${OLD[1]}"
echo >&"${PREPARED[1]}"
read -r prepared_rows <&"${PREPARED[0]}"

# ---- how often a breakpoint of PostgreSQL's sessions is hit ----
hits() {
	local ids
	ids=$(sed -n 's/^prog_id:[[:space:]]*//p' "/proc/$sensor_pid"/fdinfo/* | sort -un | jq -sc .)
	/usr/sbin/bpftool prog show -j | jq --argjson ids "$ids" 'map(select((.id as $i | $ids | index($i)) and
		.type == "kprobe" and (.name | test("^pg_(tls|gss|call|read__)"))) | .run_cnt // 0) | add'
}
statements() { # 200 of them, one row each
	for i in $(seq 200); do echo "select name from staff where id = $i;"; done
}
echo 1 >$stats
declare -A hit got
for way in unix tcp tls; do
	before=$(hits)
	case $way in
	unix) statements | PGAPPNAME=unix pg >/dev/null ;;
	tcp) statements | PGAPPNAME=tcp pg_tcp disable >/dev/null ;;
	tls) statements | PGAPPNAME=tls pg_tcp require >/dev/null ;;
	esac
	hit[$way]=$(($(hits) - before))
done

PGAPPNAME=outer pg -c "select count(*) from dblink('host=$dir/run port=$port user=app dbname=hr application_name=inner', 'select name from staff') as t(name text)" >/dev/null
PGAPPNAME=outer_tls pg_tcp require -c "select count(*) from dblink('host=$dir/run port=$port user=app dbname=hr application_name=inner2', 'select name from staff') as t(name text)" >/dev/null
for c in portal_slices pipelined bytewise slow by_key long_text renamed; do got[$c]=$(raw $c); done
PGAPPNAME=copied pg_tcp require -c 'create temp table t (like staff)' -c "copy t from program 'seq -f \"%g	a	b	c\" 20000'" \
	-c "\\copy (select * from t) to '$dir/copy'" -c "\\copy t from '$dir/copy'" -c 'select name from staff limit 40' >/dev/null
sensor_stop

rows='map(.db.rows) | add'
by() { # NAME FILTER: over the results of watched tables with this application name
	results ".db.client.program == \"$1\" and (.db.tables | length > 0)" | jq -s -c "$2"
}
how='[.[].db | [.rows, .confidence]] | unique'
check "in clear, unix socket: breakpoints" "${hit[unix]}" 0
check "in clear, TCP: breakpoints" "${hit[tcp]}" 0
check "TLS: a breakpoint a flush" "$((hit[tls] >= 200 && hit[tls] <= 210))" 1
for way in unix tcp tls; do
	check "$way" "$(by $way '[(map(.db.rows) | add), (map(.db.confidence) | unique), (map(.db.evidence[0]) | unique)]')" \
		'[200,["exact"],["statement"]]'
done
socket=$(jq -r 'select(.event == "ready") | .coverage.probes[] | select(.event == "pg_send") | .hook' "$dir/events")
case $socket in
pg_send__fexit) socket=fexit ;;
pg_send__sys_exit) socket=syscall ;;
esac
check "ready says how a socket is read" "$(jq -r 'select(.event == "ready") | [.coverage.probes[] |
	select(.event == "pg_send" or .event == "pg_receive" or .event == "db_exe__iter" or .event == "pg_tls_write__uprobe") | .state] | join(" ")' "$dir/events")" \
	"attached attached attached attached"
check "a result says where it was seen" "$(for n in unix tcp tls; do by $n '.[0].db.tap'; done | tr -d '"' | tr '\n' ' ')" \
	"$socket $socket uprobe "
check "the socket to another server is not the session's" \
	"$(results '.db.client.program // "" | test("^outer")' | jq -s -c 'map([.db.rows, .db.bytes < 200, .db.evidence])')" \
	'[[1,true,["string_in_statement"]],[1,true,["string_in_statement"]]]'
check "what it reads there is that server's" "$(by inner "$rows") $(by inner2 "$rows")" "5000 5000"
check "no session was lost over it" "$(jq -s -c '[.[] | select(.event == "db_session" and .closed) | .desync // 0] | add' "$dir/events")" 0

# A startup packet of a byte a record is missed, too: what the client calls itself the server reports.
old='(.db.client | has("program") | not) and .db.user == "app" and .db.name == "hr"'
check "11 prepared before, under TLS: client" "$prepared_rows" 10150
check "encrypted before the sensor" "$(results "$old and (.db.tables == [\"hr.public.staff\"])" | jq -s -c 'map(.db.rows) | sort')" '[30,150,5000,5000,5000]'
check "encrypted before the sensor: how sure" "$(results "$old" | jq -s -c 'map([.db.confidence, .db.tap]) | unique')" '[["exact","uprobe"]]'
check "a byte a record: client" "${got[bytewise]}" 5000
check "a byte a record" "$(results '.db.client.program == "bytewise"' | jq -c '[.db.rows, .db.confidence, .db.tap]')" '[5000,"exact","uprobe"]'
for c in portal_slices pipelined by_key long_text; do
	check "$c under TLS: exact" "$(by $c "[($rows), (map(.db.confidence) | unique)]")" "[${got[$c]},[\"exact\"]]"
done
check "writes that were refused: client" "${got[slow]}" 1000000
check "writes that were refused" "$(by slow "$how")" '[[1000000,"exact"]]'
check "a name that was given anew unseen: client" "${got[renamed]}" 5908
check "a name that was given anew unseen" "$(by renamed "$rows >= 8")" true
check "after a COPY that was not followed" "$(by copied 'map([.db.rows, .db.confidence])')" '[[40,"exact"]]'
check "nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0

# ---- a server that comes after the sensor, and after runs of its program that are no server ----
as_postgres "$pg_bin/pg_ctl" -s -w -D "$dir/pg" -m fast stop
sensor_start
for _ in 1 2 3 4 5; do "$pg_bin/postgres" -V >/dev/null; done
as_postgres "$pg_bin/pg_ctl" -s -w -D "$dir/pg" -l "$dir/run/log" \
	-o "-k $dir/run -p $port -c listen_addresses=127.0.0.1 -c ssl=on" start || exit 1
sleep 0.5
PGAPPNAME=later pg -c 'select name from staff limit 50' >/dev/null
PGAPPNAME=later_tls pg_tcp require -c 'select name from staff limit 60' >/dev/null
sensor_stop
check "a server that starts later" "$(by later "$rows") $(by later_tls "$rows")" "50 60"
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
finish
