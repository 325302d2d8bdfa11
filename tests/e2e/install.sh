#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `make install` and `make uninstall`: what is where, what is never touched, what systemd says of
# it, and that the installed programs work with just what the units give them.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
chmod 755 "$dir"
root=$dir/root

make_it() { make --no-print-directory "$@" >>"$dir/make.log" 2>&1; }
listing() { (cd "$root" && find . ! -type d -printf '%m %P\n' | sort -k 2); }
installed() { # SBIN BIN SHARE SYSTEMD: what there must be
	cat <<-END
		$(for r in policy/profiles/*.yaml; do echo "644 etc/rollcall/profiles/$(basename "$r")"; done)
		$(for r in policy/rules/*.yml; do echo "644 etc/rollcall/rules/$(basename "$r")"; done)
		640 etc/rollcall/sensor.yaml
		755 $2/rollcall
		644 $4/systemd/system/rollcall-aggregator.service
		644 $4/systemd/system/rollcall-sensor.service
		644 $4/sysusers.d/rollcall.conf
		644 $4/tmpfiles.d/rollcall.conf
		755 $1/rollcall-aggregator
		755 $1/rollcall-sensor
		644 $3/doc/rollcall/sensor.yaml
		644 $3/man/man1/rollcall.1.gz
		644 $3/man/man5/rollcall-sensor.yaml.5.gz
		644 $3/man/man8/rollcall-aggregator.8.gz
		644 $3/man/man8/rollcall-sensor.8.gz
	END
}

# ---- PREFIX=/usr/local, and another ----
make_it install DESTDIR="$root" PREFIX=/usr/local
check "local: files" "$(listing)" "$(installed usr/local/sbin usr/local/bin usr/local/share usr/local/lib | sort -k 2)"
check "local: the units follow" "$(sed -n 's/^ExecStart=//p' "$root"/usr/local/lib/systemd/system/*.service | sort)" \
	"/usr/local/sbin/rollcall-aggregator serve
/usr/local/sbin/rollcall-sensor"
make_it uninstall DESTDIR="$root" PREFIX=/usr/local
check "local: uninstalled" "$(listing)" "640 etc/rollcall/sensor.yaml"
make_it install DESTDIR="$root" PREFIX=/opt/rollcall
check "opt: systemd finds the units" "$(sed -n 's/^ExecStart=//p' "$root/usr/local/lib/systemd/system/rollcall-sensor.service")" \
	/opt/rollcall/sbin/rollcall-sensor
make_it uninstall DESTDIR="$root" PREFIX=/opt/rollcall
check "opt: uninstalled" "$(listing)" "640 etc/rollcall/sensor.yaml"
rm -rf "$root"
packaging/install "$root" usr 2>/dev/null
check "a prefix that is not absolute" "$?" 2
packaging/install --nonsense 2>/dev/null
check "wrong usage" "$?" 2
check "help" "$(packaging/install --help | head -1 | cut -c1-24)" "Usage: packaging/install"

# ---- PREFIX=/usr ----
(umask 077 && make_it install DESTDIR="$root")
check "files" "$(listing)" "$(installed usr/sbin usr/bin usr/share usr/lib | sort -k 2)"
check "directories" "$(find "$root"/usr "$root"/etc -type d ! -perm 755 -printf '%m %P\n')" "750 rollcall"
check "the programs are those that were built" \
	"$(for p in sbin/rollcall-sensor sbin/rollcall-aggregator bin/rollcall; do cmp "$root/usr/$p" "build/${p#*/}"; done)" ""
check "manual pages: no time of making" "$(od -An -tx1 -j4 -N4 "$root/usr/share/man/man1/rollcall.1.gz")" " 00 00 00 00"
check "manual pages: whole" "$(for p in "$root"/usr/share/man/*/*.gz; do zcmp "$p" "build/man/$(basename "$p" .gz)"; done)" ""
check "the configuration has no mistake" \
	"$("$root/usr/sbin/rollcall-sensor" --check-config --config "$root/etc/rollcall/sensor.yaml")" "no mistake was found"
echo "# ours" >"$root/etc/rollcall/sensor.yaml"
chmod 600 "$root/etc/rollcall/sensor.yaml"
chmod 700 "$root/etc/rollcall"
before=$(find "$root" -type f -exec sha256sum {} + | sort)
make_it install DESTDIR="$root"
check "a second install changes nothing" "$(find "$root" -type f -exec sha256sum {} + | sort)" "$before"
check "... nor the administrator's modes" "$(stat -c %a "$root/etc/rollcall/sensor.yaml" "$root/etc/rollcall" | xargs)" "600 700"

# ---- what systemd says ----
units=$root/usr/lib/systemd/system
cp -n /lib/systemd/system/*.target /lib/systemd/system/*.slice "$units"
verify() { systemd-analyze verify --man=no --root="$root" "$1" 2>&1; }
check "verify: sensor" "$(verify rollcall-sensor.service)" ""
check "verify: aggregator" "$(verify rollcall-aggregator.service)" ""
exposed() { # UNIT MOST: is the score (tenths; less is better) at most that?
	systemd-analyze security --offline=true --root="$root" --threshold="$2" "$1" >/dev/null 2>&1 && echo yes
}
check "exposure: sensor" "$(exposed rollcall-sensor.service 42)" yes
check "exposure: aggregator" "$(exposed rollcall-aggregator.service 13)" yes
rm "$units"/*.target "$units"/*.slice

mkdir -p "$root/etc"
systemd-sysusers --root="$root" >/dev/null 2>&1
check "users" "$(cut -d: -f1,7 "$root/etc/passwd" | sort | xargs)" \
	"rollcall-aggregator:/usr/sbin/nologin rollcall:/usr/sbin/nologin"
systemd-tmpfiles --root="$root" --create 2>&1
owner() { # PATH: mode and owner in the root's own names
	local uid
	uid=$(stat -c %u "$root$1")
	echo "$(stat -c %a "$root$1") $([ "$uid" = 0 ] && echo root || awk -F: -v u="$uid" '$3 == u { print $1 }' "$root/etc/passwd")"
}
check "the sensor's state" "$(owner /var/lib/rollcall)" "755 root"
check "the aggregator's state" "$(owner /var/lib/rollcall-aggregator)" "700 rollcall-aggregator"
check "the unit's users are made" "$(sed -n 's/^User=//p' "$units"/*.service)" rollcall-aggregator
check "the sensor's stream user is made" \
	"$("$root/usr/sbin/rollcall-sensor" --dump-config | sed -n 's/^  user: //p')" rollcall

# ---- the programs, with what the units give ----
# The unit's capabilities (but $1), no new privileges, the user that systemd-sysusers made.
granted() {
	sed -n 's/^CapabilityBoundingSet=//p' "$units/rollcall-sensor.service" | tr ' ' '\n' |
		grep -vx "CAP_${1:-NONE}" | sed 's/^CAP_/+/' | tr 'A-Z\n' 'a-z,' | sed 's/,$//'
}
wrapper() { # FILE COMMAND
	printf '#!/bin/sh\nexec %s "$@"\n' "$2" >"$1"
	chmod 755 "$1"
}
sensor_with() { # [CAPABILITY]: without that one
	wrapper "$dir/sensor" "setpriv --bounding-set=-all,$(granted "${1:-}") --inh-caps=-all --no-new-privs $root/usr/sbin/rollcall-sensor"
}
id=$(awk -F: '$1 == "rollcall-aggregator" { print $3 }' "$root/etc/passwd")
wrapper "$dir/aggregator" "setpriv --reuid=$id --regid=$id --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs $root/usr/sbin/rollcall-aggregator"
sensor_with
sensor=$dir/sensor
ROLLCALL_AGGREGATOR=$dir/aggregator ROLLCALL_CLI=$root/usr/bin/rollcall
. tests/e2e/aggregator.sh

sensor_start
check "ready" "$(jq -r 'select(.event == "ready") | .coverage.state' "$dir/events")" healthy
sensor_stop
check "stopped in order" "$?" 0

mkdir "$dir/agg"
chown "$id:$id" "$dir/agg"
chmod 700 "$dir/agg"
"$dir/aggregator" init --dir "$dir/agg" --name 127.0.0.1 >/dev/null
"$dir/aggregator" enroll mdm1 --dir "$dir/agg" --out "$dir/agg/mdm1.bundle" >/dev/null
cp -r "$dir/agg/mdm1.bundle" "$dir/bundle"
chown -R 0:0 "$dir/bundle"
agg_start
sensor_stream
check "delivered" "$(delivered && echo yes)" yes
check "stored" "$(store 'select count(*) > 0 from events')" 1
check "the aggregator's files are its own" "$(find "$dir/agg" ! -user "$id")" ""
bits() { sed -n "s/^$2:\s*//p" "/proc/$1/status"; }
child() { pgrep -P "$sensor_pid" -x "$1"; }
wanted=$(printf '%016x' $((1 << 39 | 1 << 38 | 1 << 19 | 1 << 2)))
check "the probe process: capabilities" "$(bits "$(child sensor)" CapEff)" "$wanted"
check "the probe process: may still get" "$(bits "$(child sensor)" CapBnd)" "$wanted"
stream=$(child sensor-stream)
check "the stream process: capabilities" "$(bits "$stream" CapPrm) $(bits "$stream" CapBnd)" "0000000000000000 0000000000000000"
check "the spool" "$(stat -c %a "$dir/spool")" 2750
sensor_stop
check "both processes ended" "$([ -d "/proc/$stream" ] || echo yes)" yes

# The unit grants nothing that is not needed.
refused() { # CAPABILITY: does the sensor end by itself without it?
	sensor_with "$1"
	"$sensor" --stdout --host mdm1 --aggregator "127.0.0.1:$agg_port" --bundle "$dir/bundle" --spool "$dir/spool.$1" \
		--control "$dir/control" --stream-user nobody >/dev/null 2>&1
	echo "$?"
}
for cap in BPF PERFMON SYS_PTRACE DAC_READ_SEARCH SYS_ADMIN SETUID SETGID CHOWN; do
	check "CAP_$cap is needed" "$(refused $cap)" 1
done
without() { # CAPABILITY COMMAND...: what the command says of a sensor that runs without it
	sensor_with "$1"
	sensor_stream --spool "$dir/spool.$1"
	"${@:2}"
	sensor_stop
}
stream_bounds() { bits "$(child sensor-stream)" CapBnd; }
check "CAP_FSETID is needed: the spool is the group's" "$(without FSETID stat -c %a "$dir/spool.FSETID")" 750
check "CAP_SETPCAP is needed: nothing stays within reach" \
	"$([ "$(without SETPCAP stream_bounds)" != 0000000000000000 ] && echo yes)" yes
agg_stop

# ---- uninstall ----
make_it uninstall DESTDIR="$root"
check "uninstall keeps configuration and users only" "$(listing | grep -v ' etc/\(\.pwd\.lock\|passwd\|group\|shadow\|gshadow\)$')" \
	"600 etc/rollcall/sensor.yaml"
check "... and state" "$(ls "$root/var/lib" | xargs)" "rollcall rollcall-aggregator"
check "... and no empty directory of ours" "$(ls "$root/usr/share/doc")" ""
make_it uninstall DESTDIR="$root"
check "uninstall again" "$?" 0
finish
