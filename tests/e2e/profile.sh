#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Product profiles: the shipped ones, what `rollcall setup` proposes for a host, and a sensor that
# watches what a profile names.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
cli=$(realpath "${ROLLCALL_CLI:-build/rollcall}")
profiles=$(pwd)/policy/profiles
chmod 755 "$dir"

# ---- the files ----
for p in "$profiles"/*.yaml; do
	check "$(basename "$p") with the shipped rules" \
		"$("$sensor" --check-config --rules "$(pwd)/policy/rules" --profile "$p" 2>&1)" "no mistake was found"
done
printf 'title: x\nservices: [/a]\ndatabase:\n  table: [mariadb:a.b]\n' >"$dir/bad.yaml"
check "a mistake has its place" "$("$sensor" --check-config --profile "$dir/bad.yaml" 2>&1)" \
	"rollcall-sensor: error: $dir/bad.yaml:4:3: unknown key 'database.table'; did you mean 'database.tables'?"
"$sensor" --check-config --profile "$dir/bad.yaml" 2>/dev/null
check "a mistake: exit status" "$?" 1
check "policy check tells it, too" "$("$cli" policy check --profile "$dir/bad.yaml" | head -1)" \
	"$dir/bad.yaml:4:3: unknown key 'database.table'; did you mean 'database.tables'?"
"$sensor" --stdout --profile "$dir/none.yaml" >/dev/null 2>&1
check "a profile that is not there" "$?" 1

# ---- setup, on hosts that are directories ----
setup() { "$cli" setup --profiles "$profiles" --root "$dir/$1" "${@:2}"; }
process() { # HOST PID EXE ARGUMENT...
	mkdir -p "$dir/$1/proc/$2"
	ln -s "$3" "$dir/$1/proc/$2/exe"
	printf '%s\0' "${@:3}" >"$dir/$1/proc/$2/cmdline"
}
mkdir -p "$dir/empty/proc"
check "an empty host" "$(setup empty | tail -1)" "Nothing here speaks for any of them."
setup empty >/dev/null
check "an empty host: exit status" "$?" 1
setup nowhere >/dev/null 2>&1
check "no host: exit status" "$?" 1
"$cli" setup nonsense >/dev/null 2>&1
check "wrong usage" "$?" 2

process epmm 7 /usr/java/jdk-11/bin/java -Dcatalina.base=/mi/tomcat start
mkdir -p "$dir/epmm/mi/tomcat/webapps/mifs" "$dir/epmm/var/lib/mysql/mifs"
process headwind 8 /usr/lib/jvm/java-17/bin/java -Dcatalina.base=/var/lib/tomcat9 start
process headwind 9 /usr/lib/postgresql/15/bin/postgres
printf 'postgres: 15/main: hmdm hmdm 127.0.0.1(4711) idle' >"$dir/headwind/proc/9/cmdline"
mkdir -p "$dir/headwind/opt/hmdm"
touch "$dir/headwind/opt/hmdm/log4j-hmdm.xml"
process fleet 10 /usr/bin/fleet serve -c /etc/fleet/fleet.yml
mkdir -p "$dir/fleet/etc/systemd/system"
touch "$dir/fleet/etc/systemd/system/fleet.service"
process nanomdm 11 /opt/nanomdm/nanomdm -storage pgsql
process nanomdm 12 /usr/lib/postgresql/15/bin/postgres
printf 'postgres: nano nanomdm [local] idle' >"$dir/nanomdm/proc/12/cmdline"
process jamf-pro 13 /usr/lib/jvm/java-11/bin/java -Dcatalina.base=/usr/local/jss/tomcat
mkdir -p "$dir/jamf-pro/usr/local/jss/tomcat"
process glpi 14 /usr/sbin/apache2 -k start
mkdir -p "$dir/glpi/etc/glpi" && touch "$dir/glpi/etc/glpi/config_db.php"
process manageengine 15 /opt/ManageEngine/MDM/jre/bin/java -jar x
process snipe-it 16 /usr/sbin/apache2 -k start
process snipe-it 17 /usr/sbin/mariadbd
mkdir -p "$dir/snipe-it/data/snipeit" "$dir/snipe-it/var/www/snipeit"
touch "$dir/snipe-it/var/www/snipeit/artisan"
ln -s /data "$dir/snipe-it/proc/17/cwd"
process generic 18 /usr/sbin/nginx
for host in epmm headwind fleet nanomdm jamf-pro glpi manageengine snipe-it generic; do
	want=$host
	[ $host != epmm ] || want=ivanti-epmm
	check "setup: $host" "$(setup $host | tail -1)" "    profile: $want"
done
check "setup says why, with weights" "$(setup snipe-it | sed -n 's/^  +//p' | tr -s ' ' | sort)" \
	"10 file /var/www/snipeit (/var/www/snipeit)
40 database mariadb:snipeit (/data/snipeit) (mariadb:snipeit)
50 file /var/www/snipeit/artisan (/var/www/snipeit/artisan)"
check "setup --json" "$(setup headwind --json | jq -c '[.profile, .line, .candidates[0].score, ([.candidates[0].evidence[] | .kind] | unique)]')" \
	'["headwind","profile: headwind",90,["database","file"]]'
sed -i 's/^title/titel/' "$dir/bad.yaml"
check "setup tells a profile's mistakes" "$("$cli" setup --profiles "$dir" --root "$dir/fleet" 2>&1 | head -1)" \
	"rollcall: error: $dir/bad.yaml:1:1: unknown key 'titel'; did you mean 'title'?"

# ---- a sensor that has nothing but a profile ----
PEOPLE=2000 people=2000
servers_start
servers_fill
mkdir -p "$dir/web" "$dir/service-1.0"
cp /bin/bash "$dir/service-1.0/mdmd"
cp "$pg_bin/psql" "$dir/own"
cat >"$dir/mdm.yaml" <<-END
	title: A product of this test
	services: [$dir/service-*/mdmd]
	database: {tables: ["postgresql:hr.public.staff"], clients: [$dir/own]}
	files: {web_roots: [$dir/web]}
