#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What an application does to itself (docs/evasions.md), in Debian's Tomcat under the shipped policy: its own
# pooled JDBC connections give the directory away (E5, which is chain C), and code that is put
# together by requests in /tmp, loaded from there and removed, then goes on (chain B). The same
# application's ordinary pages are no finding.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
. tests/e2e/found.sh
servers_start
servers_fill
tomcat=$((my_port + 2))
java=$(realpath "$(type -P java)")
base=$dir/tomcat jar=$dir/tmp/web-install.jar
mkdir -p "$base"/{conf,work,temp,logs} "$base/webapps/mifs/WEB-INF/lib" "$dir/tmp"
cp /usr/share/java/postgresql.jar /usr/share/java/mariadb-java-client.jar "$base/webapps/mifs/WEB-INF/lib"
cat >"$base/conf/server.xml" <<-END
	<Server port="-1"><Service name="Catalina">
	  <Connector port="$tomcat" address="127.0.0.1"/>
	  <Engine name="Catalina" defaultHost="localhost">
	    <Host name="localhost" appBase="webapps"/></Engine></Service></Server>
END
cat >"$base/conf/web.xml" <<-'END'
	<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
	  <servlet><servlet-name>jsp</servlet-name>
	    <servlet-class>org.apache.jasper.servlet.JspServlet</servlet-class></servlet>
	  <servlet-mapping><servlet-name>jsp</servlet-name><url-pattern>*.jsp</url-pattern></servlet-mapping>
	</web-app>
END
# An interface without a login, as /mifs/aad/api/v2/authorized/users was: a pool, and a statement of the application.
cat >"$base/webapps/mifs/users.jsp" <<-END
	<%@ page import="java.sql.*, org.apache.tomcat.dbcp.dbcp2.BasicDataSource" %><%!
	static BasicDataSource pool(String driver, String url) {
		BasicDataSource s = new BasicDataSource();
		s.setDriverClassName(driver); s.setUrl(url); s.setUsername("app"); s.setPassword("pw"); s.setMaxTotal(4);
		return s;
	}
	static BasicDataSource pg = pool("org.postgresql.Driver", "jdbc:postgresql://127.0.0.1:$port/hr?ApplicationName=mifs");
	static BasicDataSource my = pool("org.mariadb.jdbc.Driver", "jdbc:mariadb://127.0.0.1:$my_port/mdm");
	%><%
	String dept = request.getParameter("dept");
	int n = 0;
	try (Connection c = (request.getParameter("my") == null ? pg : my).getConnection();
	     PreparedStatement s = c.prepareStatement("select id, name, mobile from staff where dept = ? or ? = '' order by id limit ? offset ?")) {
		s.setString(1, dept); s.setString(2, dept);
		s.setInt(3, Integer.parseInt(request.getParameter("limit")));
		s.setInt(4, Integer.parseInt(request.getParameter("offset")));
		for (ResultSet r = s.executeQuery(); r.next(); n++) r.getString("name");
	}
	out.print(n); %>
