#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Encryption beyond plain TLS: GSSAPI with a private Kerberos realm, TLS 1.2, and TLS 1.3 whose
# keys change in the middle of a result.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh

# ---- a realm of our own ----
export KRB5_CONFIG=$dir/krb5.conf KRB5_KDC_PROFILE=$dir/kdc.conf KRB5CCNAME=$dir/ticket KRB5_KTNAME=$dir/keytab
cat >"$KRB5_CONFIG" <<-EOF2
	[libdefaults]
	default_realm = TEST
	dns_canonicalize_hostname = false
	rdns = false
	[realms]
	TEST = {
	  kdc = 127.0.0.1:$((port + 3))
	}
EOF2
cat >"$KRB5_KDC_PROFILE" <<-EOF2
	[realms]
	TEST = {
	  database_name = $dir/principals
	  key_stash_file = $dir/stash
	  kdc_listen = 127.0.0.1:$((port + 3))
	  kdc_tcp_listen = 127.0.0.1:$((port + 3))
	}
EOF2
kdb5_util -r TEST create -s -P none >/dev/null 2>&1 || exit 1
kadmin.local -q "addprinc -pw secret app" >/dev/null 2>&1
kadmin.local -q "addprinc -randkey postgres/localhost" >/dev/null 2>&1
kadmin.local -q "ktadd -k $KRB5_KTNAME postgres/localhost" >/dev/null 2>&1
krb5kdc -n >"$dir/kdc.log" 2>&1 &
kdc=$!
kdc_cleanup() {
	kill "$kdc"
	wait "$kdc"
	cleanup
}
trap kdc_cleanup EXIT
chown postgres: "$KRB5_KTNAME"
for _ in $(seq 50); do
	kinit app <<<secret >/dev/null 2>&1 && break
	sleep 0.1
done

servers_start
servers_fill
pg -c "alter system set krb_server_keyfile = '$KRB5_KTNAME'" -c 'select pg_reload_conf()' >/dev/null
tcp="host=localhost hostaddr=127.0.0.1 port=$port user=app dbname=hr"
sensor_start
encrypted=$(PGAPPNAME=gss psql -X -q -A -t "$tcp gssencmode=require" -c 'select name, mobile from staff' \
	-c 'copy staff to stdout' -c 'select encrypted from pg_stat_gssapi where pid = pg_backend_pid()' | tail -1)
PGAPPNAME=tls12 psql -X -q -A -t "$tcp gssencmode=disable sslmode=require ssl_max_protocol_version=TLSv1.2" \
	-c 'select name, mobile from staff' >/dev/null
updated=$(build/tests/e2e/key_update "$tcp gssencmode=disable sslmode=require application_name=key_update")
# A client has its last byte before its backend returns from sending it: let the backend end.
for _ in $(seq 100); do
	[ "$(pg -c "select count(*) from pg_stat_activity where application_name = 'key_update'")" = 0 ] && break
	sleep 0.1
done
sensor_stop

by() { # NAME FILTER: over the results of watched tables with this application name
	results ".db.client.program == \"$1\" and (.db.tables | length > 0)" | jq -s -c "$2"
}
exact='map([.db.rows, .db.confidence, .db.end])'
check "1 the session is encrypted by GSS" "$encrypted" t
check "1 GSS" "$(by gss "$exact")" '[[5000,"exact","complete"],[5000,"exact","complete"]]'
check "1 GSS: who" "$(by gss 'map([.db.user, .db.name]) | unique')" '[["app","hr"]]'
check "21 TLS 1.2" "$(by tls12 "$exact")" '[[5000,"exact","complete"]]'
check "21 new keys: client" "$updated" 5000
check "21 new keys in the middle" "$(by key_update "$exact")" '[[5000,"exact","complete"]]'
check "nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
finish
