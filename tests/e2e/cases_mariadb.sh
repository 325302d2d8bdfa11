#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# MariaDB's protocol where it is odd: answers that are neither OK nor rows, both ways to end a
# result, statement -1, another user on the same connection, packets that are just full, and
# results that are cut off.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
servers_start
servers_fill
mariadb --no-defaults -S "$dir/my/sock" -u root -e "create user raw@'%'; create user other@'%';
	grant all on *.* to raw@'%'; grant all on *.* to other@'%'" || exit 1
sensor_start
declare -A got
for c in cursor_eof cursor_ok last_statement bytewise housekeeping change_user full_packets local_infile \
	many_results kill_query kill_connection gone; do
	got[$c]=$(python3 tests/e2e/myraw.py "$dir/my/sock" $c)
done
sensor_stop

of() { # CASE FILTER: over the results of the case's statement
	results ".db.system == \"mariadb\" and ((.db.statement // \"\") | test(\"as $1\"))" | jq -s -c "$2"
}
rows='map(.db.rows) | add'
for c in cursor_eof cursor_ok; do
	check "14 $c: client" "${got[$c]}" 5000
	check "14 $c: slices" "$(of $c 'map([.db.rows, .db.end]) | .[-3:]')" '[[100,"suspended"],[100,"suspended"],[4800,"complete"]]'
	check "14 $c: of the table" "$(of $c 'map(.db.tables) | unique')" '[["mdm.staff"]]'
done
for c in last_statement bytewise housekeeping change_user local_infile; do
	check "$c: client" "${got[$c]}" 5000
	check "$c" "$(of $c 'map([.db.rows, .db.confidence, .db.end, .db.tables])')" '[[5000,"exact","complete",["mdm.staff"]]]'
done
check "the user after COM_CHANGE_USER" "$(of change_user 'map([.db.user, .db.name])')" '[["other","mysql"]]'
check "16 full packets: client" "${got[full_packets]}" 2
check "16 full packets" "$(of full_packets 'map([.db.rows, .db.max_row, .db.confidence])')" '[[2,16777215,"exact"]]'
check "15 many results: client" "${got[many_results]}" 5030
check "15 many results" "$(of many_results 'map(.db.rows)')" '[10,20]'
check "15 a procedure's result" "$(results '(.db.statement // "") | test("^call p_staff")' | jq -s -c 'map(.db.rows)')" '[5000]'
check "KILL QUERY: as many as the client got" "$(of kill_query 'map([.db.rows, .db.end, .db.confidence])')" "[[${got[kill_query]},\"failed\",\"exact\"]]"
for c in kill_connection gone; do
	# The client has read 1000 when it ends.
	check "$c: a lower bound" "$(of $c 'map([.db.rows >= 1000 and .db.rows < 1000000, .db.end, .db.confidence])')" '[[true,"aborted","lower_bound"]]'
done
check "only what was cut off is uncertain" "$(results '.db.confidence != "exact"' | wc -l)" 2
check "nor is anything of the housekeeping" "$(jq -r 'select(.event == "db_summary" and (.principal | test("python"))) | .db.confidence' "$dir/events" | sort -u)" exact
check "nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
finish
