#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Lists the events in a spool directory as "BOOT CLASS SEQ SHA256-of-event", checking every length,
# checksum and the hash chain: docs/spool.md, read by somebody else than the program that wrote it.
import hashlib
import os
import struct
import sys
import zlib


def segment(path):
    data = open(path, "rb").read()
    magic, version, number, first, created, boot, chain, crc = struct.unpack_from(
        "<8sIIQQ36s32sI", data)
    assert magic == b"RCSPOOL\0" and version == 1, path
    assert crc == zlib.crc32(data[:100]), path
    offset, seq = 104, first
    while offset < len(data):
        size, crc, got = struct.unpack_from("<IIQ", data, offset)
        event = data[offset + 16:offset + 16 + size]
        assert got == seq and len(event) == size, (path, seq)
        assert crc == zlib.crc32(struct.pack("<Q", seq) + event), (path, seq)
        chain = hashlib.sha256(chain + struct.pack(">IQ", number, seq) + event).digest()
        print(boot.decode(), number, seq, hashlib.sha256(event).hexdigest())
        offset += 16 + size
        seq += 1
    return chain


chains = {}
for name in sorted(n for n in os.listdir(sys.argv[1]) if n.endswith(".seg")):
    lane = name.rsplit(".", 2)[0]
    first = open(os.path.join(sys.argv[1], name), "rb").read(100)[68:100]
    assert lane not in chains or chains[lane] == first, name
    chains[lane] = segment(os.path.join(sys.argv[1], name))