END
printf 'profile: %s\npolicy: {rules: %s}\n' "$dir/mdm.yaml" "$(pwd)/policy/rules/product.yml" >"$dir/sensor.yaml"
run() { # EVENTS [OPTION...]
	"$sensor" --stdout --config "$dir/sensor.yaml" "${@:2}" >"$1" 2>>"$dir/sensor.log" &
	sensor_pid=$!
	for _ in $(seq 1200); do
		grep -q '"event":"ready"' "$1" && return
		kill -0 "$sensor_pid" 2>/dev/null || break
		sleep 0.05
	done
	cat "$dir/sensor.log"
	exit 1
}
wait_for() { # EVENTS TEXT
	for _ in $(seq 400); do grep -q "$2" "$1" && return; sleep 0.05; done
}
run "$dir/events"
PGAPPNAME=theirs pg -c 'select name from staff limit 40' >/dev/null
PGAPPNAME=ours "$dir/own" -X -q -A -t "host=$dir/run port=$port user=app dbname=hr" -c 'select name from staff limit 30' >/dev/null
"$dir/service-1.0/mdmd" -c "sh -c 'echo x >$dir/web/one; :'; :"
wait_for "$dir/events" "$dir/web/one"
wait_for "$dir/events" '"title":"Staff table of the product'
wait_for "$dir/events" '"title":"Shell below a service'
sensor_stop
check "the profile's table is watched" "$(jq -c 'select(.event == "ready") | .watch' "$dir/events")" '["hr.public.staff"]'
check "rows of it are counted" "$(results '.db.client.program == "theirs"' | jq -c '[.db.tables, .db.rows]')" '[["hr.public.staff"],40]'
check "its web root and its services are watched" \
	"$(jq -c 'select(.event == "file_open" and .path == "'"$dir/web/one"'") | [.tree, .lineage]' "$dir/events")" '[1,1]'
table() { jq -c 'select(.rule.title == "Staff table of the product read by a program that is not the product'"'"'s") |
	select(.db.client.program == "'"$1"'") | .rule.level' "$dir/events"; }
check "another program's read is told" "$(table theirs)" '"medium"'
check "a known client's is not" "$(table ours)" ""
check "a shell below its service" "$(jq -c 'select(.rule.title == "Shell below a service of the product") |
	select([.process | .. | strings] | any(contains("'"${dir##*/}"'"))) | .rule.level' "$dir/events" | head -1)" '"high"'

# What the configuration names comes beside it.
run "$dir/more" --watch postgresql:hr.public.device
sensor_stop
check "the configuration adds to it" "$(jq -c 'select(.event == "ready") | .watch | sort' "$dir/more")" \
	'["hr.public.device","hr.public.staff"]'
finish
