# SPDX-License-Identifier: Apache-2.0
# Sourced by tests/bench/run after servers.sh and aggregator.sh: what it loads the machine with, and
# what is measured once rather than in pairs.
web_port=$((port + 2))

machine_describe() {
	sample machine "$(jq -nc --arg cpu "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -1)" \
		--argjson cpus "$(nproc)" --arg kernel "$(uname -r)" \
		--argjson memory "$(awk '/^MemTotal:/ { print $2 }' /proc/meminfo)" \
		--arg virtual "$(grep -qw hypervisor /proc/cpuinfo && echo virtual || echo bare)" \
		--arg load "$(cut -d' ' -f1-3 /proc/loadavg)" --argjson rounds "$rounds" --arg each "$each" \
		--arg system "$(. /etc/os-release && echo "$PRETTY_NAME")" \
		--arg lsm "$(cat /sys/kernel/security/lsm 2>/dev/null)" \
		--arg day "$(date -u +%F)" '$ARGS.named' | sed 's/^{//; s/}$//')"
}

web_start() {
	mkdir "$dir/web"
	chmod 755 "$dir/web"
	head -c 1024 /dev/zero >"$dir/web/page"
	cat >"$dir/nginx.conf" <<-END
		worker_processes 1;
		pid $dir/nginx.pid;
		error_log $dir/nginx.log;
		events {}
		http {
			access_log off;
			server { listen 127.0.0.1:$web_port; root $dir/web; }
		}
	END
	/usr/sbin/nginx -c "$dir/nginx.conf" || exit 1
}
web_stop() { [ ! -f "$dir/nginx.pid" ] || kill "$(cat "$dir/nginx.pid")"; }

# wrk takes whole seconds.
web() {
	wrk -t1 -c4 -d1s "http://127.0.0.1:$web_port/page" | awk '/Non-2xx/ { exit 1 }
		/ requests in / { done = $1 } /^Requests\/sec/ { rate = $2 }
		END { if (!done) exit 1; print rate, done, done / rate }'
}

# As an administrator has it: a profile, whose programs are watched, directories, the shipped rules.
config_write() {
	cat >"$dir/sensor.yaml" <<-END
		profile: $PWD/policy/profiles/generic.yaml
		watch: [postgresql:hr.public.staff, mariadb:mdm.staff]
		files:
		  web_roots: [$dir/web, $dir/files]
		  secrets: [$dir/pg/server.key]
		  config: [$dir/nginx.conf]
		policy:
		  rules: $PWD/policy/rules
	END
	{ cat "$dir/sensor.yaml"; printf 'limits:\n  bulk_events: 0\n  cpu_percent: 0\n'; } >"$dir/sensor_flood.yaml"
}

files() {
	files_make "$each" 10000 0 | awk '{ print $1 / $2, $1, $2 }'
}

# Prints "RATE OPERATIONS SECONDS".
load() { # WORKLOAD
	local pg="port=$port user=app dbname=hr application_name=bench"
	case $1 in nginx) web; return ;; files) files; return ;; esac
	local tcp="host=127.0.0.1 $pg sslmode" program=$1 target=
	case $1 in
	pg_unix) program=pg_point target="host=$dir/run $pg" ;;
	pg_tcp) program=pg_point target="$tcp=disable" ;;
	pg_tls) program=pg_point target="$tcp=require" ;;
	pg_rows | pg_million | pg_watched | pg_prepared) target="host=$dir/run $pg" ;;
	my_*) target=$dir/my/sock ;;
	esac
	build/tests/bench/load "$program" "$each" "$target" "$people"
}

# Prints "N rules" and its figures as samples.
rules_replay() {
	build/tests/bench/rules | sed -nE 's/^ *([0-9]+) rules: *([0-9]+) ns an event, *([0-9]+) events.*/"rules":\1,"ns":\2,"per_s":\3/p' |
		while read -r fields; do sample rules "$fields"; done
}

# A record from the ring into the spool, in a process of its own.
record_cost() {
	local ns
	ns=$(build/tests/bench/pipeline "$memory_disk/pipeline" policy/rules) || exit 1
	sample record "\"ns\":$ns"
	rm -rf "$memory_disk/pipeline"
}

# Spool, stream and ingest, with a real aggregator over mutual TLS.
delivery() {
	local stage events took used
	build/tests/bench/deliver "$dir/delivered" "127.0.0.1:$agg_port" "$dir/bundle" "$agg_pid" "$delivered" >"$dir/delivery" || exit 1
	while read -r stage events took used; do
		sample delivery "\"stage\":\"$stage\",\"events\":$events,\"seconds\":$took,\"cpu\":$used"
	done <"$dir/delivery"
}

# Findings of reads, each by another application, so that each is a finding of its own: from the
# first row that left, and from the kernel's record of the result's end, to the finding as the
# sensor prints it and as it is on the aggregator's disk.
latency() {
	local out=$dir/printed i stamp
	mkfifo "$out"
	build/tests/bench/stamp <"$out" >"$memory_disk/stamped" &
	stamp=$!
	sensor_spooling sensor_flood.yaml "127.0.0.1:$agg_port" --stdout
	for i in $(seq 100); do
		PGAPPNAME=bench$i pg -c 'select name, mobile from staff limit 300' >/dev/null
	done
	delivered || exit 1
	sensor_spooled
	wait "$stamp"
	store "select json_object('id', id, 'stored', stored) from findings" >"$dir/stored"
	jq -c --slurpfile stored "$dir/stored" 'def ns: (.[:19] + "Z" | fromdate) * 1e9 + (.[20:29] | tonumber);
		select(.event == "finding" and .rule.id == "rollcall-db-bulk-read" and .status == "new") |
		.id as $id | ($stored[] | select(.id == $id).stored) as $stored |
		{kind: "latency", printed: (.read - (.time | ns)), stored: ($stored - (.time | ns)),
		stored_row: ($stored - .first_seen)}' "$memory_disk/stamped" >>"$dir/samples"
}
