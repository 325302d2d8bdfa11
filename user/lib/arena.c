// SPDX-License-Identifier: Apache-2.0
// Memory of one event. Made in main, handed down; reset after each event.
#include "lib/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct block {
	struct block *next;
	size_t size;
	size_t used;
	_Alignas(16) unsigned char data[];
};

struct arena {
	struct block *blocks; /* newest first */
	size_t block;
	ProtobufCAllocator protobuf;
};

static void *protobuf_alloc(void *a, size_t size)
{
	return arena_alloc(a, size);
}

static void protobuf_free(void *a, void *p)
{
	(void)a;
	(void)p;
}

struct arena *arena_new(size_t block)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->block = block;
	a->protobuf = (ProtobufCAllocator){protobuf_alloc, protobuf_free, a};
	return a;
}

static void blocks_free(struct block *b)
{
	while (b) {
		struct block *next = b->next;

		free(b);
		b = next;
	}
}

struct arena *arena_free(struct arena *a)
{
	if (a)
		blocks_free(a->blocks);
	free(a);
	return NULL;
}

void arena_freep(struct arena **a)
{
	*a = arena_free(*a);
}

static struct block *block_new(size_t size, struct block *next)
{
	struct block *b = malloc(sizeof(*b) + size);

	if (!b)
		return NULL;
	b->next = next;
	b->size = size;
	b->used = 0;
	return b;
}

static void *take(struct arena *a, size_t size)
{
	struct block *b = a->blocks;
	void *p;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + 15) & ~(size_t)15;
	if (!b || b->size - b->used < size) {
		b = block_new(size > a->block ? size : a->block, a->blocks);
		if (!b)
			return NULL;
		a->blocks = b;
	}
	p = b->data + b->used;
	b->used += size;
	return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
	void *p = take(a, size);

	return p ? memset(p, 0, size) : NULL;
}

void *arena_copy(struct arena *a, const void *data, size_t size)
{
	void *p = take(a, size);

	if (p && size)
		memcpy(p, data, size);
	return p;
}

char *arena_strndup(struct arena *a, const void *s, size_t len)
{
	char *p = take(a, len + 1);

	if (!p)
		return NULL;
	if (len)
		memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

/* Into what is left of the block, which most texts fit; then no second time. */
char *arena_printf(struct arena *a, const char *fmt, ...)
{
	size_t left = a->blocks ? a->blocks->size - a->blocks->used : 0;
	char *p = left ? (char *)a->blocks->data + a->blocks->used : NULL;
	size_t need;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(p, left, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	need = ((size_t)n + 16) & ~(size_t)15;
	if (need <= left) {
		a->blocks->used += need;
		return p;
	}
	p = take(a, (size_t)n + 1);
	if (!p)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

void arena_reset(struct arena *a)
{
	struct block *keep = a->blocks;

	if (!keep)
		return;
	/* A block made for one large event is not worth keeping. */
	if (keep->size > a->block) {
		a->blocks = NULL;
		blocks_free(keep);
		return;
	}
	blocks_free(keep->next);
	keep->next = NULL;
	keep->used = 0;
}

ProtobufCAllocator *arena_protobuf(struct arena *a)
{
	return &a->protobuf;
}
