#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# A MariaDB client that does on the wire what libmariadb never would. Prints the rows it got.
# Usage: myraw.py SOCKET CASE; each case's statement names it: "select name as CASE". Protocol:
# MariaDB manual, chapter "Client/Server Protocol".
import socket
import struct
import sys
import time

LOCAL_FILES, PROTOCOL_41, SECURE, PLUGIN_AUTH = 0x80, 0x200, 0x8000, 0x80000
WITH_DB, MULTI, DEPRECATE_EOF, MORE_RESULTS = 8, 0x70000, 1 << 24, 8
BASE = 1 | WITH_DB | LOCAL_FILES | PROTOCOL_41 | 0x2000 | SECURE | MULTI | PLUGIN_AUTH
SET_OPTION, FIELD_LIST, STATISTICS, PING, CHANGE_USER = 0x1b, 0x04, 0x09, 0x0e, 0x11
QUERY, PREPARE, EXECUTE, FETCH, RESET_CONNECTION = 0x03, 0x16, 0x17, 0x1c, 0x1f
CURSOR_READ_ONLY = 1
POLL = "7"  # the system call's number on x86-64, as /proc/TID/syscall has it


class Session:
    def __init__(self, path, deprecate_eof=False, bytewise=False, receive_buffer=0):
        self.sock = socket.socket(socket.AF_UNIX)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.connect(path)
        self.file = self.sock.makefile("rb", buffering=4096 if receive_buffer else 65536)
        self.deprecate_eof = deprecate_eof
        self.bytewise = bytewise
        greeting = self.packet()
        self.id = struct.unpack_from("<I", greeting, greeting.index(0, 1) + 1)[0]
        caps = BASE | (DEPRECATE_EOF if deprecate_eof else 0)
        self.send(struct.pack("<IIB23x", caps, 1 << 26, 33) + b"raw\0\0mdm\0mysql_native_password\0",
                  seq=1)
        assert self.packet()[0] == 0

    def packet(self):
        """One payload; those of 0xffffff bytes go on in the next packet."""
        whole = b""
        while True:
            head = self.file.read(4)
            if len(head) < 4:
                raise EOFError
            size = head[0] | head[1] << 8 | head[2] << 16
            whole += self.file.read(size)
            self.seq = head[3]
            if size < 0xffffff:
                return whole

    def send(self, payload, seq=0):
        data = struct.pack("<I", len(payload))[:3] + bytes([seq]) + payload
        step = 1 if self.bytewise else len(data)
        for i in range(0, len(data), step):
            self.sock.sendall(data[i:i + step])

    def command(self, code, payload=b""):
        self.send(bytes([code]) + payload)

    def is_end(self, p):
        return p[:1] == b"\xff" or (p[:1] == b"\xfe" and len(p) < (0xffffff if self.deprecate_eof
                                                                   else 9))

    def status(self, p):
        """Of an EOF packet, or of an OK (whose two numbers are one byte each here)."""
        at = 3 if p[0] == 0xfe and len(p) == 5 else len_at(p, len_at(p, 1))
        return struct.unpack_from("<H", p, at)[0]

    def rows(self):
        """Rows up to the end of the result, and whether more results follow."""
        n = 0
        while True:
            p = self.packet()
            if self.is_end(p):
                return n, p[0] != 0xff and bool(self.status(p) & MORE_RESULTS)
            n += 1

    def columns(self, n, cursor=False):
        for _ in range(n):
            self.packet()
        if cursor or not self.deprecate_eof:
            assert self.is_end(self.packet())

    def results(self, cursor=False):
        total, more = 0, True
        while more:
            p = self.packet()
            if p[0] == 0xff:
                return total
            if p[0] == 0:
                more = self.status(p) & MORE_RESULTS
                continue
            self.columns(p[0], cursor)
            if cursor:
                return total
            n, more = self.rows()
            total += n
        return total

    def query(self, sql):
        self.command(QUERY, sql.encode())
        return self.results()

    def value(self, sql):
        """The first column of the one row, shorter than 251 bytes."""
        self.command(QUERY, sql.encode())
        self.columns(self.packet()[0])
        row = self.packet()
        assert self.rows() == (0, False)
        return row[1:1 + row[0]].decode()

    def prepare(self, sql):
        self.command(PREPARE, sql.encode())
        return self.prepared()

    def prepared(self):
        _, number, columns, params = struct.unpack_from("<BIHH", self.packet())
        for n in (params, columns):
            if n:
                self.columns(n)
        return number


def len_at(p, at):
    """Past a length-encoded number."""
    return at + {0xfc: 3, 0xfd: 4, 0xfe: 9}.get(p[at], 1)


def staff(case):
    return "select name as %s, mobile from staff" % case


