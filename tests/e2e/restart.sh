#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A sensor that is killed is missed by nobody: its probes record on, the next one takes them over and
# tells each row, each program and each end once. Where it cannot (stopped, another configuration),
# the time in which nobody looked is told.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
. tests/e2e/aggregator.sh
servers_start
servers_fill
agg_init
runs=0
status() { build/rollcall status --control "$dir/control" --json 2>/dev/null; }
child() { pgrep -P "$sensor_pid" -x "$1"; }
# The events of each run: of the one that was killed while it wrote a line, without that.
events() { for f in "$dir"/events.*; do cat "$f"; echo; done | jq -R -c 'fromjson? // empty' | jq -c "$1"; }
start() { # [OPTIONS]
	rm -f "$dir/events" # kept under its other name
	runs=$((runs + 1))
	sensor_stream "$@"
	ln -f "$dir/events" "$dir/events.$runs"
}
alive() { for _ in $(seq 100); do grep -q alive "$dir/spool/alive" && return; sleep 0.05; done; }
# Of processes that nobody here can wait for: what they held is free once they are gone.
gone() { # PID,PID...
	for _ in $(seq 100); do ps -p "$1" >/dev/null || return; sleep 0.1; done
}
# Supervisor, probes and stream at once: nobody is there to start again what was killed.
kill_all() {
	local children
	children=$(pgrep -d, -P "$sensor_pid")
	# shellcheck disable=SC2086
	kill -9 "$sensor_pid" ${children//,/ }
	wait "$sensor_pid" 2>/dev/null
	gone "$children"
	sensor_pid=
}
gaps() { events 'select(.event == "gap" and .lane == "sensor")' | jq -s -c "$1"; }
ready() { events 'select(.event == "ready")' | jq -s -c "$1"; }
of() { events "select(.event == \"db_result\" and .db.client.program == \"$1\")" | jq -s -c "$2"; }
whole='[.[] | [.db.rows, .db.tables[0], .db.end, .db.confidence]]'
staff='[[5000,"hr.public.staff","complete","exact"]]'

# ---- everything is killed in the middle of it all ----
start
alive
check "a first start has no past" "$(gaps length)" 0
check "its probes stay" "$(status | jq -r .coverage.pins)" kept
# A result that begins before and ends after; one that ends in between; one whose session, and
# statement, are older than the other two.
mkfifo "$dir/old"
PGAPPNAME=old pg <"$dir/old" >/dev/null &
old=$!
exec 7>"$dir/old"
echo "prepare s as select * from staff; select 1;" >&7
PGAPPNAME=after pg -c 'select s.*, pg_sleep(0.001) from staff s' >/dev/null &
after=$!
PGAPPNAME=between pg -c 'select s.*, pg_sleep(0.0003) from staff s' >/dev/null &
between=$!
(for i in $(seq 600); do /bin/true "marker-$i"; done) &
markers=$!
sleep 1
kill_all
echo "execute s;" >&7
PGAPPNAME=inside pg -c 'select * from staff' >/dev/null
PGAPPNAME=inside_tls pg_tcp require -c 'select * from staff' >/dev/null
my -e 'select * from staff' >/dev/null
exec 7>&-
wait "$old" "$between" "$markers"
check "its probes are there" "$(ls "$pins" | wc -l)" 1
# One that cannot begin leaves them to the next.
echo 'title: [' >"$dir/broken.yml"
rm -f "$dir/events"
(sensor_stream --rules "$dir/broken.yml") >/dev/null
check "rules with mistakes end a start" $? 1
start
wait "$after"
PGAPPNAME=last pg -c 'select * from staff' >/dev/null
sleep 1
check "taken over" "$(ready '[.[].taken_over]')" '[false,true]'
ready '.[1] | {seconds, unattended: (.unattended / 1e9)}'
check "at once" "$(ready '.[1].seconds < 1')" true
check "with no gap" "$(gaps length)" 0
for program in old after between inside inside_tls last; do
	check "rows of '$program'" "$(of $program "[.[] | select(.db.rows > 1)] | $whole")" "$staff"
done
check "MariaDB's rows" "$(events 'select(.event == "db_result" and .db.system == "mariadb")' | jq -s -c "$whole")" \
	'[[5000,"mdm.staff","complete","exact"]]'
check "by whom, though it ended before" "$(of between '[.[].db.client.exe | split("/")[-1]]')" '["psql"]'
marked() { events "select(.event == \"$1\") | select(.process.args[1] // \"\" | startswith(\"marker-\"))" | jq -r '.process.args[1]'; }
check "every program" "$(marked exec | sort -u | wc -l)" 600
check "... once" "$(marked exec | wc -l)" 600
check "every end" "$(marked exit | sort -u | wc -l)" 600
check "... once" "$(marked exit | wc -l)" 600

# ---- the probes' process alone; its supervisor starts it again ----
before=$(child sensor)
kill -9 "$before"
for _ in $(seq 400); do
	now=$(child sensor)
	[ -n "$now" ] && [ "$now" != "$before" ] && [ "$(grep -c '"event":"ready"' "$dir/events")" = 2 ] && break
	sleep 0.05
done
check "the supervisor's next takes over" "$(ready '.[-1].taken_over')" true
# ---- the supervisor alone; its children end with it ----
children=$(pgrep -d, -P "$sensor_pid")
kill -9 "$sensor_pid"
wait "$sensor_pid" 2>/dev/null
gone "$children"
PGAPPNAME=orphan pg -c 'select * from staff' >/dev/null
start
sleep 1
check "after the supervisor's end, too" "$(ready '.[-1].taken_over')" true
check "rows in between" "$(of orphan "$whole")" "$staff"
check "still no gap" "$(gaps length)" 0

# ---- where the past cannot be known ----
alive
kill_all
stopped=$(date +%s.%N)
start --watch postgresql:hr.public.device
check "another configuration begins anew" "$(ready '.[-1].taken_over')" false
check "the time is told" "$(gaps '[.[].reason]')" '["restart"]'
check "it covers the kill" "$(gaps ".[0] | .since / 1e9 <= $stopped and .until / 1e9 > $stopped")" true
check "both clocks tell the same length" "$(gaps '.[0] | (.until - .since - .until_boottime + .since_boottime) / 1e9 | fabs < 0.1')" true
check "the old probes are gone" "$(ls "$pins" | wc -l)" 1
sensor_stop
check "an orderly stop leaves nothing" "$(ls -d "$pins" 2>/dev/null)" ""
# As a terminal and timeout(1) do it: the probes' process is told by them, and by its supervisor again.
start
probes=$(child sensor)
for _ in $(seq 40); do kill -TERM "$probes" 2>/dev/null || break; sleep 0.01; done
sensor_stop
check "one that is told again and again stops once" "$(grep -c 'killed by signal 15' "$dir/sensor.log")$(ls -d "$pins" 2>/dev/null)" 0
start
check "and is told" "$(gaps '[.[].reason]')" '["restart","stop","stop"]'

# ---- what is kept, the aggregator has once ----
agg_start
check "delivered" "$(delivered; echo $?)" 0
check "the same event is stored once" "$(store "select count(*) from (select 1 from events
	where kind not in ('gap', 'ready') group by hex(body) having count(*) > 1)")" 0
finish
