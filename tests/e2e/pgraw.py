#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# A PostgreSQL client that does on the wire what libpq never would. Prints the DataRow messages it
# got. Usage: pgraw.py SOCKET CASE NAME (SOCKET: a unix socket, or tls:PORT of this host; NAME:
# application_name). Protocol: PostgreSQL manual, chapter "Frontend/Backend Protocol".
import os
import socket
import ssl
import struct
import sys
import time


class Session:
    def __init__(self, path, name, bytewise=False, receive_buffer=0):
        tls = path.startswith("tls:")
        self.sock = socket.socket(socket.AF_INET if tls else socket.AF_UNIX)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.connect(("127.0.0.1", int(path[4:])) if tls else path)
        self.bytewise = bytewise
        self.buffer = b""
        self.name = name
        if tls:
            self.encrypt()

    def encrypt(self):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.bytewise, bytewise = False, self.bytewise
        assert self.ask(80877103) == b"S"
        self.bytewise = bytewise
        self.sock = context.wrap_socket(self.sock)

    def startup(self):
        pairs = ["user", "app", "database", "hr", "application_name", self.name]
        body = struct.pack(">I", 196608) + b"".join(p.encode() + b"\0" for p in pairs) + b"\0"
        self.raw(struct.pack(">I", len(body) + 4) + body)
        kind, key = self.message()
        while kind != b"Z":
            if kind == b"K":
                self.pid, self.secret = struct.unpack(">II", key)
            kind, key = self.message()
        return self

    def ask(self, code):
        """SSLRequest or GSSENCRequest; the answer is one byte."""
        self.raw(struct.pack(">II", 8, code))
        return self.sock.recv(1)

    def raw(self, data):
        if self.bytewise:
            for i in range(len(data)):
                self.sock.sendall(data[i:i + 1])
        else:
            self.sock.sendall(data)

    def send(self, *messages):
        self.raw(b"".join(t + struct.pack(">I", len(b) + 4) + b for t, b in messages))

    def message(self, read=65536):
        while True:
            if len(self.buffer) >= 5:
                size = 1 + struct.unpack(">I", self.buffer[1:5])[0]
                if len(self.buffer) >= size:
                    m, self.buffer = self.buffer[:size], self.buffer[size:]
                    return m[:1], m[5:]
            data = self.sock.recv(read)
            if not data:
                raise EOFError
            self.buffer += data

    def until(self, kinds, read=65536):
        """Reads up to a message of these kinds; the number of DataRows on the way."""
        rows = 0
        while True:
            kind, _ = self.message(read)
            rows += kind == b"D"
            if kind in kinds:
                return rows


def parse(sql, name=b""):
    return b"P", name + b"\0" + sql + b"\0" + struct.pack(">H", 0)


def bind(statement=b"", portal=b""):
    return b"B", portal + b"\0" + statement + b"\0" + struct.pack(">HHH", 0, 0, 0)


def execute(most=0, portal=b""):
    return b"E", portal + b"\0" + struct.pack(">I", most)


SYNC = (b"S", b"")
FLUSH = (b"H", b"")
STAFF = b"select name, mobile from staff"


def portal_slices(path, name):
    """JDBC's setFetchSize(1000): 1000 rows at a time from one portal."""
    s = Session(path, name).startup()
    s.send((b"Q", b"begin\0"))
    s.until(b"Z")
    s.send(parse(STAFF), bind(b"", b"p"), (b"D", b"Pp\0"), execute(1000, b"p"), FLUSH)
    rows = s.until(b"sC")
    while rows % 1000 == 0 and rows:
        s.send(execute(1000, b"p"), FLUSH)
        more = s.until(b"sC")
        rows += more
        if more < 1000:
            break
    s.send(SYNC)
    s.until(b"Z")
    return rows


def pipelined(path, name):
    """Three Bind/Execute of a prepared statement in one segment, no Describe."""
    s = Session(path, name).startup()
    s.send(parse(STAFF, b"st"), SYNC)
    s.until(b"Z")
    s.send(bind(b"st"), execute(), bind(b"st"), execute(), bind(b"st"), execute(), SYNC)
    return s.until(b"Z")