END
# Expression-language injection in small: what a request says is appended to one file; one loads it.
cat >"$base/webapps/mifs/el.jsp" <<-END
	<%@ page import="java.nio.file.*, java.net.*, java.util.Base64" %><%
	Path jar = Path.of("$jar");
	if (request.getParameter("piece") != null)
		Files.write(jar, Base64.getUrlDecoder().decode(request.getParameter("piece")), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
	if (request.getParameter("load") != null) {
		try (URLClassLoader l = new URLClassLoader(new URL[] {jar.toUri().toURL()}, null)) {
			out.print(l.findResource("ReflectUtil.class") != null ? "loaded" : "missing");
		}
		Files.delete(jar);
	}
	if (request.getParameter("step") != null)
		new ProcessBuilder("bash", "$dir/step" + request.getParameter("step").charAt(0)).inheritIO().start().waitFor(); %>
END
python3 -c "import zipfile
with zipfile.ZipFile('$dir/evil.jar', 'w') as z: z.writestr('ReflectUtil.class', b'\xca\xfe\xba\xbe' + bytes(range(256)) * 8)"
# A loader that is gone before it runs, under the name of a kernel thread; then a scan.
cat >"$dir/step1" <<-END
	cp /bin/sleep $dir/tmp/krusty; exec 9<$dir/tmp/krusty; rm $dir/tmp/krusty
	(exec -a '[kworker/0:2]' /proc/self/fd/9 0.1)
	printf '[kworker/0:2]' >/proc/self/comm
END
cat >"$dir/step2" <<-END
	for p in \$(seq 20001 20040); do (: </dev/tcp/127.0.0.1/\$p) 2>/dev/null; : </dev/tcp/127.0.0.1/\$p; done 2>/dev/null
END

printf 'policy: {rules: %s}\nfiles: {web_roots: [%s]}\nprocesses: {watch: [%s]}\n' \
	"$(pwd)/policy/rules" "$base/webapps" "$java" >"$dir/sensor.yaml"
UMASK=0022 CATALINA_HOME=/usr/share/tomcat10 CATALINA_BASE=$base JAVA_HOME=${java%/bin/java} \
	/usr/share/tomcat10/bin/catalina.sh run >"$dir/tomcat.out" 2>&1 &
catalina=$!
stop() {
	kill "$catalina" && wait "$catalina"
	cleanup
} 2>/dev/null
trap stop EXIT
ask() { curl -s "http://127.0.0.1:$tomcat/mifs/$1"; }
users() { ask "users.jsp?dept=${2:-}&limit=$3&offset=$4&$1"; } # SYSTEM DEPARTMENT LIMIT OFFSET
for _ in $(seq 300); do [ "$(users '' Unit%201 1 0)" = 1 ] && break; sleep 0.1; done
sensor_start --config "$dir/sensor.yaml" --resolved ""

# ---- an ordinary morning ----
for i in 1 2 3 4 5 6 7; do
	benign=$(users '' "Unit%20$i" 20 0)
	users my "Unit%20$i" 20 0 >/dev/null
done
check "a page of the application" "$benign" 20
sleep 1
check "an ordinary morning is no finding" "$(found '.db != null')" ""
check "nor of its files and processes" "$(found '[.process | recurse(.parent; . != null) | .exe] | any(endswith("/java"))')" ""

# ---- E5, chain C ----
check "E5 PostgreSQL: rows" "$(users '' '' 1000000 0)" "$people"
check "E5 MariaDB: rows" "$(users my '' 1000000 0)" "$people"
for i in $(seq 0 150 $((people - 1))); do users '' '' 150 "$i"; done >/dev/null
# ---- chain B ----
base64 -w 200 "$dir/evil.jar" | while read -r piece; do ask "el.jsp?piece=$(tr '+/' '-_' <<<"$piece")" >/dev/null; done
check "chain B: the code arrived" "$(cmp "$jar" "$dir/evil.jar" && echo same)" same
check "chain B: and was loaded" "$(ask 'el.jsp?load=1')" loaded
ask 'el.jsp?step=1' >/dev/null
ask 'el.jsp?step=2' >/dev/null
sensor_stop

app='.db.client.exe == "'$java'"'
finds "E5 PostgreSQL" "$app and .db.system == \"postgresql\"" rollcall-db-bulk-read 'The application itself reads a watched table in bulk'
finds "E5 MariaDB" "$app and .db.system == \"mariadb\"" rollcall-db-bulk-read 'The application itself reads a watched table in bulk'
check "E5 rows, exact at the end" "$(jq -s -c "map(select(.event == \"finding\" and .rule.id == \"rollcall-db-bulk-read\" and $app)) |
	group_by(.db.system) | map(last | [.db.system, .rows, .rows_max])" "$dir/events")" \
	"[[\"mariadb\",$people,$people],[\"postgresql\",$people,$people]]"
finds "E5 page by page" '.rule.title | test("walks")' 'One statement of the application walks through a watched table'
finds "chain B" "[.process | recurse(.parent; . != null) | .exe] | any(. == \"$java\")" \
	'Code written to a temporary directory by a web or application server' \
	'Code in a temporary directory put together piece by piece' \
	'Java opened fresh code outside its directories' \
	'Shell below a web or application server' \
	'Program executed whose file is removed already' \
	'Process with the name of a kernel thread' \
	'Scan of the inner network below a web or application server'
check "nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
[ "$failed" -eq 0 ] || tail -n 5 "$dir/tomcat.out" "$dir/sensor.log"
finish