def cursor(path, case, deprecate_eof):
    s = Session(path, deprecate_eof)
    number = s.prepare(staff(case))
    s.command(EXECUTE, struct.pack("<IBI", number, CURSOR_READ_ONLY, 1))
    s.results(cursor=True)
    total = 0
    for most in (100, 100, 100000):
        s.command(FETCH, struct.pack("<II", number, most))
        total += s.rows()[0]
    return total


def cursor_eof(path, case):
    """Rows by COM_STMT_FETCH, each end an EOF packet."""
    return cursor(path, case, False)


def cursor_ok(path, case):
    """Rows by COM_STMT_FETCH, each end an OK packet that begins as an EOF does."""
    return cursor(path, case, True)


def last_statement(path, case):
    """Prepare and execute in one segment: statement -1 is the one prepared last."""
    s = Session(path)
    text = bytes([PREPARE]) + staff(case).encode()
    run = struct.pack("<BiBI", EXECUTE, -1, 0, 1)
    s.sock.sendall(b"".join(struct.pack("<I", len(p)) + p for p in (text, run)))
    s.prepared()
    return s.results()


def bytewise(path, case):
    """A command a byte at a time, its answer read slowly through a small buffer."""
    s = Session(path, bytewise=True, receive_buffer=2304)
    s.command(QUERY, staff(case).encode())
    time.sleep(0.3)
    return s.results()


def housekeeping(path, case):
    """Commands whose answers are neither OK nor rows, then a result."""
    s = Session(path)
    s.command(SET_OPTION, struct.pack("<H", 0))
    assert s.packet()[0] == 0xfe
    s.command(FIELD_LIST, b"staff\0%")
    while not s.is_end(s.packet()):
        pass
    s.command(STATISTICS)
    s.packet()
    s.command(PING)
    s.packet()
    s.command(RESET_CONNECTION)
    s.packet()
    return s.query(staff(case))


def change_user(path, case):
    """The same connection, another user and another database."""
    s = Session(path)
    s.command(CHANGE_USER, b"other\0\0mysql\0\x21\0mysql_native_password\0")
    p = s.packet()
    if p[0] == 0xfe:
        s.send(b"", seq=s.seq + 1)
        p = s.packet()
    assert p[0] == 0, p
    return s.query("select name as %s, mobile from mdm.staff" % case)


def change_refused(path, case):
    """Another user, who does not exist: the server hangs up."""
    s = Session(path)
    s.command(CHANGE_USER, b"nobody\0\0mysql\0\x21\0mysql_native_password\0")
    p = s.packet()
    if p[0] == 0xfe:
        s.send(b"", seq=s.seq + 1)
        p = s.packet()
    return p[0] == 0xff


def full_packets(path, case):
    """Rows that fill a packet of 0xffffff bytes: an empty packet ends each."""
    s = Session(path)
    return s.query("select repeat('x', 16777211) as %s from staff limit 2" % case)


def local_infile(path, case):
    """The client sends a file in the middle of a command, then reads."""
    s = Session(path)
    s.query("create table loaded(x int)")
    s.command(QUERY, b"load data local infile 'x' into table loaded")
    assert s.packet()[:1] == b"\xfb"
    s.send(b"1\n2\n3\n", seq=2)
    s.send(b"", seq=3)
    assert s.packet()[0] == 0
    return s.query(staff(case))


def many_results(path, case):
    return Session(path).query("select name as %s from staff limit 10; do 1; call p_staff(); "
                               "select mobile as %s from staff limit 20" % (case, case))


def wait_until_blocked(other, s):
    """Until the server's thread is in poll(2): with a statement begun, it waits for us to read.
    Killed before, it would end the result itself, with an error that arrives."""
    thread = other.value("select tid from information_schema.processlist where id = %d" % s.id)
    while open("/proc/%s/syscall" % thread).read().split()[0] != POLL:
        time.sleep(0.01)


def interrupted(path, case, kill):
    """Stops reading; another session ends the statement or the connection; reads what is left."""
    s = Session(path, receive_buffer=4096)
    s.command(QUERY, ("select s.name as %s from staff s, seq_1_to_200" % case).encode())
    s.columns(s.packet()[0])
    for _ in range(1000):
        s.packet()
    if not kill:
        return 1000
    other = Session(path)
    wait_until_blocked(other, s)
    other.query("%s %d" % (kill, s.id))
    try:
        return 1000 + s.rows()[0]
    except EOFError:
        return "at most 1000000"


def kill_query(path, case):
    return interrupted(path, case, "kill query")


def kill_connection(path, case):
    return interrupted(path, case, "kill")


def gone(path, case):
    return interrupted(path, case, None)


print(globals()[sys.argv[2]](sys.argv[1], sys.argv[2]))
