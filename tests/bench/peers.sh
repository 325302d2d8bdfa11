# SPDX-License-Identifier: Apache-2.0
# Sourced by tests/bench/run: what Debian ships for the job, with PEERS=1 (packaging/debian-packages,
# group peers). Each is off in the turns of the others; only pgaudit's library, which PostgreSQL
# takes at its start, is there in all of them. Of one that cannot run here it is said why.
# FLOOR=1: an empty program at the exit of every system call, too, and the sensor with its process
# stopped: what is left are its programs in the kernel, whose records stay in the rings. And beside
# the files of files.sh the least that a sensor can do about them.
peers=
[ -z "${PEERS:-}" ] || [ ! -f "$pg_bin/../lib/pgaudit.so" ] || pg_options="-c shared_preload_libraries=pgaudit"

peers_find() {
	local p
	for p in ${FLOOR:+empty stopped} ${PEERS:+auditd bpftrace pgaudit server_audit}; do
		if peer_start "$p" >"$dir/peer" 2>&1; then
			peers="$peers $p"
		else
			sample peer "\"name\":\"$p\",\"why\":$(tail -1 "$dir/peer" | jq -R . | grep . || echo '"it does not start"')"
		fi
		peer_stop "$p"
	done
}

peer_loads() { # NAME LOADS...: those that it looks at
	local w
	for w in "${@:2}"; do
		case $1:$w in
		pgaudit:pg_* | server_audit:my_* | auditd:* | bpftrace:* | empty:*) echo "$w" ;;
		# Nobody would judge a statement, so that its like need not be told.
		stopped:getppid | stopped:pipe | stopped:fork_exec | stopped:nginx | stopped:*_rows | stopped:*_million) echo "$w" ;;
		esac
	done
}

peer_start() { # NAME
	case $1 in
	empty) floor_start empty ;;
	stopped) stopped_start ;;
	auditd) auditd_start ;;
	bpftrace) bpftrace_start ;;
	pgaudit) pg -c "alter system set pgaudit.log = 'read'" -c 'select pg_reload_conf()' >/dev/null && sleep 0.3 ;;
	server_audit) my_root "install soname 'server_audit'; set global server_audit_events = 'QUERY';
		set global server_audit_file_path = '$dir/my/audit'; set global server_audit_logging = on" ;;
	esac
}
peer_stop() { # NAME
	case $1 in
	empty) floor_stop ;;
	stopped) stopped_stop ;;
	auditd) auditd_stop ;;
	bpftrace) bpftrace_stop ;;
	pgaudit) pg -c 'alter system reset pgaudit.log' -c 'select pg_reload_conf()' >/dev/null 2>&1 ;;
	server_audit) my_root "set global server_audit_logging = off; uninstall soname 'server_audit'" 2>/dev/null ;;
	esac
	return 0
}
# Whatever happened: no rule and no daemon of ours stays. The databases are gone with their directory.
peers_stop() {
	floor_stop
	stopped_stop
	auditd_stop
	bpftrace_stop
}

# One of tests/bench/empty.c and least.c, which run until they are ended.
floor_start() { # NAME ARGUMENTS...
	build/tests/bench/"$1" "${@:2}" >"$dir/floor.log" 2>&1 &
	floor_pid=$!
	for _ in $(seq 100); do
		grep -q '^attached' "$dir/floor.log" && return
		sleep 0.05
	done
	cat "$dir/floor.log"
	return 1
}
floor_stop() {
	[ -n "${floor_pid:-}" ] || return 0
	kill "$floor_pid" 2>/dev/null && wait "$floor_pid" 2>/dev/null
	floor_pid=
}

stopped_start() {
	sensor_spooling sensor.yaml 127.0.0.1:1
	kill -STOP "$probes_pid"
	stopped_pid=$probes_pid
}
stopped_stop() {
	[ -n "${stopped_pid:-}" ] || return 0
	kill -CONT "$stopped_pid" 2>/dev/null
	sensor_spooled
	stopped_pid=
}

my_root() { mariadb --no-defaults -S "$dir/my/sock" -u root -e "$1"; }

