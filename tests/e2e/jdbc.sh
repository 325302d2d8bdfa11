#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What management servers read with: PostgreSQL's and MariaDB's JDBC drivers, each of their ways to
# send a statement and to fetch its rows. Every row they received is counted, exactly, under the name
# that the case has: of the client's own word in PostgreSQL (its driver says it once the session is
# open), of its user in MariaDB.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
java=$(readlink -f "$(command -v java)")
servers_start
servers_fill
mkdir "$dir/class"
"$java" -cp /usr/share/java/eclipse-jdt-core.jar org.eclipse.jdt.internal.compiler.batch.Main -proc:none -17 \
	-cp /usr/share/java/postgresql.jar -d "$dir/class" tests/e2e/Jdbc.java || exit 1
for user in $(sed -n '/> mariadb()/,/^\t}/s/.*m.put("\([a-z_]*\)".*/\1/p' tests/e2e/Jdbc.java) pool; do
	echo "create user \`$user\`@'%' identified by 'pw'; grant all on *.* to \`$user\`@'%';"
done | mariadb --no-defaults -S "$dir/my/sock" -u root || exit 1
sensor_start
"$java" -cp "$dir/class:/usr/share/java/postgresql.jar:/usr/share/java/mariadb-java-client.jar" Jdbc "$port" "$my_port" >"$dir/read" ||
	exit 1
sensor_stop
# SYSTEM NAME ROWS CONFIDENCES, of the staff table.
jq -sr '[.[] | select(.event == "db_result" and ((.db.tables // []) | any(test("staff"))))]
	| group_by([.db.system, (if .db.system == "mariadb" then .db.user else .db.client.program end)])
	| .[] | [.[0].db.system, (.[0].db | if .system == "mariadb" then .user else .client.program end),
		(map(.db.rows) | add), (map(.db.confidence) | unique | join(","))] | join(" ")' "$dir/events" >"$dir/counted"
while read -r system name rows; do
	check "$system, $name" "$(grep "^$system $name " "$dir/counted")" "$system $name $rows exact"
done <"$dir/read"
check "every way was gone" "$(cut -d' ' -f1 "$dir/read" | sort | uniq -c | xargs)" "21 mariadb 29 postgresql"
check "no other session read of it" "$(wc -l <"$dir/counted")" 50
check "each has its statement" "$(jq -c 'select(.event == "db_result" and .db.rows > 0 and ((.db.tables // []) | any(test("staff"))) and (.db.statement | test("staff|f_cursor|fetch"; "i") | not)) | .db.statement' "$dir/events")" ""
check "nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0
finish
