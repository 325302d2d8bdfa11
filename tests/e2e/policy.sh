#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The shipped rules: each against a recording that must match and a benign one that must not; the
# command line; and some of the attack's steps on this host, with the shipped rules in a sensor.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
cli=$(realpath "${ROLLCALL_CLI:-build/rollcall}")
chmod 755 "$dir"

# ---- every rule, replayed ----
mkdir "$dir/none"
replay() {
	"$cli" policy test --present "$dir/none" --against "$1" \
		--profile "$(pwd)/policy/profiles/fleet.yaml" policy/rules 2>&1
}
check "the shipped rules have no mistake" \
	"$("$cli" policy check --notes policy/rules | sed -E 's/^[0-9]+ rules.*: //')" "0 mistakes, 0 notes"
# The titles of a file's rules; what is only counted by a correlation is of level informational.
speaking() { awk '/^title: / { t = substr($0, 8) } /^level: / && $2 != "informational" { print t }' "$1"; }
for rules in policy/rules/*.yml; do
	name=$(basename "$rules" .yml)
	replay "tests/replay/$name.fire.jsonl" >"$dir/fire"
	while read -r title; do
		check "$name: $title" "$(grep -oF "  $title" "$dir/fire" | sort -u | wc -l)" 1
	done < <(speaking "$rules")
	check "$name: benign" "$(replay "tests/replay/$name.benign.jsonl" | grep -v 'LEVEL\|^[0-9]* events\(, [0-9]* gaps.*\)\?$')" ""
done
check "no recording without rules" "$(for r in tests/replay/*.jsonl; do
	[ -f "policy/rules/$(basename "$r" | cut -d. -f1).yml" ] || echo "$r"
done)" ""

# What an analyst needs of every rule, and ids as ATT&CK has them.
tactics='initial-access|execution|persistence|privilege-escalation|defense-evasion|credential-access|discovery|lateral-movement|collection|command-and-control|exfiltration|impact'
for rules in policy/rules/*.yml; do
	awk -v RS='\n---\n' '/(^|\n)(detection|correlation):/' ORS='\n---\n' "$rules" >"$dir/documents"
	check "$(basename "$rules"): each rule says what it is, what else it may be, and its techniques" \
		"$(awk -v RS='\n---\n' -v tactics="$tactics" '
			function lacks(re) { return "\n" $0 "\n" !~ re }
			!NF { next }
			lacks("\ndescription: [^\n]") || lacks("\nfalsepositives:\n") || lacks("\nlevel: ") ||
			lacks("\nattack_version: .?16.?\n") || lacks("\n +- attack\\.t[0-9][0-9][0-9][0-9]") ||
			lacks("\n +- attack\\.(" tactics ")\n") { print $0 }' "$dir/documents" | sed -n 's/^title: //p')$(
			grep -oE '^ +- attack\..*' "$rules" | grep -vE "^ +- attack\.(t[0-9]{4}(\.[0-9]{3})?|$tactics)$")" ""
done

check "the sensor's own rules are in the policy" \
	"$(sed -n 's/^name: \(rollcall-\)/\1/p' policy/rules/database_findings.yml | sort)" \
	"$(grep -oh '"rollcall-[a-z0-9-]*"' user/sensor/derive/*.c | tr -d '"' | sort)"

# ---- the command line ----
check "docs/fields.md is what the program says" \
	"$("$cli" policy fields | diff - <(sed -n '/^| category/,$p' docs/fields.md) && echo same)" same
printf 'title: t\nlogsource: {category: process_creation}\ndetection: {s: {Imgae|contain: x}, condition: s}\n' >"$dir/bad.yml"
check "a mistake has its place" "$("$cli" policy check "$dir/bad.yml" | head -1)" \
	"$dir/bad.yml:3:23: unknown modifier 'contain'; did you mean 'contains'?"
"$cli" policy check "$dir/bad.yml" >/dev/null
check "a mistake: exit status" "$?" 1
sed -i 's/|contain//' "$dir/bad.yml"
check "a note" "$("$cli" policy check --notes "$dir/bad.yml" | head -1 | cut -d: -f2-)" \
	"3:17: note: no event of this log source has the field 'Imgae'; did you mean 'Image'?"
check "fields of a rule" "$("$cli" policy check --fields "$dir/bad.yml" | head -1 | cut -d: -f2-)" " t: !Imgae"
check "a report of a rule" "$("$cli" policy check --report "$dir/bad.yml" | tail -3 | head -1)" "| t | - | process_creation | Imgae | Imgae |"
check "notes only when asked for" "$("$cli" policy check "$dir/bad.yml")" "1 rules, 0 correlations, 0 filters: 0 mistakes, 1 notes"
"$cli" policy check "$dir/missing" >/dev/null 2>&1
check "what is not there: exit status" "$?" 1
check "a directory without rules is a mistake" "$("$cli" policy check "$dir/none" 2>&1 | head -1)" \
	"rollcall: error: no rules in '$dir/none': files *.yml and *.yaml are read"
"$cli" policy apply "$dir/none" --rules "$dir/installed" --control "$dir/no" 2>/dev/null
check "and does not disarm a sensor" "$? $(ls "$dir/installed" 2>&1 | grep -c cannot)" "1 1"
mkdir "$dir/dangling"
ln -s "$dir/gone" "$dir/dangling/x.yml"
check "what cannot be read is named" "$("$cli" policy check "$dir/dangling" 2>&1 | head -1)" \
	"rollcall: error: cannot read '$dir/dangling/x.yml': No such file or directory"
echo '{"event":"exec","nope":1}' >"$dir/bad.jsonl"
check "a recording's mistake" "$("$cli" policy test --against "$dir/bad.jsonl" policy/rules 2>&1)" \
	"rollcall: error: $dir/bad.jsonl:1: Exec has no field 'nope'"
"$cli" policy 2>/dev/null
check "wrong usage" "$?" 2
echo 'title: t' >"$dir/bad.yml"
check "a sensor tells mistakes" "$("$sensor" --check-config --rules "$dir/bad.yml" 2>&1 | head -1)" \
	"rollcall-sensor: error: $dir/bad.yml:1:1: 'detection', 'correlation' or 'filter' is missing"
"$sensor" --stdout --rules "$dir/bad.yml" 2>/dev/null
check "a sensor does not start with mistakes" "$?" 1

# ---- for real: a service that was broken into ----
mkdir "$dir/web"
cp /bin/bash "$dir/java"
mark=mark$$
cat >"$dir/sensor.yaml" <<-END
	policy: {rules: $(pwd)/policy/rules}
	files: {web_roots: [$dir/web], logs: [$dir/logs]}
END
mkdir "$dir/logs"
echo line >"$dir/logs/access_log"
"$sensor" --stdout --config "$dir/sensor.yaml" >"$dir/events" 2>"$dir/sensor.log" &
running=$!
for _ in $(seq 300); do grep -q '"event":"ready"' "$dir/events" && break; sleep 0.1; done
"$dir/java" -c "sh -c 'id $mark >/dev/null 2>&1; :'; :" # A1, A5
"$dir/java" -c "sh -c 'echo x >$dir/web/403.jsp; :'; :" # A4
cp /bin/true "/tmp/rollcall-$mark" && "/tmp/rollcall-$mark" && rm "/tmp/rollcall-$mark" # A3
tar -C "$dir" -czf "$dir/web/$mark.css" logs # A8
rm "$dir/web/$mark.css" # A10
truncate -s 0 "$dir/logs/access_log"
for _ in $(seq 100); do grep -q '"title":"Log file cut' "$dir/events" && break; sleep 0.1; done
kill "$running"
wait "$running"
found() { # TITLE: [level, status, has evidence] of what our own processes did
	jq -c 'select(.event == "finding" and .rule.title == "'"$1"'") | select([.process | .. | strings] | any(contains("'"${dir##*/}"'") or contains("'"$mark"'"))) |
		[.rule.level, .status, (.evidence | length), .rule.attack_version]' "$dir/events" | head -1
}
check "live: a shell below java" "$(found 'Shell below a web or application server')" '["high","new",1,"16"]'
check "live: reconnaissance" "$(found 'Reconnaissance below a web or application server')" '["medium","new",1,"16"]'
check "live: a script in the web root" "$(found 'Server-side script made in a web root')" '["high","new",1,"16"]'
check "live: a fresh program" "$(found 'Program executed from a temporary directory within a minute of its making' | cut -c1-6)" '["high'
check "live: an archive under another name" "$(found 'Archive or dump written to a web root under another name')" '["high","new",1,"16"]'
check "live: the chain of both, by the file's name" \
	"$(found 'Archive in a web root under another name, then removed' | cut -c1-19)" '["critical","new",2'
