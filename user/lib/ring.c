// SPDX-License-Identifier: Apache-2.0
// The kernel's layout: a page with the consumer's position, which we write, one with the
// producers', then the ring twice in a row, so that a record at its end lies in one piece.
#include "lib/ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/clean.h"

/* Several of the longest records. Sliding it costs some 10 us. */
#define WINDOW (256 << 10)
/* Of the record behind the one that is read: another processor wrote it, and each of its lines
 * would be waited for. */
#define AHEAD 384
#define LINE  64
/* A producer writes a header before it moves its position: what is so near to be overwritten may
 * be so already. */
#define HEADER_ROOM 4096

struct ring {
	int map;
	uint32_t size;
	size_t page;
	ring_fn fn;
	void *ctx;
	uint64_t position; /* read up to here */
	uint64_t *consumer;
	const uint64_t *producer;
	uint8_t *window; /* NULL before the first record */
	uint32_t begin;	 /* of the window, in the ring */
	size_t length;
};

static void *map_part(const struct ring *r, size_t offset, size_t length, int prot)
{
	void *at = mmap(NULL, length, prot, MAP_SHARED, r->map, (off_t)offset);

	return at == MAP_FAILED ? NULL : at;
}

int ring_new(int map, uint32_t size, ring_fn fn, void *ctx, struct ring **ret)
{
	_cleanup_(ring_freep) struct ring *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->map = map;
	r->size = size;
	r->page = (size_t)sysconf(_SC_PAGESIZE);
	r->fn = fn;
	r->ctx = ctx;
	r->consumer = map_part(r, 0, r->page, PROT_READ | PROT_WRITE);
	if (!r->consumer)
		return -errno;
	r->producer = map_part(r, r->page, r->page, PROT_READ);
	if (!r->producer)
		return -errno;
	r->position = *r->consumer;
	*ret = take_ptr(r);
	return 0;
}

struct ring *ring_free(struct ring *r)
{
	if (!r)
		return NULL;
	if (r->consumer)
		munmap(r->consumer, r->page);
	if (r->producer)
		munmap((void *)(uintptr_t)r->producer, r->page);
	if (r->window)
		munmap(r->window, r->length);
	free(r);
	return NULL;
}

void ring_freep(struct ring **r)
{
	*r = ring_free(*r);
}

/* Maps from the page of `at` on, at least `need` bytes beyond it. */
static int window_slide(struct ring *r, uint32_t at, size_t need)
{
	uint32_t begin = at & ~(uint32_t)(r->page - 1);
	size_t length = r->size < WINDOW ? r->size : WINDOW;

	if (length < at - begin + need)
		length = (at - begin + need + r->page - 1) & ~(r->page - 1);
	if (r->window)
		munmap(r->window, r->length);
	r->window = map_part(r, 2 * r->page + begin, length, PROT_READ);
	r->begin = begin;
	r->length = length;
	return r->window ? 0 : -errno;
}

/* `need` bytes at a position of the ring. */
static int window_at(struct ring *r, uint64_t position, size_t need, const uint8_t **ret)
{
	uint32_t at = (uint32_t)(position & (r->size - 1));

	if (!r->window || at < r->begin || at + need > r->begin + r->length) {
		int e = window_slide(r, at, need);

		if (e < 0)
			return e;
	}
	*ret = r->window + (at - r->begin);
	return 0;
}

/* Its length and flags; busy: its producer is not done, nor may those behind it be read. */
static int header_read(struct ring *r, uint64_t position, uint32_t *ret)
{
	const uint8_t *at;
	int e = window_at(r, position, BPF_RINGBUF_HDR_SZ, &at);

	if (e == 0)
		*ret = __atomic_load_n((const uint32_t *)(const void *)at, __ATOMIC_ACQUIRE);
	return e;
}

static void prefetch(const uint8_t *at)
{
	for (unsigned i = 0; i < AHEAD; i += LINE)
		__builtin_prefetch(at + i);
}

static int record_deliver(struct ring *r, uint64_t position, uint32_t header, size_t length)
{
	const uint8_t *at;
	int e;

	if (header & BPF_RINGBUF_DISCARD_BIT)
		return 0;
	e = window_at(r, position, BPF_RINGBUF_HDR_SZ + length, &at);
	if (e < 0)
		return e;
	prefetch(at + BPF_RINGBUF_HDR_SZ + length);
	r->fn(r->ctx, at + BPF_RINGBUF_HDR_SZ, length);
	return 1;
}

int ring_consume(struct ring *r)
{
	/* Taken once: a flood goes on for ever, and whoever reads has other things to do. */
	uint64_t end = __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);
	int n = 0, e = 0;

	while (r->position < end) {
		uint32_t header = 0;
		size_t length;

		e = header_read(r, r->position, &header);
		if (e < 0 || header & BPF_RINGBUF_BUSY_BIT)
			break;
		length = header & ~BPF_RINGBUF_DISCARD_BIT;
		e = record_deliver(r, r->position, header, length);
		if (e < 0)
			break;
		n += e;
		r->position += (BPF_RINGBUF_HDR_SZ + length + 7) & ~7ull;
	}
	return e < 0 ? e : n;
}

uint64_t ring_position(const struct ring *r)
{
	return r->position;
}

uint64_t ring_pending(const struct ring *r)
{
	return r->position - *r->consumer;
}

void ring_publish(struct ring *r)
{
	/* A line that every producer reads. */
	if (ring_pending(r))
		__atomic_store_n(r->consumer, r->position, __ATOMIC_RELEASE);
}

bool ring_holds(const struct ring *r, uint64_t position)
{
	uint64_t producer = __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);

	return position <= *r->consumer && producer - position + HEADER_ROOM <= r->size;
}

/* 1: handed on; 0: overwritten meanwhile. */
static int past_deliver(struct ring *r, uint64_t position, size_t length, ring_fn fn, void *ctx)
{
	_cleanup_(freep) uint8_t *copy = malloc(length + 1);
	const uint8_t *at;
	int e;

	if (!copy)
		return -ENOMEM;
	e = window_at(r, position, BPF_RINGBUF_HDR_SZ + length, &at);
	if (e < 0)
		return e;
	memcpy(copy, at + BPF_RINGBUF_HDR_SZ, length);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!ring_holds(r, position))
		return 0;
	fn(ctx, copy, length);
	return 1;
}

int ring_past(struct ring *r, uint64_t from, ring_fn fn, void *ctx)
{
	int n = 0;

	while (from < *r->consumer) {
		uint32_t header = 0;
		size_t length;
		int e = header_read(r, from, &header);

		if (e < 0)
			return e;
		if (!ring_holds(r, from))
			break;
		length = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		if (!(header & BPF_RINGBUF_DISCARD_BIT)) {
			e = past_deliver(r, from, length, fn, ctx);
			if (e <= 0)
				return e < 0 ? e : n;
			n++;
		}
		from += (BPF_RINGBUF_HDR_SZ + length + 7) & ~7ull;
	}
	return n;
}
