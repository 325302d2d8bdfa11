#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The benign twins of the evasions, for real under the shipped policy: nightly dumps by the backup's own user, a
# replica, synchronisation, upgrade of the schema, ANALYZE, monitoring and the application's small
# reads are silent; an administrator's export is a finding of a lower level. What is out of the
# ordinary is announced by filters (policy/examples/announced.yml); without them it is found.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
. tests/e2e/found.sh
servers_start
servers_fill
resolve
mysock=$dir/my/sock
roles() { for r in backup replicator hr_admin; do echo "$1 $r$2;"; done; }
roles "create role" " login superuser" | pg
roles "create user" "@'%' identified by 'pw'" | mariadb --no-defaults -S "$mysock" -u root
roles "grant all on *.* to" "@'%'" | mariadb --no-defaults -S "$mysock" -u root
mkdir "$dir/rules" "$dir/out"
chmod 777 "$dir/out"
cp policy/rules/*.yml "$dir/rules"
as() { setpriv --reuid="$1" --regid="$1" --clear-groups "${@:2}"; } # USER COMMAND
hr() { echo "host=$dir/run port=$port user=$1 dbname=hr"; } # ROLE
jobs() {
	# Nightly, as the system's user "backup".
	as backup "$pg_bin/pg_dump" -d "$(hr backup)" -f "$dir/out/hr.sql"
	as backup mariadb-dump --no-defaults -S "$mysock" -u backup -ppw --single-transaction mdm >"$dir/out/mdm.sql"
	# A replica, from its address.
	as_postgres "$pg_bin/pg_basebackup" -d "host=127.0.0.1 port=$port user=replicator" -D "$dir/run/replica" -X none -c fast >/dev/null 2>&1
	mariadb-binlog --no-defaults -h 127.0.0.1 -P "$my_port" -u replicator -ppw --read-from-remote-server \
		"$(mariadb --no-defaults -S "$mysock" -u root -N -B -e 'show master status' | cut -f1)" >/dev/null
	# A directory's synchronisation, as the system's user "games" in this test: one statement.
	as games "$pg_bin/psql" -X -q -A -t -c 'select id, name, mobile from staff order by id' "$(hr app)" >"$dir/out/sync"
	# The administrator's export.
	as www-data "$pg_bin/psql" -X -q -d "$(hr hr_admin)" -c "\\copy (select name, mobile from staff) to '$dir/out/staff.csv' csv"
}
ordinary() {
	pg -c 'analyze' -c 'vacuum staff' >/dev/null
	my -e 'analyze table staff; check table staff' >/dev/null
	# An upgrade of the schema.
	pg -c 'alter table staff add column room int' -c 'update staff set room = id % 100' -c 'create index on staff(dept)' \
		-c 'alter table staff alter column room type bigint' -c 'alter table staff drop column room' >/dev/null
	my -e 'alter table staff add column room int; update staff set room = id % 100; create index d on staff(dept);
		alter table staff modify room bigint; alter table staff drop column room' >/dev/null
	# Monitoring.
	for _ in 1 2 3 4 5; do
		pg -c 'select count(*) from staff' -c 'select * from pg_stat_user_tables' -c 'select * from pg_stat_activity' \
			-c "select pg_total_relation_size('staff')" >/dev/null
		my -e 'select count(*) from staff; show global status; show table status; show processlist' >/dev/null
	done
	# The application: pages of twenty, look-ups by key, a command for a device now and then.
	pg -c 'create table commands(id int, what text)' -c "insert into commands values (1, 'inventory')" >/dev/null
	for i in $(seq 12); do echo "select name, mobile from staff where dept = 'Unit $i' limit 20;"; done | PGAPPNAME=application pg >/dev/null
	for i in $(seq 150); do echo "select name, mobile from staff where id = $i;"; done | PGAPPNAME=application pg >/dev/null
	for i in $(seq 12); do my -e "select name, mobile from staff where dept = 'Unit $i' limit 20" >/dev/null; done
}
# Findings of this test's own doing, whatever else the host does in the meantime: [level, rule].
ours() {
	jq -c 'select(.event == "finding") | select(([.. | strings] | any(contains("'"${dir##*/}"'"))) or
		((.db.user // "") | test("^(backup|replicator|hr_admin)$"))) | [.rule.level, .rule.title]' "$dir/events" | sort -u
}
printf 'policy: {rules: %s}\n' "$dir/rules" >"$dir/sensor.yaml"

# ---- not announced: each is found ----
sensor_start --config "$dir/sensor.yaml" --resolved "$dir/resolved"
jobs
sensor_stop
finds "an unknown dump" '.db.user == "backup" and .db.system == "postgresql"' rollcall-db-bulk-read
finds "an unknown dump" '.db.user == "backup" and .db.system == "mariadb"' rollcall-db-bulk-read
finds "an unknown replica" '.db.user == "replicator" and .db.system == "postgresql"' rollcall-db-replication
finds "an unknown replica" '.db.user == "replicator" and .db.system == "mariadb"' rollcall-db-replication
finds "an unknown synchronisation" '.db.client.user == "games"' rollcall-db-bulk-read
finds "an export" '.db.user == "hr_admin"' rollcall-db-bulk-read

# ---- announced ----
sed "s#/usr/local/bin/ldap_sync#$pg_bin/psql#; s#hr_admin_os#www-data#; s#sync_os#games#" policy/examples/announced.yml >"$dir/rules/announced.yml"
check "the announcements have no mistake" "$("${ROLLCALL_CLI:-build/rollcall}" policy check --notes "$dir/rules" | sed -E 's/^.*: //')" "0 mistakes, 0 notes"
rm -r "$dir/run/replica" "$dir/out"/*
sensor_start --config "$dir/sensor.yaml" --resolved "$dir/resolved"
jobs
ordinary
# The same user with another program is not what was announced.
as backup "$pg_bin/psql" -X -q -A -t -d "$(hr backup)" -c 'select * from staff' >/dev/null
sensor_stop
check "the jobs were done" "$(wc -l <"$dir/out/staff.csv") $(grep -c '^[0-9]*	Person' "$dir/out/hr.sql") $(wc -l <"$dir/out/sync")" "$people $people $people"
check "another program of an announced user" "$(jq -r 'select(.event == "finding" and .rule.id == "rollcall-db-bulk-read" and .status != "updated") | .principal' "$dir/events" | sed -E 's/.* via //' | sort -u)" \
	"$pg_bin/psql as backup"
check "an export, at the level that was announced" "$(ours | grep -F 'Export of staff by the administration')" '["low","Export of staff by the administration"]'
check "all else is silent" "$(ours | grep -v -e 'Export of staff' -e 'Bulk read of a watched table in one result' -e 'Many rows read by one operating system user')" ""
check "nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
finish
