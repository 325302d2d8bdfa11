// SPDX-License-Identifier: Apache-2.0
// Frames and batches: what is packed is unpacked, and what is not allowed is refused.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/arena.h"
#include "event.pb-c.h"
#include "lib/batch.h"
#include "lib/block.h"
#include "lib/frame.h"

#define BOOT "01234567-89ab-cdef-0123-456789abcdef"

static struct arena *a;
static uint8_t middle[CHAIN_SIZE]; /* behind the first block of batch() */
static struct chain *chain;

static int setup(void **state)
{
	(void)state;
	a = arena_new(4096);
	chain = chain_new();
	return !a || !chain;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(a);
	chain_free(chain);
	return 0;
}

static void a_message_comes_back(void **state)
{
	Rollcall__Hello h, *got;
	enum frame_type type;
	uint8_t *bytes;
	size_t size, body;
	ProtobufCMessage *m;
	char host[] = "mdm1";

	(void)state;
	rollcall__hello__init(&h);
	h.version_min = 1;
	h.version_max = 3;
	h.host = host;
	assert_int_equal(frame_pack(a, FRAME_HELLO, &h.base, &bytes, &size), 0);
	assert_int_equal(frame_header(bytes, &type, &body), 0);
	assert_int_equal(type, FRAME_HELLO);
	assert_int_equal(body + FRAME_HEADER, size);
	assert_int_equal(frame_unpack(a, &(struct frame){type, bytes + FRAME_HEADER, body}, &m), 0);
	got = (Rollcall__Hello *)m;
	assert_int_equal(got->version_max, 3);
	assert_string_equal(got->host, "mdm1");
}

static void headers(void **state)
{
	static const struct {
		uint8_t bytes[FRAME_HEADER];
		int want;
	} cases[] = {
		{{0, 0, 0, 0, FRAME_PING}, 0},
		{{0, 0, 4, 0, FRAME_PING}, 0}, /* 1024: the limit */
		{{0, 0, 4, 1, FRAME_PING}, -EMSGSIZE},
		{{0xff, 0xff, 0xff, 0xff, FRAME_BATCH}, -EMSGSIZE},
		{{0, 0x40, 0, 0, FRAME_BATCH}, 0}, /* 4 MiB: the limit */
		{{0, 0x40, 0, 1, FRAME_BATCH}, -EMSGSIZE},
		{{0, 0, 0, 0, 0}, -EBADMSG},
		{{0, 0, 0, 0, 8}, -EBADMSG},
		{{0, 0, 0, 0, 255}, -EBADMSG},
		{{0, 0, 0, 0, FRAME_PING, 1}, -EBADMSG},
		{{0, 0, 0, 0, FRAME_PING, 0, 0, 1}, -EBADMSG},
	};
	enum frame_type type;
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(frame_header(cases[i].bytes, &type, &size), cases[i].want);
}

static void wrong_message_for_a_type(void **state)
{
	Rollcall__Ping p;
	ProtobufCMessage *m;
	uint8_t *bytes, nonsense[] = {0xff, 0xff, 0xff};
	size_t size;

	(void)state;
	rollcall__ping__init(&p);
	assert_int_equal(frame_pack(a, FRAME_HELLO, &p.base, &bytes, &size), -EINVAL);
	assert_int_equal(frame_unpack(a, &(struct frame){FRAME_HELLO, nonsense, 3}, &m), -EBADMSG);
}

static ProtobufCBinaryData block(const char *const *texts)
{
	struct block b = {.data = arena_alloc(a, 256)};

	for (; *texts; texts++)
		memcpy(block_event(&b, 3, 0), *texts, 3);
	return (ProtobufCBinaryData){b.size, b.data};
}

/* A good batch of three events in two blocks, the last one alone; tests then spoil one thing. */
static Rollcall__Batch *batch(void)
{
	ProtobufCBinaryData blocks[] = {block((const char *const[]){"one", "two", NULL}),
					block((const char *const[]){"six", NULL})};
	Rollcall__Batch *b = arena_alloc(a, sizeof(*b));

	rollcall__batch__init(b);
	b->boot_id = arena_strdup(a, BOOT);
	b->class_ = ROLLCALL__CLASS__crit;
	b->first_seq = 100;
	b->chain_before = (ProtobufCBinaryData){CHAIN_SIZE, arena_alloc(a, CHAIN_SIZE)};
	b->chain = (ProtobufCBinaryData){CHAIN_SIZE, arena_alloc(a, CHAIN_SIZE)};
	b->layout = ROLLCALL__LAYOUT__blocks;
	b->count = 3;
	chain_next(chain, b->chain.data, 1, 100, blocks[0].data, blocks[0].len);
	memcpy(middle, b->chain.data, CHAIN_SIZE);
	chain_next(chain, b->chain.data, 1, 102, blocks[1].data, blocks[1].len);
	assert_int_equal(batch_pack(a, blocks, 2, b), 0);
	return b;
}

