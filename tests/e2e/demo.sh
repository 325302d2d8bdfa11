#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `make demo`: a private PostgreSQL and MariaDB with 50,000 invented people, an ordinary load, then
# three kinds of bulk read. Findings are shown as they come. Leaves nothing behind.
set -u
cd "$(dirname "$0")/../.." || exit 1
PEOPLE=50000
. tests/e2e/servers.sh
started=$SECONDS

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { # follows the events and prints each finding in a line
	tail -n +1 -F "$dir/events" 2>/dev/null | jq -r --unbuffered 'select(.event == "finding") |
		"  \(.time[11:23])  \(.rule.level)  \(.rule.title): \(.rows) rows of \(.tables | join(", ")), " +
		"\(.status)\n               by \(.principal)\n               under \([.process | recurse(.parent; . != null) | .exe | split("/")[-1]] | join(" < "))"'
}

say "Starting a private PostgreSQL and MariaDB with $PEOPLE people"
servers_start
servers_fill
say "Starting the sensor"
sensor_start
jq -r 'select(.event == "ready") | "  \(.coverage.probes | length) probes attached in \(.seconds * 1000 | floor) ms, watching \(.watch | join(", "))"' "$dir/events"
show &
shower=$!

say "An ordinary load: 20,000 look-ups of one person each (no finding may come)"
printf '\\set i random(1, %d)\nselect name, mobile from staff where id = :i;\n' "$PEOPLE" >"$dir/load.sql"
PGAPPNAME=app "$pg_bin/pgbench" -n -h "$dir/run" -p "$port" -U app -c 2 -t 10000 -f "$dir/load.sql" hr 2>&1 |
	sed -n 's/^tps/  tps/p'

say "1. psql over TLS reads the whole table"
PGAPPNAME=psql pg_tcp require -c 'select name, mobile from staff' >/dev/null
sleep 1
say "2. mysqldump --compress under a web server's shell, into a .css"
mkdir "$dir/css"
cat >"$dir/httpd" <<-EOF
	#!/bin/bash
	/bin/sh -c "mariadb-dump --no-defaults -S $dir/my/sock -u app -ppw --compress mdm staff > $dir/css/base.css; true"
	:
EOF
chmod +x "$dir/httpd"
"$dir/httpd"
sleep 1
say "3. A cursor that fetches 1,000 rows at a time"
{ echo 'begin; declare c cursor for select * from staff;'
  for _ in $(seq 50); do echo 'fetch 1000 from c;'; done; } | PGAPPNAME=drip pg >/dev/null
sleep 1
sensor_stop
sleep 0.5
pkill -P "$shower" tail
wait "$shower" 2>/dev/null

say "Rows counted by the sensor"
jq -s -r 'map(select(.event == "db_result" and .db.rows > 0 and .db.end == "complete")) |
	group_by([.db.system, .db.client.program, .db.client.exe])[] |
	"  \(.[0].db.system)  \(.[0].db.client.exe | split("/")[-1])  \(map(.db.rows) | add) rows in \(length) results"' "$dir/events"
say "From the first row read to the finding"
jq -s -r 'map(select(.event == "finding" and .rule.id == "rollcall-db-bulk-read" and .status == "new")) |
	.[] | "  \((.last_seen - .first_seen) / 1e6 * 10 | floor / 10) ms (\(.db.client.exe | split("/")[-1]))"' "$dir/events" | head -3
say "Done in $((SECONDS - started)) s"
