#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Thousands of mixed random statements from eight sessions over every transport: what the sensor
# counted differs from what the servers sent by nothing. STATEMENTS (10,000) and SEED can be set.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
seed=${SEED:-$RANDOM}
statements=${STATEMENTS:-10000}
servers_start
servers_fill
sensor_start
build/tests/e2e/random_load "$seed" "$statements" "$dir/run" "$port" "$dir/my/sock" "$my_port" >"$dir/sent"
check "seed $seed: every session ended well" "$(wc -l <"$dir/sent")" 8
sensor_stop
jq -r 'select(.event == "db_result" and (.db.tables | length > 0)) | "\(.db.client.pid) \(.db.rows)"' "$dir/events" |
	awk '{ n[$1] += $2 } END { for (p in n) print p, n[p] }' >"$dir/counted"
while read -r pid rows n; do
	check "seed $seed: $n statements of a session" "$(awk -v p="$pid" '$1 == p { print $2 }' "$dir/counted")" "$rows"
done <"$dir/sent"
check "seed $seed: every count is exact" \
	"$(results '.db.tables | length > 0' | jq -r .db.confidence | sort -u | tr '\n' ' ')" 'exact '
check "seed $seed: nothing was lost" "$(jq -s 'map(select(.event == "gap")) | length' "$dir/events")" 0
echo "seed $seed: $statements statements, $(awk '{ n += $2 } END { print n }' "$dir/sent") rows"
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
finish