static int opens(const Rollcall__Batch *b, uint64_t known_seq, const uint8_t *known, int *agrees)
{
	static const uint8_t none[CHAIN_SIZE];
	struct batch_blocks blocks = {};
	int e = batch_open(a, chain, b, known_seq, known ? known : none, &blocks, agrees);

	if (e == 0) {
		const Rollcall__Block *last = blocks.blocks[blocks.n - 1];

		assert_int_equal(blocks.n, b->layout == ROLLCALL__LAYOUT__blocks ? 2 : 3);
		assert_memory_equal(last->event[last->n_event - 1].data, "six", 3);
	}
	return e;
}

static void a_batch_comes_back(void **state)
{
	uint8_t known[CHAIN_SIZE] = {};
	Rollcall__Batch *b = batch();
	int agrees = 0;

	(void)state;
	assert_int_equal(opens(b, 0, NULL, &agrees), 0);
	assert_true(agrees);
	memcpy(known, middle, CHAIN_SIZE);
	assert_int_equal(opens(b, 101, known, &agrees), 0); /* overlaps what is known */
	assert_true(agrees);
	assert_int_equal(opens(b, 100, known, &agrees), 0); /* blocks were cut otherwise */
	assert_false(agrees);
	assert_int_equal(opens(b, 102, b->chain.data, &agrees), 0); /* all is known */
	assert_true(agrees);
	known[5] ^= 1;
	assert_int_equal(opens(b, 101, known, &agrees), 0);
	assert_false(agrees);
	assert_int_equal(opens(b, 99, known, &agrees), 0); /* follows what is known */
	assert_false(agrees);
	assert_int_equal(opens(b, 500, known, &agrees), 0); /* all of it is older */
	assert_true(agrees);
}

/* From a spool of version 1: each event is whole, and in the chain by itself. */
static void a_batch_of_events(void **state)
{
	uint8_t known[CHAIN_SIZE] = {}, texts[3][4] = {"one", "two", "six"};
	ProtobufCBinaryData events[] = {{3, texts[0]}, {3, texts[1]}, {3, texts[2]}};
	Rollcall__Batch *b = batch();
	int agrees = 0;

	(void)state;
	b->layout = ROLLCALL__LAYOUT__events;
	memset(b->chain.data, 0, CHAIN_SIZE);
	for (uint64_t i = 0; i < 3; i++)
		chain_next(chain, b->chain.data, 1, 100 + i, texts[i], 3);
	assert_int_equal(batch_pack(a, events, 3, b), 0);
	chain_next(chain, known, 1, 100, "one", 3);
	assert_int_equal(opens(b, 100, known, &agrees), 0);
	assert_true(agrees);
}

static void spoil_layout(Rollcall__Batch *b)
{
	b->layout = 2;
}
static void spoil_layout_events(Rollcall__Batch *b)
{
	b->layout = ROLLCALL__LAYOUT__events;
}
static void spoil_class(Rollcall__Batch *b)
{
	b->class_ = 3;
}
static void spoil_boot(Rollcall__Batch *b)
{
	b->boot_id[35] = 0;
}
static void spoil_first(Rollcall__Batch *b)
{
	b->first_seq = 0;
}
static void spoil_overflow(Rollcall__Batch *b)
{
	b->first_seq = UINT64_MAX - 1;
}
static void spoil_number(Rollcall__Batch *b)
{
	b->first_seq++;
}
static void spoil_count(Rollcall__Batch *b)
{
	b->count = 2;
}
static void spoil_none(Rollcall__Batch *b)
{
	b->count = 0;
}
static void spoil_raw(Rollcall__Batch *b)
{
	b->raw_size++;
}
static void spoil_raw_less(Rollcall__Batch *b)
{
	b->raw_size--;
}
static void spoil_payload(Rollcall__Batch *b)
{
	b->payload.data[b->payload.len / 2] ^= 0x55;
}
static void spoil_cut(Rollcall__Batch *b)
{
	b->payload.len--;
}
static void spoil_compression(Rollcall__Batch *b)
{
	b->compression = 9;
}
static void spoil_plain(Rollcall__Batch *b)
{
	b->compression = ROLLCALL__COMPRESSION__none;
}
static void spoil_chain(Rollcall__Batch *b)
{
	b->chain.data[0] ^= 1;
}
static void spoil_chain_size(Rollcall__Batch *b)
{
	b->chain.len = 31;
}
static void spoil_before(Rollcall__Batch *b)
{
	b->chain_before.data[31] ^= 1;
}
static void spoil_before_size(Rollcall__Batch *b)
{
	b->chain_before.len = 0;
}
static void spoil_huge(Rollcall__Batch *b)
{
	b->raw_size = UINT32_MAX;
}
static void spoil_many(Rollcall__Batch *b)
{
	b->count = BATCH_EVENTS_MAX + 1;
}

