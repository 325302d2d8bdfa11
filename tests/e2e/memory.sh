#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The sensor's memory is flat: while programs start, files are written and connections are made
# without an end, its own memory (Anonymous of smaps_rollup; the rings and the program are shared)
# does not grow once its tables are full. SECONDS_ of load (default 20), PAUSE microseconds between
# rounds. LIMIT processes known, small here so that the table is full soon; "" is the default.
set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=${SECONDS_:-20}
limit=${LIMIT-1024}
dir=$(mktemp -d /tmp/rollcall-memory.XXXXXX)
passed=0
failed=0
sensor=
churn=
end() {
	[ -z "$churn" ] || { kill "$churn" && wait "$churn"; } 2>/dev/null
	[ -z "$sensor" ] || { kill "$sensor" && wait "$sensor"; } 2>/dev/null
	rm -rf "$dir"
}
trap end EXIT
trap 'exit 1' INT TERM
check() { # NAME GOT WANTED
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'FAILED %s: got "%s", wanted "%s"\n' "$1" "$2" "$3"
	fi
}
# Another binary of a database server on this host takes memory once, for its programs and sessions:
# growth is measured from the look after it was attached, and half of all looks must be of growth.
servers() { grep -c 'database server attached' "$dir/err"; }
memory() { awk '/^Anonymous:/ { print $2 }' "/proc/$sensor/smaps_rollup"; }

mkdir "$dir/www"
{
	# Every event is looked for: none is given up because the load is all there is.
	printf 'files:\n  web_roots: [%s]\nlimits:\n  cpu_percent: 0\n' "$dir/www"
	[ -z "$limit" ] || printf '  processes: %s\n' "$limit"
} >"$dir/sensor.yaml"
mkfifo "$dir/out"
# Only counted: an hour of events would fill the disk.
awk '/"event":"ready"/ { print > "'"$dir"'/ready"; close("'"$dir"'/ready") }
	{ match($0, /"event":"[a-z_]+"/); n[substr($0, RSTART + 9, RLENGTH - 10)]++ }
	/"event":"gap"/ && match($0, /"count":[0-9]+/) { n["lost"] += substr($0, RSTART + 8, RLENGTH - 8) }
	END { for (k in n) print k, n[k] }' <"$dir/out" >"$dir/counts" &
counter=$!
build/rollcall-sensor --stdout --config "$dir/sensor.yaml" --resolved "" >"$dir/out" 2>"$dir/err" &
sensor=$!
for _ in $(seq 200); do [ -s "$dir/ready" ] && break; sleep 0.05; done
[ -s "$dir/ready" ] || { cat "$dir/err"; exit 1; }
nice build/tests/e2e/churn "$dir/www" "$seconds" "${PAUSE:-0}" >"$dir/rounds" 2>"$dir/churn.err" &
churn=$!
sleep $((seconds / 3))
warm=$(memory)
known=$(servers)
looks=0
judged=0
grown=0 # per mille of what it was when warm, the most of all stretches
series="$warm"
while kill -0 "$churn" 2>/dev/null; do
	sleep $((seconds > 600 ? 60 : 1))
	now=$(memory)
	[ -n "$now" ] || break
	looks=$((looks + 1))
	series="$series $now"
	if [ "$(servers)" != "$known" ]; then
		known=$(servers)
		warm=$now
		series="$series (a server was attached)"
		continue
	fi
	judged=$((judged + 1))
	more=$(((now - warm) * 1000 / warm))
	grown=$((more > grown ? more : grown))
done
echo "kB: $series"
wait "$churn"
check "the load ran" $? 0
churn=
kill "$sensor"
wait "$sensor"
check "the sensor ends in order" $? 0
sensor=
wait "$counter"
rounds=$(cat "$dir/rounds")
# A host that does more beside it may fill the ring: then it must have been said how much is missing.
count() { awk -v k="$1" '$1 == k || $1 == "lost" { n += $2 } END { print n + 0 }' "$dir/counts"; }
check "it saw the load" "$(($(count exec) >= rounds && $(count file_close) >= rounds && $(count tcp_connect) >= rounds))" 1
# A page or two of the C library's own: a tenth is what a leak of 30 bytes a round would pass at once.
check "after $rounds rounds grown by $grown per mille since it was warm: flat" "$((grown <= 100))" 1
check "$judged of $looks looks: enough without another server" "$((2 * judged >= looks && judged > 0))" 1
[ "$failed" -eq 0 ] || tail -n 5 "$dir/err" "$dir/churn.err"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
