#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What can be said of the tree without running it: format, sizes, layers, licences, headers that
# stand alone, nothing of the machine it was made on. `check.sh self-test` proves that each check
# can fail. Run in a source tree; TREE names another.
set -u
home=$(cd "$(dirname "$0")/../.." && pwd)
cd "${TREE:-$home}" || exit 1
passed=0
failed=0

files() { git ls-files --cached --others --exclude-standard -- "$@" | grep -v '^build/'; }
report() { # NAME OFFENDERS
	if [ -z "$2" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'FAILED %s:\n%s\n' "$1" "$2"
	fi
}

formatted() { files '*.c' '*.h' | xargs clang-format --dry-run 2>&1 | grep warning: | head; }
# proto/event.proto is the one list of events: it has no limit.
lines_600() { files '*.c' '*.h' '*.sh' '*.py' '*.proto' | grep -v '^proto/event.proto$' | xargs wc -l | awk '$1 > 600 && $2 != "total" { print $2, $1 }'; }
# A function ends at a } in the first column; it began at the last { there.
lines_80() {
	files '*.c' '*.h' | xargs awk '
		FNR == 1 { begin = 0 }
		/^{/ { begin = FNR }
		/^}/ { if (begin && FNR - begin > 81) print FILENAME ":" begin ": " FNR - begin - 1 " lines"; begin = 0 }'
}
licences() {
	for f in $(files 'bpf/*.c' 'bpf/*.h'); do
		head -2 "$f" | grep -q 'SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause' || echo "$f"
	done
	for f in $(files 'user/*.c' 'user/*.h' 'proto/*' 'tests/*.c' 'tests/*.h' 'tests/*.sh' 'tests/*.py' 'packaging/install'); do
		head -3 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' || echo "$f"
	done
}
# lib knows nobody; siblings do not know each other.
layers() {
	grep -nE '#include "(sensor|aggregator|cli)/' $(files 'user/lib/*') /dev/null
	grep -nE '#include "(aggregator|cli)/' $(files 'user/sensor/*') /dev/null
	grep -nE '#include "(sensor|cli)/' $(files 'user/aggregator/*') /dev/null
	grep -nE '#include "(sensor|aggregator)/' $(files 'user/cli/*') /dev/null
}
# One file of a program speaks to a foreign library. libevent: loop and link; OpenSSL: sessions,
# certificates, digests, signatures; SQLite: the writer and the reader; jansson: what setup found, events;
# libseccomp: the filter, and the numbers of calls.
wrapped() {
	local allowed header offender
	while read -r header allowed; do
		for offender in $(grep -lE "#include <$header" $(files 'user/*.c' 'user/*.h') /dev/null); do
			case " $allowed " in *" $offender "*) ;; *) echo "$offender includes <$header...>" ;; esac
		done
	done <<-EOF2
		bpf/ user/sensor/probe.c user/sensor/probe_internal.h user/sensor/probe_report.c user/sensor/probe_map.c user/sensor/probe_pins.c user/sensor/probe_server.c user/sensor/pins.c user/sensor/uprobe.c user/sensor/choice.c user/sensor/guard.c user/sensor/trial.c user/sensor/kernel_types.c user/sensor/verify.c
		yaml.h user/lib/doc.c
		pcre2.h user/lib/sigma/regex.c
		jansson.h user/lib/resolved.c user/lib/event_read.c
		sqlite3.h user/aggregator/store_sqlite.c user/lib/store_read.c
		event2/ user/lib/loop.c user/lib/link.c
		openssl/ user/lib/tls.c user/lib/chain.c user/lib/digest.c user/lib/ed25519.c user/aggregator/ca.c
		seccomp.h user/sensor/sandbox.c user/sensor/syscall.c
		cap-ng.h user/sensor/sandbox.c
		zlib.h user/lib/batch.c user/lib/segment.c user/cli/recording.c
		libelf.h user/sensor/elf.c
		gelf.h user/sensor/elf.c
	EOF2
}
headers_alone() {
	for f in $(files 'user/*.h'); do
		gcc -std=gnu11 -D_GNU_SOURCE -Iuser -isystem "$home/build" -isystem "$home/build/proto" \
			-Wall -Werror -fsyntax-only -x c - <<<"#include \"${f#user/}\"" 2>&1 | grep -m1 'error:'
	done
}
exits() { # outside main files; a child that must not return may _exit
	grep -nE '(^|[^_a-zA-Z])(exit|abort)\(' $(files 'user/*.c' | grep -v '/main.c') /dev/null
}
public_prefix() { # a file's noun begins the names of what it offers
	for f in $(files 'user/*.h'); do
		noun=$(basename "$f" .h)
		grep -oE '^[a-z][a-zA-Z0-9_ \*]*[ \*]([a-z_0-9]+)\(' "$f" | grep -v 'static\|typedef' |
			sed -E 's/.*[ \*]([a-z_0-9]+)\($/\1/' | grep -v "^${noun%%_*}" | sed "s|^|$f: |"
	done | grep -vE 'user/lib/(clean|store_read).h|user/lib/sql/|derive/(summary|session_internal)'
}
top_level() {
	files | cut -d/ -f1 | sort -u |
		grep -vxE 'bpf|user|proto|tests|policy|packaging|docs|Makefile|README.md|LICENSE|\.ci|\.gitignore|\.clang-format'
}
machine() { # paths of whoever's machine; profiles name those of products, as Tomcat's work
	grep -rnE '/(work|home/[a-z]+|root)/' $(files | grep -vE '^(tests/style|policy/profiles)/') /dev/null | grep -v '/root/proc' | head
}
leftovers() { grep -nE '(TO''DO|FIX''ME|XX''X|HA''CK)\b' $(files '*.c' '*.h' '*.sh' Makefile) /dev/null | grep -v XXXXXX; }

