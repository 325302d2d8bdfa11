#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `rollcall top`: the kernel's own numbers, measured only while somebody looks.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
top() { build/rollcall top --control "$dir/control" "$@"; }
measuring() { # how many descriptors let the kernel measure
	find "/proc/$sensor_pid/fd" -lname 'anon_inode:*bpf-stats*' 2>/dev/null | wc -l
}
wait_for() { for _ in $(seq 200); do [ "$(measuring)" = "$1" ] && return; sleep 0.05; done; }

sensor_start --control "$dir/control"
check "nobody looks: nothing is measured" "$(measuring)" 0
top --count 2 --interval 1 --json >"$dir/top" &
looker=$!
wait_for 1
check "somebody looks: it is measured" "$(measuring)" 1
executed=0
while kill -0 "$looker" 2>/dev/null; do /bin/true && executed=$((executed + 1)); done
wait "$looker"
check "exit status" "$?" 0
wait_for 0
check "nobody looks any more" "$(measuring)" 0
check "an object an interval" "$(jq -s length "$dir/top")" 2
calls=$(jq -s '[.[].programs[] | select(.program | startswith("exec__")) | .calls] | add' "$dir/top")
echo "executed $executed, calls of the exec programs $calls, $(jq -s -c '[.[].seconds]' "$dir/top")"
check "programs that ran were called" "$((executed > 0 && calls > 0))" 1
check "each number follows from the others" "$(jq -s '[.[] | .seconds as $s | .programs[] | select(.calls > 0)
	| (.nanoseconds_per_call * .calls / 1e7 / $s - .cpu_percent) | fabs < 0.01] | all' "$dir/top")" true
check "time is measured" "$(jq -s '[.[].programs[] | select(.calls > 0) | .nanoseconds_per_call > 0] | all' "$dir/top")" true
check "classes" "$(jq -s -c '[.[0].classes[].class]' "$dir/top")" '["crit","bulk"]'
check "events are counted by class" "$(jq -s '[.[].classes[].events_per_second] | add > 0' "$dir/top")" true
top --once --interval 0.2 >"$dir/plain"
check "in a pipe: no control characters" "$(grep -c $'\033' "$dir/plain")" 0
check "says that measuring costs" "$(grep -c 'measuring costs' "$dir/plain")" 1
check "the head" "$(grep -c '^PROBE  *CALLS  *NS/CALL  *% OF A CPU' "$dir/plain")" 1
top --interval 0 2>/dev/null
check "a wrong interval" "$?" 2
top --count x 2>/dev/null
check "a wrong count" "$?" 2
check "help" "$(top --help | head -1 | cut -c1-19)" "Usage: rollcall top"
sensor_stop
top --once 2>/dev/null
check "no sensor" "$?" 1
finish
