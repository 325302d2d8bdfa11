#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# From the spool to the store: nothing lost and nothing twice while each process is killed, and
# only hosts with a good certificate are let in.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
. tests/e2e/aggregator.sh
trap 'agg_stop; sensor_stop; cleanup' EXIT
servers_start
servers_fill
agg_init

# ---- killed, again and again ----
load() { # reads until $dir/stop exists
	while [ ! -e "$dir/stop" ]; do
		PGAPPNAME=load pg -c 'select name from staff' -c 'select * from staff limit 10' >/dev/null
		my -e 'select name from staff limit 300' >/dev/null
	done
}
child() { pgrep -P "$sensor_pid" -x "$1"; } # the pid of one of the sensor's processes
await() { # COMMAND...: until it succeeds
	for _ in $(seq 200); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done
	echo "FAILED to see: $*"
	return 1
}
stored() { [ "$(store 'select count(*) from events')" -gt "$1" ]; }
goes_on() { # from here on more events are stored
	await stored "$(($(store 'select count(*) from events') + 20))"
}
replaced() { p=$(child "$1") && [ -n "$p" ] && [ "$p" != "$2" ]; }

agg_start
sensor_stream
load &
loader=$!
goes_on
for _ in 1 2 3; do
	agg_stop KILL
	sleep 0.3
	agg_start
	goes_on
	old=$(child sensor-stream)
	kill -KILL "$old"
	await replaced sensor-stream "$old"
	goes_on
	old=$(child sensor)
	kill -KILL "$old"
	await replaced sensor "$old"
	goes_on
