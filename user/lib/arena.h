// SPDX-License-Identifier: Apache-2.0
// Memory of one event: allocate many times, reset once. Nobody frees a piece.
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

struct arena;

/* `block`: bytes obtained from the system at a time. NULL when out of memory. */
struct arena *arena_new(size_t block);
struct arena *arena_free(struct arena *a); /* accepts NULL, returns NULL */
void arena_freep(struct arena **a);

/* Zeroed, aligned to 16; valid until arena_reset. NULL when out of memory. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_copy(struct arena *a, const void *data, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const void *s, size_t len); /* adds the NUL */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Everything allocated so far is gone; keeps one block. */
void arena_reset(struct arena *a);

/* For protobuf-c's unpack: the message lives in the arena and is never freed by itself. */
ProtobufCAllocator *arena_protobuf(struct arena *a);
