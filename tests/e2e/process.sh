#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the sensor tells of a process that executes, as it writes it out: what no kernel test sees
# because user space makes it.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh

sensor_start --control "$dir/control"
cp /usr/bin/true "$dir/fresh"
touch -d '2001-01-01' "$dir/fresh" # what a file says of itself does not make it old
made=$(stat -c %Z "$dir/fresh") system=$(stat -Lc %Z /usr/bin/true)
LD_PRELOAD='' "$dir/fresh" one
/usr/bin/true "$dir/system"
now=$(date +%s)
/usr/bin/true "$(printf '%040000d' 0)" # more than is told of arguments
for _ in $(seq 200); do grep -q "$dir/system" "$dir/events" && break; sleep 0.05; done
for _ in $(seq 200); do
	cut=$(build/rollcall status --json --control "$dir/control" | jq '.coverage.counts[] | select(.event == "exec") | .truncated // 0')
	[ "$cut" -gt 0 ] && break
	sleep 0.05
done
sensor_stop

exec_of() { jq -s -c "[.[] | select(.event == \"exec\" and ($1))][0] | $2" "$dir/events"; }
fresh=$(exec_of ".exe == \"$dir/fresh\"" .exe_age)
old=$(exec_of ".process.args[1] == \"$dir/system\"" .exe_age)
echo "ages: fresh ${fresh}, system ${old}"
check "a fresh file is as old as its last change" "$((${fresh:-9999} <= now - made))" 1
# Whole seconds of an age, of which the two times have fractions.
check "an installed program is older" "$((${old:-0} >= made - system - 1 && ${old:-0} <= now - system))" 1
check "arguments that were cut are counted" "$((cut > 0))" 1
check "the environment" "$(exec_of ".exe == \"$dir/fresh\"" .env | grep -c 'LD_PRELOAD=')" 1
finish