check "live: removed again" "$(found 'File removed from a web root by a shell command')" '["low","new",1,"16"]'
check "live: a log that was cut" "$(found 'Log file cut, or given other times')" '["high","new",1,"16"]'
check "live: evidence is an event" "$(jq -r 'select(.rule.title == "Archive or dump written to a web root under another name") | .evidence[0]' "$dir/events" |
	while read -r id; do jq -r 'select(.id == "'"$id"'") | .event' "$dir/events"; done | sort -u)" file_write
check "live: the same from the recording" \
	"$(replay "$dir/events" | grep -o 'Archive or dump written' | sort -u | wc -l)" 1

# ---- for real: rows of three reads, by one user and three programs, are one sum ----
PEOPLE=2000 people=2000
servers_start
servers_fill
"$sensor" --stdout --watch postgresql:hr.public.staff --rules "$(pwd)/policy/rules/db_reads.yml" >"$dir/reads" 2>>"$dir/sensor.log" &
running=$!
for _ in $(seq 300); do grep -q '"event":"ready"' "$dir/reads" && break; sleep 0.1; done
for name in one two three; do
	cp "$pg_bin/psql" "$dir/$name"
	setpriv --reuid=games --regid=games --clear-groups "$dir/$name" -X -q -A -t \
		"host=$dir/run port=$port user=app dbname=hr" -c "select * from staff" >/dev/null
done
for _ in $(seq 100); do grep -q '"title":"Many rows read' "$dir/reads" && break; sleep 0.1; done
kill "$running"
wait "$running"
check "live: rows by user" \
	"$(jq -c 'select(.rule.title == "Many rows read by one operating system user, through whatever programs") |
		[.rows, .events, .principal, (.evidence | length), .rule.level]' "$dir/reads")" \
	'[6000,3,"ClientUser=games",3,"high"]'
finish
