#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Signed policies from the aggregator to the sensors: delivered while connected and when connecting,
# once; verified by the sensor, not by who carries them; one for a host before that of all.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
. tests/e2e/aggregator.sh
trap 'agg_stop; sensor_stop; cleanup' EXIT
chmod 755 "$dir"
mkdir "$dir/bin" "$dir/rules" "$dir/one" "$dir/two" "$dir/state"
cp /bin/true "$dir/bin/true"
await() { # COMMAND...: until it succeeds
	for _ in $(seq 200); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done
	echo "FAILED to see: $*"
	return 1
}
rule() { # NAME: programs of that name
	printf '%s\n' "title: $1" "id: $1" 'logsource: {category: process_creation}' \
		"detection: {s: {Image|startswith: $dir/bin/$1}, condition: s}"
}
run() { ln -f "$dir/bin/true" "$dir/bin/$1"; "$dir/bin/$1"; }
sign() { "$rollcall" policy sign --key "$dir/$1" --serial "$2" "$dir/$3" -o "$dir/$4" >/dev/null; }
order() { "$aggregator" policy "$dir/$1" --dir "$dir/agg" "${@:2}"; }
begin() { sensor_stream --config "$dir/sensor.yaml"; }
end() { sensor_stop; cat "$dir/events" >>"$dir/before"; rm "$dir/events"; }
: >"$dir/before"
changes() {
	grep -h '"event":"policy_change"' "$dir/before" "$dir/events" |
		jq -r 'select(.by == "bundle") | "\(.result) \(.serial) \(.reason // "")"'
}
changed() { changes | grep -qx "$1"; }
found() { ctl findings --json | jq -e --arg id "$1" 'select(.rule.id == $id)' >/dev/null; }

for key in key other; do
	openssl genpkey -algorithm ed25519 -out "$dir/$key" 2>/dev/null
	openssl pkey -in "$dir/$key" -pubout -out "$dir/$key.pub"
done
rule local >"$dir/rules/a.yml"
rule one >"$dir/one/a.yml"
rule two >"$dir/two/a.yml"
sign key 7 one 7.bundle
sign key 8 two 8.bundle
sign key 9 one 9.bundle
sign other 10 two other.bundle
cat >"$dir/sensor.yaml" <<-END
	policy: {rules: $dir/rules, key: $dir/key.pub, inbox: $dir/state/inbox, accepted: $dir/state/accepted}
END
agg_init

# ---- the command ----
check "it says what comes" "$(order 7.bundle | sed 's/.*: sent/sent/; s/,.*//')" "sent to every host within seconds"
check "what is no policy" "$(order rules/a.yml 2>&1)" \
	"rollcall-aggregator: error: '$dir/rules/a.yml' is no signed policy (rollcall policy sign makes one)"
check "a bad host" "$(order 7.bundle --host ../x 2>&1)" "rollcall-aggregator: error: '../x' is no name of a host"
{ head -1 "$dir/7.bundle"; head -c 1048576 /dev/zero; } >"$dir/large.bundle"
check "too large" "$(order large.bundle 2>&1 | sed 's/.*: //')" "at most 1048448 bytes can be sent"
check "none of them replaces it" "$(cmp "$dir/7.bundle" "$dir/agg/policy.bundle" && ls "$dir/agg" | grep -c -e new -e large)" 0
"$aggregator" policy --dir "$dir/agg" 2>/dev/null
check "wrong usage" "$?" 2

# ---- when it connects ----
agg_start
begin
await changed "applied 7 "
run one1
await found one
check "it is the policy" "$(ctl findings --json | jq -r .rule.id | sort -u)" one
check "the inbox is empty" "$(ls -A "$dir/state/inbox")" ""

# ---- while it is connected ----
order 8.bundle >/dev/null
await changed "applied 8 "
run two1
await found two
check "a newer one" "$(changes | tr '\n' ';')" "applied 7 ;applied 8 ;"

# ---- once ----
agg_stop
agg_start
await eval '[ "$(grep -c "mdm1 connected" "$dir/agg.log")" = 2 ]'
check "delivered" "$(delivered; echo $?)" 0
end
begin
check "delivered after a restart" "$(delivered; echo $?)" 0
check "it was sent once" "$(changes | wc -l) $(grep -c 'signed policy sent' "$dir/agg.log")" "2 2"

# ---- who carries it, or takes over who carries it, cannot make one ----
order other.bundle >/dev/null
await changed "refused 0 its signature is not that of policy.key"
order 7.bundle >/dev/null
await changed "refused 7 its serial number 7 is not above 8, which was taken before"
as_stream() { setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups "$@"; }
touch "$dir/state/inbox/.of-root"
sed "s|bin/two|bin/any|" "$dir/8.bundle" |
	as_stream sh -c "cat >'$dir/state/inbox/.x' && mv '$dir/state/inbox/.x' '$dir/state/inbox/forged.bundle'"
await eval '[ "$(changes | grep -c "refused 0 its signature")" = 2 ]'
as_stream rm -f "$dir/state/inbox/.of-root" 2>/dev/null
check "nor remove another's file" "$(ls -A "$dir/state/inbox")" .of-root
as_stream ls "$dir/state/accepted" >/dev/null 2>&1 && as_stream sh -c ": >>'$dir/state/accepted'" 2>/dev/null
check "nor change what was taken" "$(cmp "$dir/8.bundle" "$dir/state/accepted"; echo $?)" 0
check "the policy stays" "$("$rollcall" policy list --control "$dir/control" --json | jq -c '[.serial, .rules[0].id]')" '[8,"two"]'

# ---- one for this host ----
order 9.bundle --host mdm1 >/dev/null
await changed "applied 9 "
order 8.bundle --host other >/dev/null
order 7.bundle >/dev/null
sleep 12
check "it gets no other" "$(changes | tail -1)" "applied 9 "
end

# ---- a sensor that takes none ----
sed -i "s|key: $dir/key.pub, ||" "$dir/sensor.yaml"
order 8.bundle --host mdm1 >/dev/null
begin
await grep -q 'sends a signed policy, but there is no policy.key: it is not taken' "$dir/sensor.log"
check "delivered without a key" "$(delivered; echo $?)" 0
check "it has its files" "$("$rollcall" policy list --control "$dir/control" --json | jq -r '.rules[0].id')" local
sensor_stop
finish