static void a_spoilt_batch_is_refused(void **state)
{
	static const struct {
		void (*spoil)(Rollcall__Batch *b);
		int want;
	} cases[] = {
		{spoil_layout, -EBADMSG},      {spoil_layout_events, -EBADMSG},
		{spoil_class, -EBADMSG},       {spoil_boot, -EBADMSG},
		{spoil_first, -EBADMSG},       {spoil_overflow, -EBADMSG},
		{spoil_number, -EBADMSG},      {spoil_count, -EBADMSG},
		{spoil_none, -EBADMSG},	       {spoil_raw, -EBADMSG},
		{spoil_raw_less, -EBADMSG},    {spoil_payload, -EBADMSG},
		{spoil_cut, -EBADMSG},	       {spoil_compression, -EBADMSG},
		{spoil_plain, -EBADMSG},       {spoil_chain, -EBADMSG},
		{spoil_chain_size, -EBADMSG},  {spoil_before, -EBADMSG},
		{spoil_before_size, -EBADMSG}, {spoil_huge, -EMSGSIZE},
		{spoil_many, -EMSGSIZE},
	};
	int agrees;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		Rollcall__Batch *b = batch();

		cases[i].spoil(b);
		assert_int_equal(opens(b, 0, NULL, &agrees), cases[i].want);
	}
}

/* One process, and many events of it: more on disk than any frame may have. */
static void a_batch_that_is_more_than_it_seems(void **state)
{
	Rollcall__Process process;
	Rollcall__Batch *b = batch();
	int agrees;

	(void)state;
	rollcall__process__init(&process);
	process.exe = arena_alloc(a, 65536);
	memset(process.exe, 'x', 65535);
	for (uint32_t count = 127; count <= 128; count++) {
		struct block block = {.data = arena_alloc(a, 1 << 20)};
		uint8_t *packed = arena_alloc(a, 1 << 17);
		ProtobufCBinaryData d;

		block_process(&block, packed, rollcall__process__pack(&process, packed));
		for (uint32_t i = 0; i < count; i++)
			block_event(&block, 0, 1);
		d = (ProtobufCBinaryData){block.size, block.data};
		b->count = count;
		memset(b->chain.data, 0, CHAIN_SIZE);
		chain_next(chain, b->chain.data, 1, 100, d.data, d.len);
		assert_int_equal(batch_pack(a, &d, 1, b), 0);
		assert_int_equal(batch_open(a, chain, b, 0, b->chain.data, &(struct batch_blocks){},
					    &agrees),
				 count == 127 ? 0 : -EMSGSIZE);
	}
}

static void too_much_for_a_batch(void **state)
{
	ProtobufCBinaryData block = {};
	Rollcall__Batch b;

	(void)state;
	rollcall__batch__init(&b);
	assert_int_equal(batch_pack(a, &block, 0, &b), -EMSGSIZE);
	b.count = BATCH_EVENTS_MAX;
	assert_int_equal(batch_pack(a, &block, 1, &b), 0);
	b.count++;
	assert_int_equal(batch_pack(a, &block, 1, &b), -EMSGSIZE);
	b.count = 1;
	block = (ProtobufCBinaryData){BATCH_RAW_MAX, arena_alloc(a, BATCH_RAW_MAX)};
	assert_int_equal(batch_pack(a, &block, 1, &b), -EMSGSIZE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_message_comes_back),      T(headers),
		T(wrong_message_for_a_type),  T(a_batch_comes_back),
		T(a_batch_of_events),	      T(a_batch_that_is_more_than_it_seems),
		T(a_spoilt_batch_is_refused), T(too_much_for_a_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
