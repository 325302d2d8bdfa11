# SPDX-License-Identifier: Apache-2.0
# Sourced by tests/bench/run: floods of files in a watched tree. The sensor spools what it is told,
# judged by the shipped rules, onto a disk in memory; nobody fetches it. No session is throttled, nothing shed:
# what is lost is what the sensor could not take.

# A service, older than any sensor, as an upload's worker would be.
files_start() {
	mkdir "$dir/files"
	mkfifo "$dir/files_ask" "$dir/files_made"
	# Opening a pipe waits for its other end.
	setsid -f build/tests/bench/files "$dir/files" <"$dir/files_ask" >"$dir/files_made" &
	exec 8>"$dir/files_ask" 9<"$dir/files_made"
}
files_stop() { exec 8>&- 9<&-; }
files_make() { # SECONDS PAIRS-A-SECOND NICE: prints pairs, seconds
	local pairs took
	echo "$*" >&8
	read -r pairs took <&9 || exit 1
	echo "$pairs $took"
}

# Without --stdout nothing tells that it is ready but its answer, which is that nobody fetches.
sensor_spooling() { # CONFIGURATION ADDRESS [OPTIONS]; $probes_pid: its process that has the probes
	"$sensor" --config "$dir/$1" --host mdm1 --aggregator "$2" --bundle "$dir/bundle" \
		--spool "$memory_disk/spool" --pins "$pins" --control "$dir/control" --stream-user nobody "${@:3}" >"${out:-/dev/null}" 2>"$dir/sensor.log" &
	sensor_pid=$!
	for _ in $(seq 600); do
		probes_pid=$(ctl status --json 2>/dev/null | jq '.pid // empty')
		[ -z "$probes_pid" ] || return 0
		sleep 0.05
	done
	cat "$dir/sensor.log"
	exit 1
}
sensor_spooled() { # stops it; what it spooled is gone
	sensor_stop
	rm -rf "$memory_disk/spool"
}

# Of opens and closes: told of, delivered, declared lost; then what lane crit lost, what the spool trimmed.
files_counts() {
	ctl status --json | jq -r '[.coverage.counts[] | select(.event | IN("file_open", "file_close"))] as $c |
		[($c | map(.written + .dropped + .throttled) | add // 0), ($c | map(.read) | add // 0),
		($c | map(.dropped + .throttled) | add // 0), (.coverage.lanes[] | select(.name == "crit") | .dropped),
		(.spool.lanes | map(.trimmed) | add)] | @tsv'
}
# What is written has been read once two looks say the same.
files_settled() {
	local before= now=
	for _ in $(seq 200); do
		before=$now now=$(files_counts)
		[ "$now" = "$before" ] && awk '{ exit $1 != $2 + $3 }' <<<"$now" && break
		sleep 0.1
	done
	echo "$now"
}

# Prints a sample's fields; pairs are two events each.
files_flood() { # SECONDS PAIRS-A-SECOND NICE
	local pairs took all told delivered declared crit trimmed
	all=$(machine)
	read -r pairs took < <(files_make "$@") || exit 1
	sleep 0.1 # what is still in the ring
	all=$(since "$(machine)" "$all")
	read -r told delivered declared crit trimmed < <(files_settled)
	echo "\"events\":$((2 * pairs)),\"took\":$took,\"machine\":$all,\"told\":$told,\"delivered\":$delivered,
		\"declared\":$declared,\"crit_lost\":$crit,\"trimmed\":$trimmed"
}

files_alone() { # PAIRS-A-SECOND [SIDE]
	local pairs took all
	all=$(machine)
	read -r pairs took < <(files_make 2 "$1" 0) || exit 1
	sleep 0.1
	sample files "\"rate\":$((2 * $1)),\"turn\":$turn,\"side\":\"${2:-none}\",\"events\":$((2 * pairs)),\"took\":$took,
		\"machine\":$(since "$(machine)" "$all")"
	turn=$((turn + 1))
}
files_least() { # PAIRS-A-SECOND
	floor_start least "$memory_disk/least" || exit 1
	files_alone "$1" least
	floor_stop
	rm -rf "$memory_disk/least"
}
files_watched() { # PAIRS-A-SECOND
	local fields
	sensor_spooling sensor_flood.yaml 127.0.0.1:1
	fields=$(files_flood 2 "$1" 0) || exit 1
	sample files "\"rate\":$((2 * $1)),\"turn\":$turn,\"side\":\"rollcall\",$fields"
	turn=$((turn + 1))
	sensor_spooled
}

# As fast as every CPU can: nobody is below anybody's priority.
files_full() {
	local fields
	sensor_spooling sensor_flood.yaml 127.0.0.1:1
	fields=$(files_flood 2 0 0) || exit 1
	sample flood "\"name\":\"full speed\",$fields"
	sensor_spooled
}

# 600,000 events/s are offered by those whom the sensor may not interrupt, and programs are executed
# as urgently. Each of those is to be told; of the rest what is not is to be declared.
MARKS=200
files_starved() {
	local fields filter out i
	cp /bin/true "$dir/marker"
	mkfifo "$dir/told"
	grep --line-buffered '"event":"exec"' <"$dir/told" >"$memory_disk/execs" &
	filter=$!
	out=$dir/told
	sensor_spooling sensor_flood.yaml 127.0.0.1:1 --stdout
	(for i in $(seq $MARKS); do nice -n -15 "$dir/marker" "$i"; done) &
	fields=$(files_flood 3 300000 -15) || exit 1
	wait $!
	sleep 1
	sensor_spooled
	wait "$filter"
	sample flood "\"name\":\"starved\",\"crit_made\":$MARKS,
		\"crit_told\":$(jq -r --arg exe "$dir/marker" 'select(.process.exe == $exe) | .process.args[1]' "$memory_disk/execs" | sort -u | wc -l),$fields"
}

files_measure() {
	local pairs
	for pairs in 50000 100000; do
		files_alone $pairs
		for _ in $(seq "$files_rounds"); do
			files_watched $pairs
			files_alone $pairs
			[ -n "${FLOOR:-}" ] || continue
			files_least $pairs
			files_alone $pairs
		done
	done
	files_full
	files_starved
}
