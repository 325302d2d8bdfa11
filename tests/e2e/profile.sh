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

# `setup database` resolves those of the profile's tables that are there.
sed 's/tables: .*]/tables: ["postgresql:hr.public.staff", "postgresql:none.public.x", "mariadb:mdm.none", "mariadb:mdm.staff"]/' \
	"$dir/mdm.yaml" >"$dir/more.yaml"
check "setup database --profile" \
	"$("$cli" setup database --profile "$dir/more.yaml" --json --output "$dir/resolved" 2>"$dir/setup.log" | jq -c '[.tables[].watch] | unique')" \
	'["mariadb:mdm.staff","postgresql:hr.public.staff"]'
check "... and says which are not there" "$(grep -c 'warning: .*\(none.public.x\|mdm.none\)' "$dir/setup.log")" 2
"$cli" setup database --profile "$dir/more.yaml" --watch mariadb:mdm.none --output "$dir/resolved" 2>/dev/null
check "... a table that is named must be" "$?" 1

# What the configuration names comes beside it.
run "$dir/more" --watch postgresql:hr.public.device
sensor_stop
check "the configuration adds to it" "$(jq -c 'select(.event == "ready") | .watch | sort' "$dir/more")" \
	'["hr.public.device","hr.public.staff"]'

# ---- a baseline: learnt, kept over a restart, edited ----
service=$dir/service-1.0/mdmd
cat >"$dir/sensor.yaml" <<-END
	profile: $dir/mdm.yaml
	policy: {rules: $(pwd)/policy/rules}
	baseline: {file: $dir/state, warm_up_hours: 0}
END
children() { jq -r 'select(.event == "first_seen" and .what == "child" and .of == "'"$service"'") | .value' "$1" | xargs; }
baseline() { "$cli" baseline "$@" --file "$dir/state" 2>&1; }
ours() { # APPLICATION USER STATEMENT
	PGAPPNAME=$1 psql -X -q -A -t "host=$dir/run port=$port user=$2 dbname=hr" -c "$3" >/dev/null
}
psql -X -q "host=$dir/run port=$port user=postgres dbname=hr" -c "create role other login superuser"
run "$dir/first"
"$service" -c "id >/dev/null; uname >/dev/null; :"
"$service" -c "exec 3<>/dev/tcp/127.0.0.1/$port; :"
ours one app 'select name from staff limit 3'
wait_for "$dir/first" '"title":"New shape of statement'
wait_for "$dir/first" '"what":"peer"'
sensor_stop
check "first run: its children" "$(children "$dir/first")" "/usr/bin/id /usr/bin/uname"
check "first run: its peer" "$(jq -r 'select(.event == "first_seen" and .what == "peer" and .of == "'"$service"'") | .value' "$dir/first")" 127.0.0.1
check "first run: the table's reader and the statement" \
	"$(jq -r 'select(.event == "first_seen" and .of == "hr.public.staff") | .what' "$dir/first" | xargs)" "principal statement"
check "first run: a rule gives it a level" \
	"$(jq -r 'select(.rule.title == "New program below a watched service" and .process.parent.exe == "'"$service"'") | .rule.level' "$dir/first" | sort -u)" medium
check "list" "$(baseline list --json --what child --of "$service" | jq -r .value | sort | xargs)" "/usr/bin/id /usr/bin/uname"
check "list, as a table" "$(baseline list --what peer --of "$service" | awk 'NR == 2 { print $1, $2, $4 }')" "peer $service 127.0.0.1"

run "$dir/second"
"$service" -c "id >/dev/null; true; /usr/bin/true; :"
ours two app 'select name from staff limit 3'
ours two app 'select mobile, name from staff limit 3'
ours two other 'select name from staff limit 3'
wait_for "$dir/second" '"title":"New reader of a watched table'
wait_for "$dir/second" '"value":"/usr/bin/true"'
check "after a restart: what is known is silent, what is new is told" "$(children "$dir/second")" /usr/bin/true
check "... of the table, too" \
	"$(jq -r 'select(.event == "first_seen" and .of == "hr.public.staff") | .what + " " + .db.user' "$dir/second")" "statement app
principal other"
check "a running sensor takes an edit" "$(baseline forget --what child --value '*/id')" "taken by the sensor; its log tells how much"
"$service" -c "id >/dev/null; :"
wait_for "$dir/second" '"value":"/usr/bin/id"'
check "what was forgotten is new again" "$(children "$dir/second")" "/usr/bin/true /usr/bin/id"
"$sensor" --stdout --config "$dir/sensor.yaml" >/dev/null 2>"$dir/both.log" &
both=$!
for _ in $(seq 400); do grep -q 'is in use' "$dir/both.log" && break; sleep 0.05; done
kill "$both"
wait "$both"
check "a second sensor leaves the file alone" "$(grep -c "the baseline '$dir/state' is in use" "$dir/both.log")" 1
sensor_stop

baseline export --of "$service" >"$dir/export"
check "without a sensor the file is changed at once" "$(baseline forget --of "$service" | cut -d' ' -f2-)" "entries forgotten, 0 taken"
check "all of it is gone" "$(baseline list --json --of "$service")" ""
check "an export comes back" "$(baseline import "$dir/export")" "0 entries forgotten, $(wc -l <"$dir/export") taken"
check "... as it was" "$(baseline export --of "$service" | sort)" "$(sort "$dir/export")"
sed -i '1s/"what"/"waht"/' "$dir/export"
check "a mistake in an import" "$(baseline import "$dir/export")" \
	"rollcall: error: $dir/export:1: BaselineEntry has no field 'waht'"
baseline forget >/dev/null
check "forget needs to be told what" "$?" 2
baseline list --what nonsense >/dev/null
check "a kind that is none" "$?" 2

# The warm-up: nothing is new, what is bad is told all the same. The file is damaged first.
printf x | dd of="$dir/state" bs=1 seek=30 conv=notrunc 2>/dev/null
check "a damaged file is said to be" "$(baseline list)" "rollcall: error: the baseline '$dir/state' cannot be read: it is damaged"
sed -i 's/warm_up_hours: 0/warm_up_hours: 1/' "$dir/sensor.yaml"
run "$dir/third"
"$service" -c "id >/dev/null; sh -c 'uname -a >/dev/null; :'; :"
wait_for "$dir/third" '"title":"Shell below a service'
wait_for "$dir/third" 'set aside'
sensor_stop
check "during the warm-up nothing is new" "$(children "$dir/third")" ""
check "... and rules work" "$(jq -r 'select(.rule.title == "Shell below a service of the product") |
	select([.process | .. | strings] | any(contains("'"${dir##*/}"'"))) | .rule.level' "$dir/third" | head -1)" high
check "a damaged file is set aside" "$(head -c 8 "$dir/state.bad")" rollbase
check "... which is a gap" "$(jq -r 'select(.event == "gap" and .lane == "baseline") | .reason' "$dir/third")" "the file was bad: set aside"
check "learning began anew" "$(baseline list --json --what child --of "$service" | jq -r '.by + " " + .value' | sort)" \
	"$(printf '%s\n' "$(readlink -f /bin/sh) /usr/bin/uname" "$service /usr/bin/id" "$service $(readlink -f /bin/sh)" | sort)"
finish