def bytewise(path, name):
    """Each message a byte at a time, answers read slowly through a small buffer."""
    s = Session(path, name, bytewise=True, receive_buffer=2304).startup()
    s.send((b"Q", STAFF + b"\0"))
    rows = 0
    for _ in range(40):
        kind, _ = s.message(1)
        rows += kind == b"D"
    time.sleep(0.3)
    return rows + s.until(b"Z", 512)


def reluctant(path, name):
    """A byte a second at first, so that the server's socket stays full; 100,000 rows."""
    s = Session(path, name, receive_buffer=2304).startup()
    s.send((b"Q", b"select s.name from staff s, generate_series(1, 20)\0"))
    for _ in range(5):
        s.buffer += s.sock.recv(1)
        time.sleep(1)
    return s.until(b"Z")


def slow(path, name):
    """A million rows, read so slowly at first that the server's writes are refused."""
    s = Session(path, name, receive_buffer=4096).startup()
    s.send((b"Q", b"select s.name from staff s, generate_series(1, 200)\0"))
    rows = 0
    for _ in range(300):
        kind, _ = s.message(512)
        rows += kind == b"D"
        time.sleep(0.002)
    return rows + s.until(b"Z")


def long_text(path, name):
    """A statement of three records of TLS, then one that says more than a buffer holds."""
    s = Session(path, name).startup()
    s.send((b"Q", b"select name || '' from staff /*" + b"x" * 40000 + b"*/\0"))
    rows = s.until(b"Z")
    s.send((b"Q", b"select name || '' from staff /*" + b"x" * 9000 + b"*/ limit 20\0"))
    return rows + s.until(b"Z")


def renamed(path, name):
    """A batch longer than a record gives a statement's name to another statement."""
    s = Session(path, name).startup()
    s.send(parse(b"select serial from device limit 7", b"st"), SYNC)
    s.until(b"Z")
    many = [bind(b"st"), execute()] * 500
    s.send(*many, (b"C", b"Sst\0"), parse(STAFF + b" limit 8", b"st"), *many[:600], SYNC)
    rows = s.until(b"Z")
    s.send(bind(b"st"), execute(), SYNC)
    return rows + s.until(b"Z")


def encryption_refused(path, name):
    """A unix socket refuses TLS and GSS encryption with one byte; the session then goes on."""
    s = Session(path, name)
    assert s.ask(80877103) == b"N" and s.ask(80877104) == b"N"
    s.startup()
    s.send((b"Q", STAFF + b"\0"))
    return s.until(b"Z")


def handed_over(path, name):
    """The connection is used by a child that inherited it, by one that was handed it, and by
    another descriptor."""
    s = Session(path, name).startup()
    s.send((b"Q", STAFF + b"\0"))
    if os.fork() == 0:
        print(s.until(b"Z"))
        sys.stdout.flush()
        os._exit(0)
    os.wait()
    near, far = socket.socketpair()
    if os.fork() == 0:
        _, fds, _, _ = socket.recv_fds(far, 1, 1)
        s.sock = socket.socket(fileno=fds[0])
        s.send((b"Q", STAFF + b"\0"))
        print(s.until(b"Z"))
        sys.stdout.flush()
        os._exit(0)
    socket.send_fds(near, [b"x"], [s.sock.fileno()])
    os.wait()
    s.sock = socket.socket(fileno=os.dup2(s.sock.fileno(), 77))
    s.send((b"Q", STAFF + b"\0"))
    return s.until(b"Z")


def prepared(path, name):
    """Prepares by the protocol and by SQL, waits for a line, then runs both."""
    s = Session(path, name).startup()
    s.send(parse(STAFF, b"st"), parse(STAFF + b" where id <= 150", b"few"), SYNC)
    s.until(b"Z")
    s.send((b"Q", b"prepare q as " + STAFF + b"\0"))
    s.until(b"Z")
    print("prepared", flush=True)
    sys.stdin.readline()
    s.send(bind(b"st"), execute(), SYNC)
    rows = s.until(b"Z")
    s.send(bind(b"few"), execute(), SYNC)
    rows += s.until(b"Z")
    s.send((b"Q", b"execute q\0"))
    return rows + s.until(b"Z")