done
touch "$dir/stop"
wait "$loader"
sensor_stop
# The stream process is gone; another one delivers the rest.
sensor_stream
check "everything is delivered in the end" "$(delivered; echo $?)" 0
# Who can send nothing need not be woken by what is spooled.
watches() { cat "/proc/$(child sensor-stream)"/fdinfo/* 2>/dev/null | grep -c '^inotify wd:'; }
unwatched() { [ "$(watches)" = 0 ]; }
check "connected, it watches the spool" "$(watches)" 1
agg_stop
check "without a connection it does not" "$(await unwatched; echo $?)" 0
agg_start
check "connected again, it delivers" "$(delivered; echo $?)" 0
acked=$(ctl status --json | jq -r '.spool.lanes | map(.acked_seq) | join(" ")')
sensor_stop

# What comes while it stops is the next sensor's to deliver.
python3 tests/e2e/spool_list.py "$dir/spool" mdm1 |
	awk -v acked="$acked" 'BEGIN { split(acked, a) } $3 <= a[$2]' | sort >"$dir/spooled"
store "select s.boot_id, s.class, e.seq, hex(e.body) from events e join streams s on s.id = e.stream" |
	python3 -c '
import hashlib, sys
for line in sys.stdin:
    boot, number, seq, body = line.rstrip("\n").split("|")
    print(boot, number, seq, hashlib.sha256(bytes.fromhex(body)).hexdigest())' | sort >"$dir/stored"
check "hundreds of events were spooled" "$([ "$(wc -l <"$dir/spooled")" -gt 300 ] && echo yes)" yes
check "nothing that was spooled is missing" "$(comm -23 "$dir/spooled" "$dir/stored" | wc -l)" 0
# What was delivered may have left the spool; what is stored has no hole.
check "every number is stored once" "$(store 'select sum(n <> last - first + 1) from
	(select count(*) n, min(seq) first, max(seq) last from events group by stream)')" 0
check "nothing is stored twice" "$(sort "$dir/stored" | uniq -d | wc -l)" 0
check "no number is missing" "$(store 'select count(*) from gaps')" 0
check "the aggregator refused nobody else" "$(store 'select reason from refusals where name <> "" and
	reason <> "the host has opened another connection"')" ""
check "findings are in the store" "$(ctl findings --json | jq -s 'map(select(.rows >= 5000)) | length > 0')" true
check "a finding's evidence is in the store" \
	"$(ctl show "$(ctl findings --json | jq -r 'select(.rows >= 5000) | .id' | head -1)" --json |
		jq '.finding.rule.id == "rollcall-db-bulk-read" and (.evidence | length > 0)')" true
check "show tells the chain" "$(ctl show "$(ctl findings --json | jq -r 'select(.rows >= 5000) | .id' | head -1)" |
	grep -c -E '`- psql \([0-9]+\) as root')" 1
check "hosts" "$(ctl hosts --json | jq -c '[.host, .coverage.state]')" '["mdm1","healthy"]'

# ---- who is refused, and told why ----
refused() { # NAME REASON COMMAND...: runs it, then the reason must be in the store
	local name=$1 reason=$2
	shift 2
	"$@" >/dev/null 2>&1 </dev/null
	await reason_stored "$reason"
	check "refused: $name" "$(reason_stored "$reason" && echo yes)" yes
}
reason_stored() { [ "$(store "select count(*) from refusals where reason like '%$1%'")" -gt 0 ]; }
sensor_as() { # BUNDLE HOST: tries for a few seconds
	timeout 6 "$sensor" --host "$2" --aggregator "127.0.0.1:$agg_port" --bundle "$1" \
		--spool "$dir/spool.$2" --control "$dir/control.$2" --stream-user nobody \
		--watch postgresql:hr.public.staff
}
tls_client() { # CERT KEY [OPTIONS]
	sleep 2 | timeout 10 openssl s_client -connect "127.0.0.1:$agg_port" -CAfile "$dir/agg/ca.pem" \
		-cert "$1" -key "$2" "${@:3}"
}

"$aggregator" init --dir "$dir/other" --name 127.0.0.1 >/dev/null
"$aggregator" enroll mdm1 --dir "$dir/other" --out "$dir/stranger" >/dev/null
refused "a certificate of an unknown authority" "unable to get local issuer certificate" \
	tls_client "$dir/stranger/cert.pem" "$dir/stranger/key.pem"
refused "no certificate" "peer did not return a certificate" \
	timeout 10 openssl s_client -connect "127.0.0.1:$agg_port" -CAfile "$dir/agg/ca.pem"
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=mdm1 \
	-keyout "$dir/old.key" -out "$dir/old.csr" 2>/dev/null
openssl x509 -req -in "$dir/old.csr" -CA "$dir/agg/ca.pem" -CAkey "$dir/agg/ca.key" -days -1 \
	-set_serial 7 -out "$dir/old.pem" 2>/dev/null
refused "an expired certificate" "certificate has expired" tls_client "$dir/old.pem" "$dir/old.key"
refused "a certificate of a server" "unsuitable certificate purpose" \
	tls_client "$dir/agg/cert.pem" "$dir/agg/key.pem"
refused "TLS 1.2" "unsupported protocol" \
	tls_client "$dir/bundle/cert.pem" "$dir/bundle/key.pem" -tls1_2
refused "clear text" "http request" \
	curl -s --max-time 5 "http://127.0.0.1:$agg_port/"
refused "another host's certificate" "says it is ''mdm2''" sensor_as "$dir/bundle" mdm2
"$aggregator" enroll mdm3 --dir "$dir/agg" --out "$dir/bundle3" >/dev/null
"$aggregator" revoke mdm3 --dir "$dir/agg" >/dev/null
refused "a revoked host" "not enrolled" sensor_as "$dir/bundle3" mdm3
check "the sensor says why" "$(timeout 6 "$sensor" --host mdm3 --aggregator "127.0.0.1:$agg_port" \
	--bundle "$dir/bundle3" --spool "$dir/spool.mdm3" --control "$dir/control.3" --stream-user nobody \
	--watch postgresql:hr.public.staff 2>&1 | grep -c 'refused: host is not enrolled')" 1

# ---- hostile bytes over good TLS ----
raw() { # HEX: sends these bytes as host mdm1
	{ printf "$(sed 's/../\\x&/g' <<<"$1")"; sleep 1; } |
		timeout 10 openssl s_client -quiet -connect "127.0.0.1:$agg_port" -CAfile "$dir/agg/ca.pem" \
			-cert "$dir/bundle/cert.pem" -key "$dir/bundle/key.pem" >/dev/null 2>&1
}
raw 7fffffff03000000
check "a frame above the limit" "$(await reason_stored 'above the size limit'; echo $?)" 0
raw 0000000099000000
check "an unknown frame" "$(await reason_stored 'malformed frame'; echo $?)" 0
raw 0000000203000000ffff
raw 0000000003000000
check "a batch before the hello" "$(await reason_stored 'malformed or unexpected'; echo $?)" 0
sensor_stream
check "the good host is still served" "$(delivered; echo $?)" 0

# ---- a spool that the stream process may not read ----
find "$dir/spool" -maxdepth 1 -name '*.seg' -exec chmod 600 {} +
PGAPPNAME=unread pg -c 'select * from staff' >/dev/null
kill -KILL "$(child sensor-stream)"
told() { grep -c 'spool .* cannot be read: Permission denied' "$dir/sensor.log"; }
await told
check "is told, once" "$(told)" 1
find "$dir/spool" -maxdepth 1 -name '*.seg' -exec chmod 640 {} +
check "and delivered when it may" "$(delivered; echo $?)" 0

# ---- the supervisor killed ----
children=$(pgrep -P "$sensor_pid" | xargs)
kill -KILL "$sensor_pid"
wait "$sensor_pid" 2>/dev/null
sensor_pid=
for _ in $(seq 100); do ps -p "${children// /,}" >/dev/null || break; sleep 0.1; done
check "no process of the sensor is left behind" "$(ps -o comm= -p "${children// /,}" | xargs)" ""
ps -p "${children// /,}" >/dev/null && kill $children 2>/dev/null
finish
