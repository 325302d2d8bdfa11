#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The name of a peer: a DNS answer that one process read, a connection and a datagram of others; and a
# rule as public ones are, by DestinationHostname.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/servers.sh
cat >"$dir/rule.yml" <<-'END'
	title: tunnel
	id: tunnel
	logsource: {category: network_connection, product: linux}
	detection: {s: {DestinationHostname|endswith: .tunnel.example, Initiated: 'true'}, condition: s}
END
# Answers every question with 127.8.8.8; its own network: the host's loopback is left alone.
cat >"$dir/peers.py" <<-'END'
	import os, socket, struct, sys
	dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	dns.bind(("127.9.9.9", 53))
	web = socket.create_server(("127.8.8.8", 8080))
	def ask(name):
	    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	    s.sendto(struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) +
	             b"\0\0\1\0\1", ("127.9.9.9", 53))
	    q, who = dns.recvfrom(512)
	    dns.sendto(q[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + q[12:] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes([127, 8, 8, 8]), who)
	    s.recv(512)
	def other(work):
	    pid = os.fork()
	    if not pid:
	        work()
	        os._exit(0)
	    os.waitpid(pid, 0)
	def datagram():
	    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.8.8.8", 9))
	connect = lambda: socket.create_connection(("127.8.8.8", 8080)).close()
	other(connect)                            # before any answer
	other(lambda: ask("a.tunnel.example"))
	other(connect)
	other(datagram)
	other(lambda: ask("www.other.example"))
	other(connect)
END
sensor_start --rules "$dir/rule.yml"
unshare --net sh -c "ip link set lo up && python3 '$dir/peers.py'" ||
	{ echo "FAILED to make peers"; exit 1; }
peers() { # KIND: names of its peers, in their order
	jq -r 'select(.event == "'"$1"'" and .remote.address == "127.8.8.8") | .remote_name // "-"' "$dir/events" | xargs
}
for _ in $(seq 100); do [ "$(peers tcp_connect | wc -w)" -ge 3 ] && break; sleep 0.1; done
sensor_stop
check "connections" "$(peers tcp_connect)" "- a.tunnel.example www.other.example"
check "a datagram" "$(peers udp_send)" "a.tunnel.example"
check "a rule by it" "$(jq -r 'select(.rule.id == "tunnel" and .status == "new") | .rule.id' "$dir/events")" tunnel
check "only where the name is" "$(jq -r 'select(.rule.id == "tunnel") | .evidence[]' "$dir/events" | sort -u | wc -l)" 2
finish
