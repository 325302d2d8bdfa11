#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Signed policies in the inbox of a sensor: taken when signed by the configured key and newer than the
# one before, over a restart too; refused, and told, otherwise.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
rollcall=$(realpath "${ROLLCALL_CLI:-build/rollcall}")
chmod 755 "$dir"
mkdir "$dir/bin" "$dir/rules" "$dir/one" "$dir/two" "$dir/bad" "$dir/state"
cp /bin/true "$dir/bin/true"
await() { # COMMAND...: until it succeeds
	for _ in $(seq 100); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done
	echo "FAILED to see: $*"
	return 1
}
rule() { # NAME: programs of that name
	printf '%s\n' "title: $1" "id: $1" 'logsource: {category: process_creation}' \
		"detection: {s: {Image|startswith: $dir/bin/$1}, condition: s}"
}
run() { ln -f "$dir/bin/true" "$dir/bin/$1"; "$dir/bin/$1"; }
rules_of() { jq -r 'select(.event == "finding" and (.process.exe | test("/bin/'"$1"'$"))) | .rule.id' "$dir/events"; }
saw() { grep -q "\"event\":\"exec\".*$dir/bin/$1\"" "$dir/events"; }
changes() { jq -r 'select(.event == "policy_change") | '"$1" "$dir/events"; }
reason() { changes 'select(.path == "'"$dir/state/inbox/$1"'") | [.result, .by, .serial, .reason] | join(" ")'; }
sign() { "$rollcall" policy sign --key "$dir/$1" --serial "$2" "$dir/$3" -o "$dir/$4"; }
send() { # FILE [NAME]: arrives whole
	cp "$dir/$1" "$dir/state/inbox/.${2:-$1}" && mv "$dir/state/inbox/.${2:-$1}" "$dir/state/inbox/${2:-$1}"
	await eval "[ ! -e '$dir/state/inbox/${2:-$1}' ]"
}
begin() {
	rm -f "$dir/events" # it is looked at before the new one is made
	sensor_start --config "$dir/sensor.yaml" --control "$dir/control"
}

for key in key other; do
	openssl genpkey -algorithm ed25519 -out "$dir/$key" 2>/dev/null
	openssl pkey -in "$dir/$key" -pubout -out "$dir/$key.pub"
done
rule local >"$dir/rules/a.yml"
rule one >"$dir/one/a.yml"
rule two >"$dir/two/a.yml"
rule one >"$dir/two/b.yml"
echo 'title: bad' >"$dir/bad/b.yml"
cat >"$dir/sensor.yaml" <<-END
	policy: {rules: $dir/rules, key: $dir/key.pub, inbox: $dir/state/inbox, accepted: $dir/state/accepted}
END

# ---- the command line ----
check "signed" "$(sign key 7 one 7.bundle | sed 's/, .*//')" "$dir/7.bundle: serial 7"
check "what was signed can be read" "$(grep -ac -e '^rollcall-policy 1$' -e '^serial 7$' -e '^file [0-9]* a.yml$' -e '^signature [0-9a-f]*$' "$dir/7.bundle")" 4
sign key 8 bad x.bundle >"$dir/answer" 2>/dev/null
check "mistakes are not signed" "$? $(cat "$dir/answer") $(ls "$dir/x.bundle" 2>&1 | grep -c cannot)" \
	"1 $dir/bad/b.yml:1:1: 'detection', 'correlation' or 'filter' is missing 1"
check "a public key does not sign" "$(sign key.pub 8 one x.bundle 2>&1)" "rollcall: error: '$dir/key.pub': not an Ed25519 private key in PEM"
sign key 0 one x.bundle 2>/dev/null
check "a serial number above 0" "$?" 2
"$rollcall" policy sign "$dir/one" 2>/dev/null
check "wrong usage" "$?" 2
sed "s|$dir/key.pub|$dir/key|" "$dir/sensor.yaml" >"$dir/wrong.yaml"
"$sensor" --stdout --config "$dir/wrong.yaml" >/dev/null 2>"$dir/wrong.log"
check "a sensor does not start with a wrong key" "$? $(grep -c "policy.key '$dir/key': not an Ed25519 public key in PEM" "$dir/wrong.log")" "1 1"

# ---- taken ----
begin
run local1
await eval '[ -n "$(rules_of local1)" ]'
send 7.bundle
await eval 'changes .result | grep -q applied'
check "taken" "$(changes '[.result, .by, .serial, .path, .added, .removed] | map(tostring) | join(" ")')" \
	"applied bundle 7 $dir/state/inbox/7.bundle 1 1"
run local2
run one1
await eval '[ -n "$(rules_of one1)" ]'
await saw local2
check "it is the policy" "$(rules_of local2)$(rules_of one1)" one
check "what is in force" "$("$rollcall" policy list --control "$dir/control" --json | jq -c '[.serial, .rules[0].id, .rules[0].file]')" \
	"[7,\"one\",\"$dir/state/inbox/7.bundle/a.yml\"]"

