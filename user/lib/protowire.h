// SPDX-License-Identifier: Apache-2.0
// Protobuf's encoding (protobuf.dev, "Encoding"), where messages are put together from packed
// parts, packed at once, or looked at before they are unpacked.
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTOWIRE_VARINT_MAX 10
#define PROTOWIRE_PREFIX_MAX 15

/* Each returns how many bytes it wrote; with `to` NULL, how many it would. */
size_t protowire_varint(uint8_t *to, uint64_t value);

/* What is before the `size` bytes of a string, of bytes or of a message. */
size_t protowire_prefix(uint8_t *to, uint32_t field, size_t size);

/* Such a field, whole. */
size_t protowire_bytes(uint8_t *to, uint32_t field, const void *data, size_t size);

/*
 * A field that is a message of event.proto, but not Event, as protobuf-c packs it, so that it ends
 * at `end`: its first byte. NULL: there is not room for it from `begin` on.
 */
uint8_t *protowire_message(uint32_t field, const ProtobufCMessage *m, uint8_t *begin, uint8_t *end);

struct protowire {
	const uint8_t *at, *end;
	uint32_t field;
	const uint8_t *data; /* of a string, of bytes or of a message; else NULL */
	size_t size;
};

/* To the next field. False: there is none, or protobuf-c would not take what is there either. */
bool protowire_next(struct protowire *w);
