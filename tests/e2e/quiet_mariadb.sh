#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# As quiet.sh, of MariaDB: look-ups of no interest are counted in the kernel, every row is in the
# sums, and what only looks like one of them is told, whole.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
rollcall=$(realpath "${ROLLCALL_CLI:-build/rollcall}")
servers_start
servers_fill
mariadb --no-defaults -S "$dir/my/sock" -u root -e "create database other; use other;
	create table device like mdm.device; insert into device select * from mdm.device"
mkdir "$dir/rules"
cat >"$dir/rules/all.yml" <<END
title: another
logsource: {category: database}
detection: {s: {Statement|contains: nowhere}, condition: s}
END
sensor_start --control "$dir/control" --rules "$dir/rules"

# ---- one session that stays open ----
mkfifo "$dir/ask"
mariadb --no-defaults -S "$dir/my/sock" -u app -ppw -N -B --unbuffered --force mdm <"$dir/ask" >"$dir/said" 2>&1 &
session=$!
exec {ask}>"$dir/ask"
asked=0 rows=0 marks=0
answered() { # until the session has answered all
	marks=$((marks + 1))
	echo "select 'answered $asked $marks' as mark;" >&"$ask"
	for _ in $(seq 600); do grep -q "answered $asked $marks\$" "$dir/said" && return; sleep 0.05; done
	echo "no answer"
	exit 1
}
ask() { # NUMBER SQL: with % replaced by a number of four digits
	awk -v n="$1" -v sql="$2" -v seed="$asked" 'BEGIN { srand(seed); for (i = 0; i < n; i++) {
		s = sql; gsub("%", 1000 + int(rand() * 4000), s); print s ";" } }' >&"$ask"
	answered
}
look_up() { # the same: a row each, of no watched table
	asked=$((asked + $1)) rows=$((rows + $1))
	ask "$@"
}
written() { # EVENT
	"$rollcall" status --json --control "$dir/control" | jq "[.coverage.counts[] | select(.event == \"$1\") | .written] | add // 0"
}
ends() { written db_end; }
# Asked until the kernel tells of fewer than a fifth of them.
until_quiet() { # SQL
	local was
	for _ in $(seq 100); do
		was=$(ends)
		look_up 100 "$1"
		[ $(($(ends) - was)) -lt 20 ] && return
		sleep 0.02
	done
	check "sooner or later the kernel only counts: $1" "it tells each" ""
}
told() { # FILTER NUMBER: results that it selects, once they are so many
	local n
	for _ in $(seq 100); do
		n=$(results "$1" | wc -l)
		[ "$n" -ge "$2" ] && break
		sleep 0.05
	done
	echo "$n"
}
plain='select serial from device where id = %'

until_quiet "$plain"
was=$(ends)
look_up 100 "$plain"
check "look-ups are only counted" "$(($(ends) - was < 50))" 1

# ---- what is not like them ----
was=$(ends)
echo 'select serial from device where id > 4000;' >&"$ask"
asked=$((asked + 1)) rows=$((rows + 1000))
answered
check "the same shape with more rows is told" "$(($(ends) - was > 0))" 1

until_quiet "$plain"
was=$(ends)
look_up 60 'select serial /*!99999 , id */ from device where id = %'
check "code in comments is told each time" "$(($(ends) - was >= 60))" 1

until_quiet "$plain"
my -e 'drop table other.device; create view other.device as select id, mobile as serial from mdm.staff'
echo 'use other;' >&"$ask"
ask 60 "$plain"
check "a watched table under a known name is told" "$(told '.db.tables == ["mdm.staff"] and .db.rows == 1 and (.db.statement | startswith("select serial"))' 60)" 60
echo 'use mdm;' >&"$ask"

# Held until its answer comes, which is that it was killed.
until_quiet 'select serial from device where id = % and not sleep(0)'
echo 'select serial from device where id = 1000 and not sleep(1000);' >&"$ask"
for _ in $(seq 200); do
	id=$(my -e "select id from information_schema.processlist where state = 'User sleep'")
	[ -n "$id" ] && break
	sleep 0.05
done
was=$(ends) were=$(written db_command)
my -e "kill query $id"
asked=$((asked + 1))
answered
check "one that is killed is told" "$(($(ends) - was > 0)),$(($(written db_command) - were > 0))" 1,1

# ---- a rule that asks for them ----
until_quiet "$plain"
cp -r "$dir/rules" "$dir/new"
sed -i 's/nowhere/from device/; s/another/device/' "$dir/new/all.yml"
"$rollcall" policy apply --control "$dir/control" "$dir/new" >/dev/null || exit 1
look_up 100 "$plain"
check "a new rule sees each" "$(rule_hits 100)" 100
sed -i 's/from device/nowhere/; s/device/another/' "$dir/new/all.yml"
"$rollcall" policy apply --control "$dir/control" "$dir/new" >/dev/null || exit 1
until_quiet "$plain"

# ---- the sums ----
exec {ask}>&-
wait "$session"
sensor_stop
sums() { # FILTER
	jq -s "[.[] | select(.event == \"db_summary\" and .db.system == \"mariadb\" and ($1))] | [(map(.results) | add), (map(.db.rows) | add)]" -c "$dir/events"
}
pid_rows=$(jq -c "select(.event == \"db_session\" and .closed and .db.client.pid == $session) | .rows" "$dir/events")
# Before it says "use" the client asks for the database's name; "kill" asked for a number.
check "the session has its rows" "$pid_rows" "$((rows + 60 + marks + 2))"
check "every row is in the sums" "$(sums true | jq '.[1]')" "$((rows + marks + 2 + 1))"
check "nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0

# ---- encrypted, compressed; by number ----
sensor_start --control "$dir/control" --rules "$dir/rules"
awk 'BEGIN { for (i = 0; i < 3000; i++) print "select serial from device where id = " 1000 + i ";" }' >"$dir/look_ups"
way() { # NAME CLIENT...: whose program's sums are then 3,000 rows, most of them counted
	local was
	was=$(ends)
	check "$1: the client's rows" "$("${@:2}")" 3000
	check "$1: most are only counted" "$(($(ends) - was < 1500))" 1
}
lines() { "$@" <"$dir/look_ups" | grep -c ^S; }
way clear lines my
way tls lines my_tcp --ssl
way compressed lines my --compress
way "by number" build/tests/e2e/mysql_client "$dir/my/sock" look_up
sensor_stop
check "every row of theirs is in the sums" "$(sums '.db.client.exe | test("/(mariadb|mysql_client)$")' | jq '.[1]')" 12000
check "of theirs nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0
finish
