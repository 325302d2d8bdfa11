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
cat >"$dir/places.yaml" <<-EOF2
	resolved: a/b
	control: control
	spool: {directory: ""}
	aggregator:
	  address: soc.example.org
	  bundle: ./bundle
EOF2
check "addresses and paths that cannot be" "$(config --check-config --config "$dir/places.yaml" | cut -d: -f4- | cut -c1-70)" \
	"1:11: resolved: 'a/b': write an absolute path, which begins with /
2:10: control: 'control': write an absolute path, which begins with /
3:20: spool.directory: '': write an absolute path, which begins with /
5:12: aggregator.address: 'soc.example.org': write HOST:PORT or [IPV6]
6:11: aggregator.bundle: './bundle': write an absolute path, which beg"
printf 'host: a\ncontrol: /%0107d\n' 0 >"$dir/long.yaml"
check "a path too long for a socket" "$(config --check-config --config "$dir/long.yaml" | sed 's/.*yaml:\(2:10: control:\).*: \(a socket.*\)/\1 \2/')" \
	"2:10: control: a socket's path has at most 107 bytes"
printf 'control: /%0106d\n' 0 >"$dir/long.yaml"
check "the longest path of a socket" "$(config --check-config --config "$dir/long.yaml")" "no mistake was found"
for address in 2001:db8::1:4750 soc:0 soc:65536 '[soc]:4750' soc:x; do
	config --check-config --aggregator "$address" >/dev/null
	check "$address on the command line" "$?" 2
done
check "an address in brackets" "$(config --check-config --aggregator '[2001:db8::1]:4750')" "no mistake was found"
printf 'host: a\n---\nhost: b\n' >"$dir/two.yaml"
check "a second document" "$(config --check-config --config "$dir/two.yaml" | cut -d: -f4-)" "2:1: a second document; only one is read"
head -c 1048576 /dev/zero | tr '\0' '[' >"$dir/deep.yaml"
config --check-config --config "$dir/deep.yaml" >"$dir/deep.out"
check "a mebibyte of [: exit status" "$?" 1
check "a mebibyte of [" "$(cut -d: -f4- "$dir/deep.out" | cut -c1-20)" "1:9: nested too deep"
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
for _ in $(seq 1200); do grep -q '"event":"ready"' "$dir/events" && break; sleep 0.05; done
PGAPPNAME=below pg -c 'select name from staff limit 49' >/dev/null
PGAPPNAME=above pg -c 'select name from staff limit 50' >/dev/null
for _ in $(seq 200); do grep -q '"event":"finding"' "$dir/events" && break; sleep 0.05; done
sensor_stop
findings() { jq -s -c "[.[] | select(.event == \"finding\" and .db.client.program == \"$1\") | [.host, .rows]]" "$dir/events"; }
check "below the configured threshold" "$(findings below)" '[]'
check "at the configured threshold" "$(findings above)" '[["named",50]]'
finish
