#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What refers to messages that were only counted: a statement and a portal without a name that the
# sensor was not told of are not those of the staff table that it was told of before; and a name that
# stood for a look-up of no interest may be given to another statement. The client is pgraw.py.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
rollcall=$(realpath "${ROLLCALL_CLI:-build/rollcall}")
servers_start
servers_fill
"$rollcall" setup database --watch postgresql:hr.public.staff --socket "$dir/run" --port "$port" \
	--output "$dir/resolved" >/dev/null || exit 1
cat >"$dir/rule.yml" <<END
title: another
logsource: {category: database}
detection: {s: {Statement|contains: nowhere}, condition: s}
END
sensor_start --resolved "$dir/resolved" --control "$dir/control" --rules "$dir/rule.yml"
ends() { "$rollcall" status --json --control "$dir/control" | jq '[.coverage.counts[] | select(.event == "db_end") | .written] | add // 0'; }
staff=$(python3 tests/e2e/pgraw.py "$dir/run/.s.PGSQL.$port" unseen unseen) || exit 1
told=$(ends)
sensor_stop
check "its client" "$staff" 21
check "what was read of the staff table, and no more" "$(results '.db.tables == ["hr.public.staff"] and .db.rows > 0' | jq -c '[.db.rows, .db.statement]')" \
	'[1,"select name, mobile from staff where id = ?"]
[20,"prepare \"S_1\" as select name, mobile from staff limit ?"]'
echo "$told of 605 results were told one by one"
check "all rows are the session's" "$(jq -c 'select(.event == "db_session" and .closed and .db.client.program == "unseen") | .rows' "$dir/events" | awk '{ n += $1 } END { print n }')" 623
check "nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0
finish