all="formatted lines_600 lines_80 licences layers wrapped headers_alone exits public_prefix top_level machine leftovers"

# Each check, in a tree where it has something to find.
self_test() {
	tree=$(mktemp -d)
	trap 'rm -rf "$tree"' EXIT
	cp -r bpf user proto tests packaging docs Makefile README.md LICENSE .clang-format .gitignore "$tree"
	cd "$tree" && git init -q . && git add -A
	spoil() { # CHECK FILE TEXT
		mkdir -p "$(dirname "$2")"
		printf '%b' "$3" >"$2"
		git add -A
		[ -n "$($1)" ] && passed=$((passed + 1)) || { failed=$((failed + 1)); echo "FAILED: $1 finds nothing"; }
		rm "$2"
		git add -A
	}
	local spdx='// SPDX-License-Identifier: Apache-2.0\n'
	spoil formatted user/lib/x.c "${spdx}int  x;\n"
	spoil lines_600 user/lib/x.c "$(printf '\\n%.0s' $(seq 601))"
	spoil lines_80 user/lib/x.c "int f(void)\n{\n$(printf '\\n%.0s' $(seq 82))}\n"
	spoil licences user/lib/x.c 'int x;\n'
	spoil licences bpf/x.h "${spdx}"
	spoil layers user/lib/x.c '#include "sensor/probe.h"\n'
	spoil layers user/cli/x.c '#include "aggregator/store.h"\n'
	spoil wrapped user/sensor/x.c '#include <sqlite3.h>\n'
	spoil headers_alone user/lib/x.h 'size_t x(void);\n'
	spoil exits user/lib/x.c 'void f(void) { exit(1); }\n'
	spoil public_prefix user/lib/x.h 'int other_thing(void);\n'
	spoil top_level stray/x 'x\n'
	spoil machine docs/x.md 'see /home/''me/x\n'
	spoil leftovers user/lib/x.c '/* TO''DO */\n'
}

if [ "${1:-}" = self-test ]; then
	self_test
else
	for c in $all; do report "$c" "$($c)"; done
	[ -n "${TREE:-}" ] || self_test
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
