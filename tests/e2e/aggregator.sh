# SPDX-License-Identifier: Apache-2.0
# Sourced after servers.sh: a private aggregator and a sensor that sends to it.
aggregator=$(realpath "${ROLLCALL_AGGREGATOR:-build/rollcall-aggregator}")
rollcall=$(realpath "${ROLLCALL_CLI:-build/rollcall}")
agg_port=$((port + 1))
trap 'agg_stop; cleanup' EXIT

agg_init() {
	"$aggregator" init --dir "$dir/agg" --name 127.0.0.1 --name localhost >/dev/null &&
		"$aggregator" enroll mdm1 --dir "$dir/agg" --out "$dir/bundle" >/dev/null || exit 1
}

agg_start() {
	"$aggregator" serve --dir "$dir/agg" --listen "127.0.0.1:$agg_port" 2>>"$dir/agg.log" &
	agg_pid=$!
	for _ in $(seq 200); do
		(: <"/dev/tcp/127.0.0.1/$agg_port") 2>/dev/null && return
		sleep 0.05
	done
	cat "$dir/agg.log"
	exit 1
}

agg_stop() { # [SIGNAL]
	[ -n "${agg_pid:-}" ] || return 0
	kill "-${1:-TERM}" "$agg_pid"
	wait "$agg_pid" 2>/dev/null
	agg_pid=
}

# As sensor_start, and it delivers. Events are also in $dir/events.
sensor_stream() {
	sensor_start --host mdm1 --aggregator "127.0.0.1:$agg_port" --bundle "$dir/bundle" \
		--spool "$dir/spool" --pins "$pins" --control "$dir/control" --stream-user nobody "$@"
}

store() { sqlite3 -readonly "$dir/agg/store.db" "$@"; }
ctl() { # COMMAND [ARGS]: the command line against this sensor or store
	case $1 in
	status | watch) "$rollcall" "$1" --control "$dir/control" "${@:2}" ;;
	*) "$rollcall" "$1" --store "$dir/agg/store.db" "${@:2}" ;;
	esac
}

# Waits until what is spooled by now is acknowledged (asking makes events, too).
delivered() {
	local last=
	for _ in $(seq 300); do
		# Empty until the sensor answers.
		[ -n "$last" ] || last=$(ctl status --json | jq '.spool.lanes[0].last_seq')
		[ -n "$last" ] && ctl status --json | jq -e --argjson last "$last" \
			'.stream.state == "connected" and .spool.lanes[0].acked_seq >= $last' >/dev/null && return
		sleep 0.1
	done
	return 1
}
