// SPDX-License-Identifier: Apache-2.0
// Frames of the wire and of the control socket: 8 bytes (length of the body, big-endian; type;
// three zero bytes), then the body, a packed protobuf message. docs/wire.md tells who may send
// what. Called by link.c, which has the bytes.
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

#define FRAME_HEADER 8

/* Types are never reused. */
enum frame_type {
	FRAME_HELLO = 1,
	FRAME_WELCOME = 2,
	FRAME_BATCH = 3,
	FRAME_ACK = 4,
	FRAME_PING = 5,
	FRAME_ORDER = 6,
	FRAME_REFUSE = 7,
	FRAME_REQUEST = 32, /* control socket */
	FRAME_STATUS = 33,
	FRAME_EVENT = 34,
	FRAME_TOP = 35,
	FRAME_POLICY_LIST = 40,
	FRAME_POLICY_ANSWER = 41,
};

struct frame {
	enum frame_type type;
	const uint8_t *body;
	size_t size;
};

/*
 * Reads a header. 0: *ret_size is the body's size, *ret_type a known type.
 * -EBADMSG: unknown type or nonzero padding. -EMSGSIZE: above what this type may have.
 */
int frame_header(const uint8_t header[FRAME_HEADER], enum frame_type *ret_type, size_t *ret_size);

/* The body as the message of its type, in the arena. -EBADMSG, -ENOMEM. */
int frame_unpack(struct arena *a, const struct frame *f, ProtobufCMessage **ret_message);

/* Header and body into the arena. -EINVAL: not a message of this type; -EMSGSIZE. */
int frame_pack(struct arena *a, enum frame_type type, const ProtobufCMessage *message,
	       uint8_t **ret_bytes, size_t *ret_size);
