#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `make demo`, interrupted in the middle as from a terminal (all of its processes get the signal), twice:
# no process, directory or BPF program of it stays.
set -u
cd "$(dirname "$0")/../.." || exit 1
passed=0
failed=0
check() { # NAME GOT WANTED
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'FAILED %s: got "%s", wanted "%s"\n' "$1" "$2" "$3"
	fi
}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
# A sensor that ended just before may still have some of its own, which go by themselves.
programs() { /usr/sbin/bpftool prog show -j | jq -r '.[] | select(.name // "" | test("__")) | .id' | sort; }
before=$(programs)
left() { comm -13 <(echo "$before") <(programs); }
# What has ended and lost its parent is a zombie until the machine's init turns to it.
alive() { pgrep -a -r R,S,D,T,t "$@"; }
interrupt_at() { # WORDS: once the demo has printed them
	local demo dir
	# What a shell starts in the background ignores SIGINT, and a shell cannot undo that.
	env --default-signal=INT setsid tests/e2e/demo.sh >"$out" 2>&1 &
	demo=$!
	for _ in $(seq 1200); do grep -q "$1" "$out" && break; sleep 0.1; done
	dir=$(pgrep -g "$demo" -a | grep -o '/tmp/rollcall\.[A-Za-z0-9]*' | head -1)
	check "$1: was reached" "$([ -d "$dir" ] && grep -c "$1" "$out")" 1
	kill -INT -- "-$demo"
	sleep 0.5
	kill -INT -- "-$demo" 2>/dev/null
	wait "$demo"
	check "$1: it says that it failed" $? 1
	check "$1: its directory is gone" "$(ls -d "$dir" 2>&1 | grep -c 'No such file')" 1
	check "$1: its processes are gone" "$(alive -f "$dir")$(alive -g "$demo")" ""
	for _ in $(seq 50); do [ -z "$(left)" ] && break; sleep 0.1; done
	check "$1: its BPF programs are gone" "$(left)" ""
}
interrupt_at 'Starting a private PostgreSQL'
interrupt_at 'An ordinary load'
interrupt_at 'mysqldump --compress'
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
