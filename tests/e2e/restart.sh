#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The time in which nobody looked is told: after kill -9, and after an orderly stop.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
. tests/e2e/aggregator.sh
chmod 755 "$dir"
agg_init
sensor_pid_now() { build/rollcall status --control "$dir/control" --json 2>/dev/null | jq -r .pid; }
# The line that the killed one was writing ends where the next one's begins.
blind() { grep '"event":"gap"' "$dir/events" | grep '"lane":"sensor"' | sed 's/.*{"time":/{"time":/' | jq -s -c "$1"; }
now() { date +%s.%N; }

sensor_stream
check "a first start has no past" "$(blind length)" 0
for _ in $(seq 100); do grep -q alive "$dir/spool/alive" && break; sleep 0.05; done
old=$(sensor_pid_now)
killed=$(now)
kill -9 "$old"
for _ in $(seq 400); do
	new=$(sensor_pid_now)
	[ -n "$new" ] && [ "$new" != "$old" ] && [ "$(grep -c '"event":"ready"' "$dir/events")" = 2 ] && break
	sleep 0.05
done
again=$(now)
blind '.[]'
check "another sensor runs" "$([ "$new" != "$old" ] && echo yes)" yes
check "one interval" "$(blind length)" 1
check "why" "$(blind '.[0].reason')" '"restart"'
check "it covers the kill" "$(blind ".[0] | .since / 1e9 <= $killed and .until / 1e9 > $killed and .until / 1e9 <= $again")" true
check "both clocks tell the same length" "$(blind '.[0] | (.until - .since - .until_boottime + .since_boottime) / 1e9 | fabs < 0.1')" true
sensor_stop
sensor_stream
check "an orderly stop" "$(blind '[.[].reason]')" '["stop"]'
finish
