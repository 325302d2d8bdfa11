#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Lists the events in a spool directory of a host of that name as "BOOT CLASS SEQ SHA256-of-event",
# each whole as an aggregator is to store it, checking every length, checksum and the hash chain:
# docs/spool.md, read by somebody else than the program that wrote it.
# Usage: spool_list.py DIRECTORY HOST
import hashlib
import os
import struct
import sys
import zlib


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def field(number, data):
    size, prefix = len(data), b""
    while size >= 0x80:
        prefix += bytes([size & 0x7f | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + prefix + bytes([size]) + data


def block(data):
    events, processes, of, at = [], [], [], 0
    while at < len(data):
        tag, at = varint(data, at)
        value, at = varint(data, at)
        assert tag in (1 << 3 | 2, 2 << 3 | 2, 3 << 3), tag
        if tag == 3 << 3:
            of.append(value)
            continue
        assert at + value <= len(data)
        (events if tag == 1 << 3 | 2 else processes).append(data[at:at + value])
        at += value
    assert len(of) == len(events)
    return [(e, processes[n - 1] if n else None) for e, n in zip(events, of)]


def segment(path, host):
    data = open(path, "rb").read()
    magic, version, number, first, created, boot, chain, crc = struct.unpack_from(
        "<8sIIQQ36s32sI", data)
    assert magic == b"RCSPOOL\0" and version == 2, path
    assert crc == zlib.crc32(data[:100]), path
    offset, seq = 104, first
    while offset < len(data):
        size, crc, got, count, whole = struct.unpack_from("<IIQII", data, offset)
        assert got == seq, (path, seq)
        assert crc == zlib.crc32(data[offset + 8:offset + 24 + size]), (path, seq)
        body = data[offset + 24:offset + 24 + size]
        chain = hashlib.sha256(chain + struct.pack(">IQ", number, seq) + body).digest()
        events = block(body)
        assert len(body) == size and len(events) == count, (path, seq)
        assert whole == sum(len(e) + len(p or b"") for e, p in events), (path, seq)
        for event, process in events:
            name = b"%s-%s-%d" % (boot[:8], (b"crit", b"bulk")[number - 1], seq)
            event += field(2, host) + field(3, name)
            event += field(4, process) if process is not None else b""
            print(boot.decode(), number, seq, hashlib.sha256(event).hexdigest())
            seq += 1
        offset += 24 + size
    return chain


chains = {}
for name in sorted(n for n in os.listdir(sys.argv[1]) if n.endswith(".seg")):
    lane = name.rsplit(".", 2)[0]
    first = open(os.path.join(sys.argv[1], name), "rb").read(100)[68:100]
    assert lane not in chains or chains[lane] == first, name
    chains[lane] = segment(os.path.join(sys.argv[1], name), sys.argv[2].encode())