def midway(path, name):
    """Stops reading in the middle of a large result until it gets a line; then one more result."""
    s = Session(path, name, receive_buffer=4096).startup()
    s.send((b"Q", b"select s.name from staff s, generate_series(1, 200)\0"))
    rows = sum(s.message()[0] == b"D" for _ in range(1000))
    print("midway", flush=True)
    sys.stdin.readline()
    rows += s.until(b"Z")
    print(rows, flush=True)
    s.send((b"Q", STAFF + b"\0"))
    return s.until(b"Z")


def abandoned(path, name):
    """Goes away while the server is still sending."""
    s = Session(path, name, receive_buffer=4096).startup()
    s.send((b"Q", b"select s.name from staff s, generate_series(1, 200)\0"))
    rows = sum(s.message()[0] == b"D" for _ in range(1000))
    return rows


def stopped(path, name):
    """A large result, of which 1000 rows were read."""
    s = Session(path, name, receive_buffer=4096).startup()
    s.send((b"Q", b"select s.name from staff s, generate_series(1, 200)\0"))
    for _ in range(1000):
        s.message()
    return s


def cancel_request(path, name):
    """Cancelled by a connection that has nothing but the key."""
    s = stopped(path, name)
    Session(path, name).raw(struct.pack(">IIII", 16, 80877102, s.pid, s.secret))
    return 999 + s.until(b"Z")


def killed_hard(path, name):
    """The backend gets SIGKILL: rows at that time, and at the end."""
    s = stopped(path, name)
    os.kill(s.pid, 9)
    rows = 999
    try:
        while True:
            rows += s.message()[0] == b"D"
    except EOFError:
        return "999 %d" % rows


def crowd(path, name):
    """Five hundred sessions, all asked before any is read."""
    all_of_them = [Session(path, name).startup() for _ in range(500)]
    for s in all_of_them:
        s.send((b"Q", b"select name, mobile from staff limit 100\0"))
    return sum(s.until(b"Z") for s in all_of_them)


def by_key(path, name):
    """One person at a time, all of them."""
    s = Session(path, name).startup()
    rows = 0
    for i in range(1, 5001):
        s.send((b"Q", b"select name, mobile from staff where id = %d\0" % i))
        rows += s.until(b"Z")
    return rows


def pages(path, name):
    """An OFFSET walk in a scrambled order."""
    s = Session(path, name).startup()
    rows = 0
    for i in range(100):
        s.send((b"Q", b"select name, mobile from staff order by id limit 50 offset %d\0"
                % (i * 37 % 100 * 50)))
        rows += s.until(b"Z")
    return rows


def unseen(path, name):
    """Refers to what was parsed and bound in messages that were not told; rows of the staff table."""
    s = Session(path, name).startup()
    s.send(parse(STAFF + b" where id = 1"), bind(), execute(), SYNC)
    rows = s.until(b"Z")
    device = b"select serial from device where id = 7"

    def look_up(session, n, *messages):
        for _ in range(n):
            session.send(*messages)
            assert session.until(b"Z") == 1
            time.sleep(0.002)  # the sensor judges meanwhile

    look_up(s, 300, parse(device), bind(), execute(), SYNC)
    # Statement and portal are those of the last look-up, not those of the staff table.
    s.send(bind(), execute(), SYNC, SYNC)
    assert s.until(b"Z") + s.until(b"Z") == 1
    look_up(s, 1, bind(b"", b"p"), execute(0, b"p"), SYNC)
    s = Session(path, name).startup()
    s.send(parse(device, b"S_1"), SYNC)
    s.until(b"Z")
    look_up(s, 300, bind(b"S_1"), execute(), SYNC)
    # Another statement under the name, by SQL.
    s.send((b"Q", b"deallocate \"S_1\"; prepare \"S_1\" as " + STAFF + b" limit 20\0"))
    s.until(b"Z")
    s.send(bind(b"S_1"), execute(), SYNC)
    return rows + s.until(b"Z")


print(globals()[sys.argv[2]](sys.argv[1], sys.argv[3]))
