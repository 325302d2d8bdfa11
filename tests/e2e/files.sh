#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Watched directories and processes from the configuration to the events: a web shell, a staged
# archive, a directory that comes later, a shell that ran before the sensor.
set -u
cd "$(dirname "$0")/../.." || exit 1
dir=$(mktemp -d /tmp/rollcall-files.XXXXXX)
passed=0
failed=0
sensor=
old=
end() {
	[ -z "$sensor" ] || { kill "$sensor" && wait "$sensor"; } 2>/dev/null
	[ -z "$old" ] || kill "$old" 2>/dev/null
	rm -rf "$dir"
}
trap end EXIT
# By the kind of event: the paths are in the arguments of our own tools, too.
told() { grep -E '"event":"(ready|file_)' "$dir/out"; }
has() { # NAME JQ-EXPRESSION: an event that fits comes, sooner or later
	for _ in $(seq 100); do
		if told | jq -e -n "first(inputs | select($2))" >/dev/null 2>&1; then
			passed=$((passed + 1))
			return
		fi
		sleep 0.1
	done
	echo "FAILED $1: no event with $2"
	failed=$((failed + 1))
}
mkdir "$dir/www" "$dir/other"
cp /bin/bash "$dir/server"
cat >"$dir/sensor.yaml" <<-EOF2
	files:
	  web_roots: [$dir/www]
	  logs: [$dir/log]
	processes:
	  watch: [$dir/server]
EOF2
mkfifo "$dir/go"
"$dir/server" -c "read -r _ <'$dir/go'; echo old >'$dir/other/old'; sh -c \"echo child >'$dir/other/child'\"; :" &
old=$!
until [ "$(readlink "/proc/$old/exe")" = "$dir/server" ]; do sleep 0.05; done
build/rollcall-sensor --stdout --config "$dir/sensor.yaml" --resolved "" >"$dir/out" 2>"$dir/err" &
sensor=$!
has ready '.event == "ready"'

echo 'shell' >"$dir/www/403.jsp"
has "web shell" ".event == \"file_open\" and .path == \"$dir/www/403.jsp\" and .created and .tree == 1"
head -c 100000 /dev/urandom | gzip >"$dir/www/a.css"
size=$(stat -c %s "$dir/www/a.css")
has "what it is" ".event == \"file_write\" and .path == \"$dir/www/a.css\" and .type == \"application/gzip\" and (has(\"head\") | not)"
has "staged archive" ".event == \"file_close\" and .path == \"$dir/www/a.css\" and .written == $size and .inode.size == $size"
echo go >"$dir/go"
has "shell that ran before" ".event == \"file_close\" and .path == \"$dir/other/old\" and .lineage == 3 and .written == 4"
has "its child" ".event == \"file_close\" and .path == \"$dir/other/child\" and .lineage == 1 and .written == 6"
wait "$old"
old=

# Until the sensor has seen the new directory, writes below it are silent: write until one is told.
mkdir "$dir/log"
for _ in $(seq 100); do
	echo line >>"$dir/log/access"
	told | grep -q "$dir/log/access" && break
	sleep 0.1
done
has "directory that came later" ".event == \"file_write\" and .path == \"$dir/log/access\" and .tree == 4"

echo silent >"$dir/other/silent"
echo last >"$dir/www/last"
has last ".event == \"file_close\" and .path == \"$dir/www/last\""
if told | grep -q "$dir/other/silent"; then
	echo "FAILED: a file of no interest was told"
	failed=$((failed + 1))
else
	passed=$((passed + 1))
fi
[ "$failed" -eq 0 ] || tail -5 "$dir/err"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
