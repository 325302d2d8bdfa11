#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Look-ups of no interest are counted in the kernel, and nothing is lost by it: the sums are those of
# the client; whoever wants to see each sees each; what turns out to be of interest is told.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
rollcall=$(realpath "${ROLLCALL_CLI:-build/rollcall}")
servers_start
servers_fill
pg -c 'create view v_device as select id, serial::varchar(40) as what from device' >/dev/null
"$rollcall" setup database --watch postgresql:hr.public.staff --socket "$dir/run" --port "$port" \
	--output "$dir/resolved" >/dev/null || exit 1
mkdir "$dir/rules"
cat >"$dir/rules/all.yml" <<END
title: another
logsource: {category: database}
detection: {s: {Statement|contains: nowhere}, condition: s}
END
sensor_start --resolved "$dir/resolved" --control "$dir/control" --rules "$dir/rules"

# ---- one session that stays open ----
mkfifo "$dir/ask"
PGAPPNAME=quiet pg <"$dir/ask" >"$dir/said" 2>&1 &
session=$!
exec {ask}>"$dir/ask"
asked=0 rows=0
answered() { # until the session has answered all
	echo "\\echo answered $asked" >&"$ask"
	for _ in $(seq 600); do grep -q "answered $asked\$" "$dir/said" && return; sleep 0.05; done
	echo "no answer"
	exit 1
}
look_up() { # NUMBER SQL: with % replaced by a number of four digits; a row each
	awk -v n="$1" -v sql="$2" -v seed="$asked" 'BEGIN { srand(seed); for (i = 0; i < n; i++) {
		s = sql; gsub("%", 1000 + int(rand() * 4000), s); print s ";" } }' >&"$ask"
	asked=$((asked + $1)) rows=$((rows + $1))
	answered
}
status() { "$rollcall" status --json --control "$dir/control"; }
ends() { status | jq '[.coverage.counts[] | select(.event == "db_end") | .written] | add // 0'; }
# Asked until the kernel tells of fewer than a fifth of them.
until_quiet() { # SQL
	local was
	for _ in $(seq 100); do
		was=$(ends)
		look_up 100 "$1"
		[ $(($(ends) - was)) -lt 20 ] && return
		sleep 0.02
	done
	echo "the kernel goes on telling each"
}
results() { jq -c "select(.event == \"db_result\" and .db.client.program == \"quiet\") | $1" "$dir/events"; }

check "sooner or later the kernel only counts" "$(until_quiet 'select serial from device where id = %')" ""
# In a subshell: what was asked is not known here.
asked=$(grep -c '^S' "$dir/said") rows=$asked

# ---- more rows than were judged ----
was=$(ends)
echo 'select serial from device where id > 4000;' >&"$ask"
asked=$((asked + 1)) rows=$((rows + 1000))
answered
check "the same shape with more rows is told" "$(($(ends) - was > 0))" 1

# ---- the view shows another table ----
until_quiet 'select what from v_device where id = %'
pg -c 'create or replace view v_device as select id, mobile as what from staff' >/dev/null
look_up 60 'select what from v_device where id = %'
asked=$((asked - 60)) rows=$((rows - 60)) # of a watched table: told, not summed
for _ in $(seq 100); do [ "$(results .db.rows | wc -l)" -ge 60 ] && break; sleep 0.05; done
check "a watched table behind a known name is told" "$(results '[.db.tables[0], .db.rows]' | sort | uniq -c | sed 's|^ *||')" '60 ["hr.public.staff",1]'
pg -c 'create or replace view v_device as select id, serial::varchar(40) as what from device' >/dev/null

# ---- a rule that asks for them ----
until_quiet 'select serial from device where id = %'
cp -r "$dir/rules" "$dir/new"
sed -i 's/nowhere/from device/; s/another/device/' "$dir/new/all.yml"
"$rollcall" policy apply --control "$dir/control" "$dir/new" >/dev/null || exit 1
look_up 100 'select serial from device where id = %'
check "a new rule sees each" "$(rule_hits 100)" 100
look_up 100 'select serial from device where id = %'
check "and goes on to" "$(rule_hits 200)" 200
sed -i 's/from device/nowhere/; s/device/another/' "$dir/new/all.yml"
"$rollcall" policy apply --control "$dir/control" "$dir/new" >/dev/null || exit 1

# ---- somebody records ----
until_quiet 'select serial from device where id = %'
"$rollcall" record --control "$dir/control" --json --out "$dir/rec" >/dev/null 2>"$dir/rec.log" &
recorder=$!
for _ in $(seq 300); do # until it is shown events
	/bin/true
	[ -s "$dir/rec" ] && break
	sleep 0.05
done
look_up 100 'select upper(serial) as recorded from device where id = %'
look_up 100 'select serial as recorded from device where id = %'
recorded() { grep -c '"event":"db_result".*as recorded from device' "$dir/rec"; }
for _ in $(seq 100); do [ "$(recorded)" = 200 ] && break; sleep 0.05; done
kill -INT "$recorder"
wait "$recorder"
check "a recording has each" "$(recorded)" 200

# ---- the sums ----
exec {ask}>&-
wait "$session"
sensor_stop
total=$(jq -s '[.[] | select(.event == "db_summary" and .db.system == "postgresql")] | [(map(.results) | add), (map(.db.rows) | add)]' -c "$dir/events")
check "every result and row is in the sums" "$total" "[$((asked + 1)),$rows]"
check "the session has its rows" "$(jq -c 'select(.event == "db_session" and .closed and .db.client.program == "quiet") | .rows' "$dir/events")" "$((rows + 60))"
check "nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0

# ---- statements in parts: what JDBC's driver and libpq send ----
sensor_start --resolved "$dir/resolved" --control "$dir/control" --rules "$dir/rules"
printf '\\set id random(1, 5000)\nselect serial from device where id = :id;\n' >"$dir/look_up"
chmod 644 "$dir/look_up"
benched=0
bench() { # MODE SSLMODE: until the kernel tells of fewer than half
	local was
	for _ in $(seq 30); do
		was=$(ends)
		PGSSLMODE=$2 "$pg_bin/pgbench" -n -M "$1" -f "$dir/look_up" -t 2000 -h 127.0.0.1 -p "$port" -U app hr >/dev/null 2>&1 || exit 1
		benched=$((benched + 2000))
		[ $(($(ends) - was)) -lt 1000 ] && return
	done
	check "$1, sslmode=$2: sooner or later the kernel only counts" "it tells each" ""
}
for way in extended prepared; do bench $way disable; bench $way require; done
sensor_stop
total=$(jq -s '[.[] | select(.event == "db_summary" and .db.system == "postgresql" and (.db.client.exe | endswith("/pgbench")))] | [(map(.results) | add), (map(.db.rows) | add)]' -c "$dir/events")
check "in parts: every result and row is in the sums" "$total" "[$benched,$benched]"
check "in parts: nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
