#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `make demo`: a private PostgreSQL and MariaDB with 50,000 invented people, an aggregator and a
# sensor, an ordinary load, then three kinds of bulk read. Findings are shown as they reach the
# aggregator. Leaves nothing behind.
set -u
cd "$(dirname "$0")/../.." || exit 1
PEOPLE=50000
. tests/e2e/servers.sh
. tests/e2e/aggregator.sh
trap 'kill ${follower:-} 2>/dev/null; agg_stop; cleanup' EXIT
started=$SECONDS

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
findings() { ctl findings --since all --json; }
await_rows() { # ROWS: until a finding of that many rows is stored
	for _ in $(seq 100); do
		findings | jq -e -s "map(select(.rows == $1)) | length > 0" >/dev/null && return
		sleep 0.1
	done
}

say "Starting a private PostgreSQL and MariaDB with $PEOPLE people"
servers_start
servers_fill
say "Making an aggregator, enrolling this host, starting the sensor"
agg_init
agg_start
sensor_stream
ctl status | sed -n '1,2s/^/  /p; s/^aggregator/  &/p'
"$rollcall" findings --store "$dir/agg/store.db" --since 0s --follow &
follower=$!

say "An ordinary load: 20,000 look-ups of one person each (no finding may come)"
printf '\\set i random(1, %d)\nselect name, mobile from staff where id = :i;\n' "$PEOPLE" >"$dir/load.sql"
PGAPPNAME=app "$pg_bin/pgbench" -n -h "$dir/run" -p "$port" -U app -c 2 -t 10000 -f "$dir/load.sql" hr 2>&1 |
	sed -n 's/^tps/  tps/p'

say "1. psql over TLS reads the whole table"
PGAPPNAME=psql pg_tcp require -c 'select name, mobile from staff' >/dev/null
await_rows 50000
say "2. mysqldump --compress under a web server's shell, into a .css"
mkdir "$dir/css"
cat >"$dir/httpd" <<-EOF2
	#!/bin/bash
	/bin/sh -c "mariadb-dump --no-defaults -S $dir/my/sock -u app -ppw --compress mdm staff > $dir/css/base.css; true"
	:
EOF2
chmod +x "$dir/httpd"
"$dir/httpd"
sleep 1
say "3. A cursor that fetches 1,000 rows at a time"
{ echo 'begin; declare c cursor for select * from staff;'
  for _ in $(seq 50); do echo 'fetch 1000 from c;'; done; } | PGAPPNAME=drip pg >/dev/null
sleep 1
delivered
kill "$follower"
wait "$follower" 2>/dev/null

say "What the aggregator holds"
ctl findings --since all --level high | sed 's/^/  /'
say "One of them, from the web server to the rows"
ctl show "$(findings | jq -r 'select(.db.system == "mariadb") | .id' | head -1)" | sed 's/^/  /'
say "From the first row read to the finding stored"
findings | jq -r 'select(.rule.id == "rollcall-db-bulk-read") | "\(.id) \(.first_seen) \(.db.client.exe)"' |
	while read -r id first exe; do
		stored=$(store "select stored from findings where id = '$id'")
		awk -v ns="$((stored - first))" -v exe="${exe##*/}" \
			'BEGIN { printf "  %.1f ms (%s)\n", ns / 1e6, exe }'
	done
say "Hosts"
ctl hosts | sed 's/^/  /'
say "Done in $((SECONDS - started)) s"
