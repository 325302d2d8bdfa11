#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An hour that is unusual, against real servers: what a principal reads is learnt, is still there after a
# restart, and a jump is told with what was usual, for him alone. Nobody waits for ten hours: the hour that
# was really read is put ten times before itself, by an export and an import.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
cli=$(realpath "${ROLLCALL_CLI:-build/rollcall}")
cat >"$dir/sensor.yaml" <<-END
	policy: {rules: $(pwd)/policy/rules}
	baseline: {file: $dir/state, warm_up_hours: 0}
	thresholds: {result_rows: 0, result_fraction: 0}
END
baseline() { "$cli" baseline "$@" --file "$dir/state"; }
known() { baseline list --json --what rows | jq -r '"\(.of)|\(.rows // 0)|\(.hours // "")"' | sort; }
unusual() { jq -c 'select(.event == "rows_unusual") | ['"$1"']' "$dir/events"; }
begin() { sensor_start --config "$dir/sensor.yaml"; }
await() { # COMMAND...
	for _ in $(seq 100); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done
	echo "FAILED to see: $*"
}
# The hour may turn between two readings: then what is asked is not what was done.
[ "$(date +%M%S)" -lt 5800 ] || sleep 130
servers_start
servers_fill

# ---- an hour as ever ----
begin
for n in 100 120 80; do
	pg -c "select name from staff limit $n" >/dev/null
	my -e "select name from staff limit $n" >/dev/null
done
sensor_stop
check "learnt" "$(known)" "hr.public.staff|300|
mdm.staff|300|"
check "nothing is unusual yet" "$(unusual .rows)" ""

# ---- ten of them ----
baseline export >"$dir/export"
jq -c 'if .what == "rows" then .hours = ([range(10)] | map(290 + 2 * . | tostring) | join(" ")) | .rows = 0 | .hour -= 1 else . end' \
	"$dir/export" >"$dir/import"
baseline import --replace "$dir/import" >/dev/null
begin
pg -c "select name from staff limit 310" >/dev/null
my -e "select name from staff limit 310" >/dev/null
sensor_stop
check "as ever" "$(unusual .rows)" ""
check "kept over a restart" "$(known)" "hr.public.staff|310|290 292 294 296 298 300 302 304 306 308
mdm.staff|310|290 292 294 296 298 300 302 304 306 308"

# ---- a jump, after another restart ----
begin
my -e "select name from staff limit 100" >/dev/null # 410: within what is expected
pg -c "select name, mobile from staff limit 2000" >/dev/null
pg -c "select name from staff limit 100" >/dev/null # not doubled: not told again
pg -c "select * from staff limit 3000" >/dev/null
await eval '[ "$(unusual .rows | wc -l)" = 2 ]'
sensor_stop
# The median of the ten is 299, their deviation 5: less than a tenth of the median counts as that.
check "told with what was usual, and again when it has doubled" \
	"$(unusual '.table, .rows, .median, .deviation, .hours, .limit')" '["hr.public.staff",2310,299,5,10,478]
["hr.public.staff",5410,299,5,10,478]'
check "by whom" "$(unusual '.principal, .db.user, .db.client.exe' | sort -u)" \
	"[\"postgresql:app@hr via $(readlink -f "$pg_bin/psql") as root\",\"app\",\"$(readlink -f "$pg_bin/psql")\"]"
check "its cause is the result" "$(for id in $(unusual .cause | jq -r '.[]'); do
	jq -c 'select(.id == "'"$id"'") | [.event, .db.rows]' "$dir/events"
done)" '["db_result",2000]
["db_result",3000]'
check "the rule that is shipped finds it" \
	"$(jq -r 'select(.rule.title == "Far more rows in an hour than this principal ever reads") | .rule.level' "$dir/events" | sort -u)" high
check "the running hour is kept, too" "$(known | cut -d'|' -f1,2)" "hr.public.staff|5410
mdm.staff|410"
finish