# ---- refused ----
sign other 9 two other.bundle >/dev/null
head -n -1 <"$dir/7.bundle" >"$dir/unsigned.bundle"
sed 's|bin/one|bin/any|' "$dir/7.bundle" >"$dir/changed.bundle"
sign key 6 two 6.bundle >/dev/null
head -c 17000000 /dev/zero >"$dir/large.bundle"
mkfifo "$dir/state/inbox/fifo.bundle"
await eval "[ ! -e '$dir/state/inbox/fifo.bundle' ]"
ln -s "$dir/7.bundle" "$dir/state/inbox/link.bundle"
await eval "[ ! -e '$dir/state/inbox/link.bundle' ]"
for b in other unsigned changed 6 7 large; do send "$b.bundle" "$b-again.bundle"; done
touch "$dir/state/inbox/note.txt"
await eval '[ -n "$(reason large-again.bundle)" ]'
check "another key" "$(reason other-again.bundle)" "refused bundle 0 its signature is not that of policy.key"
check "not signed" "$(reason unsigned-again.bundle)" "refused bundle 0 it is not signed"
check "changed" "$(reason changed-again.bundle)" "refused bundle 0 its signature is not that of policy.key"
check "older" "$(reason 6-again.bundle)" "refused bundle 6 its serial number 6 is not above 7, which was taken before"
check "the same" "$(reason 7-again.bundle)" "refused bundle 7 its serial number 7 is not above 7, which was taken before"
check "too large" "$(reason large-again.bundle)" "refused bundle 0 cannot be read: File too large"
check "a pipe" "$(reason fifo.bundle)" "refused bundle 0 cannot be read: Invalid argument"
check "a link" "$(reason link.bundle)" "refused bundle 0 cannot be read: Too many levels of symbolic links"
check "in the log, too" "$(grep -c "error: policy '$dir/state/inbox/.*' was refused (bundle), the old one stays in force: " "$dir/sensor.log")" 8
check "others are left alone" "$(ls -A "$dir/state/inbox")" note.txt
# Signed, but this sensor does not understand it: by a bundle of ours with a mistake put in by hand.
{ printf 'rollcall-policy 1\nserial 8\nfile %d b.yml\n' "$(stat -c %s "$dir/bad/b.yml")"; cat "$dir/bad/b.yml"; echo; } >"$dir/body"
openssl pkeyutl -sign -inkey "$dir/key" -rawin -in "$dir/body" -out "$dir/body.sig"
{ cat "$dir/body"; printf 'signature %s\n' "$(od -An -v -tx1 "$dir/body.sig" | tr -d ' \n')"; } >"$dir/8.bundle"
send 8.bundle
await eval '[ -n "$(reason 8.bundle)" ]'
check "a mistake in a rule has its place" "$(reason 8.bundle)" \
	"refused bundle 8 $dir/state/inbox/8.bundle/b.yml:1:1: 'detection', 'correlation' or 'filter' is missing"
"$rollcall" policy apply --control "$dir/control" "$dir/two" >"$dir/answer" 2>/dev/null
check "files do not replace it" "$? $(cat "$dir/answer")" "1 the policy is that of the signed bundle 7: sign a newer one"
kill -HUP "$sensor_pid"
await eval 'changes .by | grep -q signal'
check "nor does SIGHUP" "$(changes 'select(.by == "signal") | .result')" refused
run one2
await eval '[ -n "$(rules_of one2)" ]'
check "it is still the policy" "$(rules_of one2)" one
sensor_stop

# ---- after a restart ----
begin
check "nothing has changed by it" "$(changes .result)" ""
check "it is named" "$(jq -r 'select(.event == "ready") | .policy' "$dir/events")" "$(cd "$dir/one" && sha256sum a.yml | sha256sum | cut -c1-64)"
run one3
run local3
await saw local3
await eval '[ -n "$(rules_of one3)" ]'
check "in force again" "$(rules_of one3)$(rules_of local3)" one
send 6.bundle
await eval '[ -n "$(reason 6.bundle)" ]'
check "no way back" "$(reason 6.bundle | cut -d" " -f1-3)" "refused bundle 6"
sign key 8 two 8.bundle >/dev/null
send 8.bundle
await eval '[ -n "$(reason 8.bundle)" ]'
check "a newer one" "$(changes 'select(.serial == 8) | [.result, .added, .removed, .changed] | map(tostring) | join(" ")')" "applied 1 0 0"
sensor_stop

# ---- another key: what was kept is none of its ----
sed -i "s|$dir/key.pub|$dir/other.pub|" "$dir/sensor.yaml"
begin
check "told" "$(changes '[.result, .reason] | join(" ")')" "refused its signature is not that of policy.key"
run local4
await eval '[ -n "$(rules_of local4)" ]'
check "the files are in force" "$(rules_of local4)" local
sensor_stop
finish