# Who else audits this host is left alone.
auditd_start() {
	type auditd auditctl >/dev/null || return 1
	[ "$(auditctl -s | awk '/^pid/ { print $2 }')" = 0 ] && [ "$(auditctl -l)" = "No rules" ] ||
		{ echo "this host is audited already"; return 1; }
	mkdir -p "$dir/audit/plugins.d"
	printf '%s\n' "log_file = $memory_disk/audit.log" "log_format = RAW" "log_group = root" \
		"flush = INCREMENTAL_ASYNC" "freq = 50" "space_left = 75" "admin_space_left = 50" "max_log_file = 64" "num_logs = 2" "max_log_file_action = ROTATE" \
		"space_left_action = IGNORE" "admin_space_left_action = IGNORE" "disk_full_action = IGNORE" \
		"disk_error_action = IGNORE" >"$dir/audit/auditd.conf"
	audit_were=$(auditctl -s | awk '/^enabled/ { print "-e", $2 } /^backlog_limit/ { print "-b", $2 }')
	auditd_rules >"$dir/audit/rules"
	auditd -n -c "$dir/audit" >"$dir/audit/log" 2>&1 &
	audit_pid=$!
	for _ in $(seq 50); do
		[ "$(auditctl -s | awk '/^pid/ { print $2 }')" = "$audit_pid" ] && break
		sleep 0.1
	done
	kill -0 "$audit_pid" 2>/dev/null || { echo "auditd ended at once"; return 1; }
	auditctl -R "$dir/audit/rules" >/dev/null
}
# What the shipped rules look at, in auditd's terms: programs, connections, what is changed in the
# watched directories, hands on other processes and on the kernel.
auditd_rules() {
	local d
	echo "-b 8192"
	echo "-a always,exit -F arch=b64 -S execve,execveat -k exec"
	echo "-a always,exit -F arch=b64 -S connect,accept,accept4,listen -k net"
	echo "-a always,exit -F arch=b64 -S ptrace,process_vm_readv,process_vm_writev,kill,tgkill -k process"
	echo "-a always,exit -F arch=b64 -S setuid,setgid,setreuid,setregid,setresuid,setresgid,capset,unshare,setns -k cred"
	echo "-a always,exit -F arch=b64 -S init_module,finit_module,bpf,kexec_load,mount,settimeofday,clock_settime,memfd_create -k kernel"
	for d in "$dir/web" "$dir/files"; do echo "-w $d -p wa -k files"; done
}
auditd_stop() {
	[ -n "${audit_pid:-}" ] || return 0
	auditctl -D >/dev/null 2>&1
	kill "$audit_pid" 2>/dev/null && wait "$audit_pid" 2>/dev/null
	auditctl $audit_were >/dev/null 2>&1
	audit_pid=
}

# The same in bpftrace's, in a mount namespace that has the files it needs.
bpftrace_start() {
	type bpftrace >/dev/null || return 1
	cat >"$dir/peer.bt" <<-'END'
		tracepoint:sched:sched_process_exec { printf("exec %d %s %s\n", pid, comm, str(args->filename)); }
		tracepoint:sched:sched_process_exit { printf("exit %d %s\n", pid, comm); }
		tracepoint:syscalls:sys_enter_connect { printf("connect %d %s\n", pid, comm); }
		tracepoint:syscalls:sys_exit_accept4 { printf("accept %d %s\n", pid, comm); }
		tracepoint:syscalls:sys_enter_openat /args->flags & 3/ { printf("open %d %s %s\n", pid, comm, str(args->filename)); }
		tracepoint:syscalls:sys_enter_ptrace { printf("ptrace %d %s\n", pid, comm); }
	END
	unshare -m sh -c 'mount -t debugfs none /sys/kernel/debug; mount -t tracefs none /sys/kernel/tracing
		exec bpftrace -o "$1" "$2"' bpftrace "$memory_disk/traced" "$dir/peer.bt" >"$dir/bpftrace.log" 2>&1 &
	trace_pid=$!
	for _ in $(seq 100); do
		grep -qs '^Attaching' "$memory_disk/traced" "$dir/bpftrace.log" && sleep 1 && kill -0 "$trace_pid" && return
		sleep 0.1
	done
	cat "$dir/bpftrace.log"
	return 1
}
bpftrace_stop() {
	[ -n "${trace_pid:-}" ] || return 0
	kill "$trace_pid" 2>/dev/null && wait "$trace_pid" 2>/dev/null
	rm -f "$memory_disk/traced"
	trace_pid=
}
