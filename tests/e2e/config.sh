#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The sensor's configuration file: mistakes, the dump, and that it is really used.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
unset PGAPPNAME
config() { "$sensor" "$@" 2>&1; }

config --dump-config >"$dir/all.yaml"
check "the shipped example is the dump" "$(diff "$dir/all.yaml" packaging/sensor.yaml && echo same)" same
check "the dump has no mistake" "$(config --check-config --config "$dir/all.yaml")" "no mistake was found"
check "the dump reads as the same" "$(config --config "$dir/all.yaml" --dump-config | diff - "$dir/all.yaml" && echo same)" same
for key in $(sed -nE 's/^ *#? ?([a-z_0-9]+):.*/\1/p' packaging/sensor.yaml); do
	grep -qF "*$key*" docs/man/rollcall-sensor.yaml.5.scd || missing="${missing:-} $key"
done
check "the manual page has every key" "${missing:-}" ""
printf 'watchh: []\nthresholds:\n  result_rows: many\nspool: {max_bytes: 1KiB}\n' >"$dir/bad.yaml"
check "mistakes are told with their place" "$(config --check-config --config "$dir/bad.yaml" | cut -d: -f4- | cut -c1-40)" \
	"1:1: unknown key 'watchh'; did you mean 
3:16: thresholds.result_rows: 'many': wr
4:20: spool.max_bytes: '1KiB': write a s"
config --check-config --config "$dir/bad.yaml" >/dev/null
check "mistakes: exit status" "$?" 1
config --config "$dir/bad.yaml" --stdout >/dev/null
check "a sensor does not start with mistakes" "$?" 1
config --config "$dir/none.yaml" --stdout >/dev/null
check "a file that is not there" "$?" 1
config --nonsense >/dev/null
check "wrong usage" "$?" 2
config --stdout --watch nonsense >/dev/null
check "a wrong table" "$?" 2
check "help" "$(config --help | head -1 | cut -c1-22)" "Usage: rollcall-sensor"

servers_start
servers_fill
cat >"$dir/sensor.yaml" <<-EOF2
	host: named
	watch:
	  - postgresql:hr.public.staff
	thresholds:
	  result_rows: 50
	  result_fraction: 0
	  first_seen_rows: 0
EOF2
"$sensor" --stdout --config "$dir/sensor.yaml" >"$dir/events" 2>"$dir/sensor.log" &
sensor_pid=$!
for _ in $(seq 200); do grep -q '"event":"ready"' "$dir/events" && break; sleep 0.05; done
PGAPPNAME=below pg -c 'select name from staff limit 49' >/dev/null
PGAPPNAME=above pg -c 'select name from staff limit 50' >/dev/null
sensor_stop
findings() { jq -s -c "[.[] | select(.event == \"finding\" and .db.client.program == \"$1\") | [.host, .rows]]" "$dir/events"; }
check "below the configured threshold" "$(findings below)" '[]'
check "at the configured threshold" "$(findings above)" '[["named",50]]'
finish
