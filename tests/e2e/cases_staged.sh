#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Case 25: a program below the web application dumps the staff table into the web root as a style
# sheet, packs it, a real web server hands it to a client, the files are removed: one finding with
# the rows, the file and every event it rests on. A backup by somebody else is none.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
servers_start
servers_fill
web=$dir/mi/tomcat/webapps/mifs
mkdir -p "$web/css" "$dir/nginx" "$dir/backup"
chmod -R 755 "$dir/mi"
cp /bin/bash "$dir/java"
cat >"$dir/nginx.conf" <<-END
	daemon off; pid $dir/nginx/pid; error_log $dir/nginx/log; user www-data;
	events {}
	http { access_log off; sendfile on; client_body_temp_path $dir/nginx; proxy_temp_path $dir/nginx;
	  fastcgi_temp_path $dir/nginx; uwsgi_temp_path $dir/nginx; scgi_temp_path $dir/nginx;
	  server { listen 127.0.0.1:$((my_port + 1)); root $web; } }
END
nginx -c "$dir/nginx.conf" 2>/dev/null &
nginx=$!
cat >"$dir/sensor.yaml" <<-END
	watch: [mariadb:mdm.staff]
	files:
	  web_roots: [$dir/mi/tomcat/webapps]
	processes:
	  watch: [$dir/java]
END
"$sensor" --stdout --config "$dir/sensor.yaml" --resolved "" >"$dir/events" 2>"$dir/sensor.log" &
sensor_pid=$!
for _ in $(seq 200); do grep -q '"event":"ready"' "$dir/events" && break; sleep 0.05; done

dump="mysqldump --no-defaults -S $dir/my/sock -u app -ppw --single-transaction mdm staff"
bash -c "$dump >$dir/backup/nightly.sql; :"
"$dir/java" -c "sh -c '$dump >$web/css/mibasecss.css'; (cd $web/css && tar czf mibasecss2.css mibasecss.css); :"
size=$(stat -c %s "$web/css/mibasecss2.css")
fetched=$(curl -s "http://127.0.0.1:$((my_port + 1))/css/mibasecss2.css" | wc -c)
for _ in $(seq 200); do jq -e 'select(.event == "tcp_close" and .bytes_sent > 100)' "$dir/events" >"$dir/closed" 2>/dev/null && break; sleep 0.05; done
"$dir/java" -c "rm -f $web/css/mibasecss.css $web/css/mibasecss2.css; :"
check "the client has the file" "$fetched" "$size"
kill "$nginx"
wait "$nginx" 2>/dev/null
sensor_stop

findings() { jq -c "select(.event == \"finding\") | select(.rule.id | startswith(\"rollcall-db-staged\")) | $1" "$dir/events"; }
css=$web/css/mibasecss2.css
check "staged: both files, with all rows" "$(findings 'select(.rule.id == "rollcall-db-staged-file" and .status == "new") | [.path, .rows, .rule.level]' | sort -u | jq -sc .)" \
	"[[\"$web/css/mibasecss.css\",$people,\"high\"],[\"$css\",$people,\"high\"]]"
check "served: one, critical" "$(findings 'select(.rule.level == "critical" and .status == "new") | [.rule.id, .path, .rows, .tables]')" \
	"[\"rollcall-db-staged-and-served\",\"$css\",$people,[\"mdm.staff\"]]"
check "ends when it is removed" "$(findings "select(.status == \"ended\" and .path == \"$css\") | [.rule.id, (.process.args | join(\" \") | startswith(\"rm -f\"))]")" \
	'["rollcall-db-staged-and-served",true]'
check "who fetched" "$(findings 'select(.rule.level == "critical" and .status == "new") | .process.exe' | grep -c nginx)" 1
for id in $(findings "select(.status == \"ended\" and .path == \"$css\") | .evidence[]" | tr -d '"'); do
	jq -r "select(.id == \"$id\") | .event" "$dir/events"
done >"$dir/evidence"
check "its evidence" "$(paste -sd' ' "$dir/evidence")" "db_result file_close file_read tcp_close file_unlink"
check "the archive in a style sheet's clothes" "$(jq -c "select(.event == \"file_write\" and .path == \"$css\") | .type" "$dir/events")" '"application/gzip"'
check "the backup is none" "$(findings 'select(.path | test("backup"))' | wc -l)" 0
check "rows of the dump" "$(results '.db.rows > 1 and (.process.parent.parent.exe // "" | endswith("/java"))' | jq -s -c 'map(.db.rows)')" "[$people]"
check "no password is kept" "$(grep -c -e "-ppw" "$dir/events")" 0
check "nothing was lost" "$(grep -c '"event":"gap"' "$dir/events")" 0
[ -z "${KEEP_EVENTS:-}" ] || cp "$dir/events" "$KEEP_EVENTS"
finish
