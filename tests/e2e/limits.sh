#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Four sensors, each with another limit that the same load reaches: CPU time, events in a second,
# memory, disk. Each tells when it begins to give up, what, in the declared order, and when all is told
# again; what it gave up is counted to the event; every program is told all the while.
set -u
cd "$(dirname "$0")/../.." || exit 1
dir=$(mktemp -d /tmp/rollcall.XXXXXX)
sensor=$(realpath "${ROLLCALL_SENSOR:-build/rollcall-sensor}")
passed=0 failed=0
declare -A pid
end() {
	[ -z "${flooder:-}" ] || kill "$flooder" 2>/dev/null
	for s in "${pid[@]}"; do kill "$s" 2>/dev/null && wait "$s"; done
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
limited() { # NAME LIMITS...: a sensor; what it tells of files is only counted, by the kernel
	mkfifo "$dir/$1.pipe"
	# What is asked below, lest a busy host fill the disk: of the flood only the kernel's counts are.
	grep --line-buffered -E '"event":"(ready|throttle|gap)"|"exe":"'"$dir/marker"'"' <"$dir/$1.pipe" >"$dir/$1" &
	{
		printf 'files:\n  web_roots: [%s]\nlimits:\n  bulk_events: 0\n' "$dir/www"
		printf '  %s\n' "${@:2}" | sed 's/^  spool:/spool:/'
	} >"$dir/$1.yaml"
	"$sensor" --stdout ${options:-} --config "$dir/$1.yaml" --control "$dir/$1.control" >"$dir/$1.pipe" 2>"$dir/$1.log" &
	pid[$1]=$!
	for _ in $(seq 2400); do grep -q '"event":"ready"' "$dir/$1" && return; sleep 0.05; done
	echo "the sensor $1 does not start"
	cat "$dir/$1.log"
	exit 1
}
status() { "${ROLLCALL_CLI:-build/rollcall}" status --json --control "$dir/$1.control"; }
# Of the flood: all that the kernel counted; written and not yet read.
counts() {
	status "$1" | jq -c '[.coverage.counts[] | select(.event | IN("file_open", "file_change", "file_close"))] |
		[(map((.written // 0) + (.dropped // 0) + (.throttled // 0)) | add), (map((.written // 0) - (.read // 0)) | add)]'
}
throttles() { jq -c "select(.event == \"throttle\" and .resource) | $2" "$dir/$1"; }
wait_for() { # NAME FILTER
	local until=$((SECONDS + 120))
	while [ $SECONDS -lt $until ]; do [ -n "$(throttles "$1" "select($2)")" ] && return; sleep 0.5; done
	check "$1: tells of $2 within two minutes" "$(throttles "$1" . | tail -1)" "it"
}
# What this host does by itself, as the sensor NAME has it: events of files and network, ticks of CPU.
bulk() { status "$1" | jq '[.coverage.lanes[] | select(.name == "bulk") | (.written // 0)] | add'; }
ticks() { cat "/proc/$1/stat" $(pgrep -P "$1" | sed 's|.*|/proc/&/stat|') | awk '{ n += $14 + $15 } END { print n }'; }

mkdir "$dir/www"
cp /bin/true "$dir/marker"
aggregator=$(realpath "${ROLLCALL_AGGREGATOR:-build/rollcall-aggregator}")
"$aggregator" init --dir "$dir/agg" --name 127.0.0.1 >/dev/null && "$aggregator" enroll mdm1 --dir "$dir/agg" --out "$dir/bundle" >/dev/null || exit 1
# Nobody is there who would fetch it. Of the markers, with their arguments and all their ancestors, some
# 20 MiB are critical: that is kept.
options="--host mdm1 --aggregator 127.0.0.1:1 --bundle $dir/bundle --stream-user nobody --spool $dir/spool" \
	limited disk "cpu_percent: 0" "events: 0" "memory: 0B" 'spool:' 'max_bytes: 48MiB'
was=$(bulk disk) used=$(ticks "${pid[disk]}")
sleep 3
events=$((500 + ($(bulk disk) - was) / 3 * 2))
percent=$((10 + ($(ticks "${pid[disk]}") - used) / 3 * 2))
limited cpu "cpu_percent: $percent" "events: 0" "memory: 0B"
limited events "cpu_percent: 0" "events: $events" "memory: 0B"
memory=$(awk '/^VmRSS:/ { print int($2 / 1024) + 1 }' "/proc/${pid[events]}/status")
limited memory "cpu_percent: 0" "events: 0" "memory: ${memory}MiB"

setsid build/tests/e2e/flooder "$dir/www" >"$dir/flooded" &
flooder=$!
wait_for cpu '.shed | contains("file_change")'
wait_for events '.shed | contains("file_change")'
# Each is known for a minute after its end, with its arguments.
long=$(printf '%01500d' 0)
for i in $(seq 1500); do "$dir/marker" "$i" "$long"; done
wait_for memory true
# However fast the flood: what it makes is more than the disk may have.
for _ in $(seq 240); do grep -q '"lane":"spool"' "$dir/disk" && break; sleep 0.5; done
kill "$flooder"
wait "$flooder"
check "the flooders did what they meant to" $? 0
flooder=
read -r flooded _ <"$dir/flooded"

order='"unix_connect tcp_close pipe_write","unix_connect tcp_close pipe_write file_open file_close file_change"'
for s in cpu events; do
	for _ in $(seq 100); do
		[ "$(counts $s | jq '.[1]')" = 0 ] && break
		sleep 0.1
	done
	check "$s: of the flood, told = delivered + declared lost" "$(counts $s)" "[$flooded,0]"
	wait_for $s '.ended'
	check "$s: gives up in the declared order" "$(throttles $s .shed | head -2 | jq -sc .)" "[$order]"
	check "$s: says which limit" "$(throttles $s '[.resource, .limit]' | sort -u)" \
		"[\"$s\",$([ $s = cpu ] && echo "$percent" || echo "$events")]"
	check "$s: says how much, at the end" "$(throttles $s 'select(.ended) | .throttled > 0 and .shed == null' | head -1)" true
done
check "memory: says which limit" "$(throttles memory '[.resource, .limit]' | sort -u)" "[\"memory\",$memory]"
check "memory: what is forgotten is told" "$(jq -c 'select(.event == "gap" and .lane == "proctab") | .reason' "$dir/memory" | sort -u)" \
	'"process table full"'
check "disk: what is removed is told, and is of bulk only" "$(jq -r 'select(.event == "gap" and .lane == "spool") | .reason' "$dir/disk" | sort -u)" \
	"full: bulk events removed before delivery"
check "disk: within its limit, but for the files that are being written" "$(du -sb "$dir/spool" | awk '{ print ($1 < 50 * 1048576) }')" 1
for s in cpu events memory disk; do
	check "$s: no critical record was lost" "$(status $s | jq '.coverage.lanes[] | select(.name == "crit") | .dropped // 0')" 0
	kill "${pid[$s]}"
	wait "${pid[$s]}"
	check "$s: ends in order" $? 0
	unset "pid[$s]"
	sleep 0.2
	check "$s: every program" "$(jq -r --arg exe "$dir/marker" 'select(.event == "exec" and .process.exe == $exe) | .process.args[1]' "$dir/$s" | sort -nu | wc -l)" 1500
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
