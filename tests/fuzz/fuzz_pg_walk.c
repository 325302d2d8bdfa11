// SPDX-License-Identifier: Apache-2.0
// The PostgreSQL walker. Any bytes: it uses up every chunk or says that it lost its place. Streams
// that a server may send, made by the input: every result has the rows that were put in, however
// the stream is cut; what is handed out of a client's messages does not depend on the cuts either.
#include "support/dice.h"
#include "support/pq_twin.h"
#include "support/wire.h"

#define EXPECT_MAX 1024
#define STREAM_MAX (1 << 20)

static struct expected {
	enum rec_end end;
	__u64 rows, copy_rows;
	__u32 group, index;
} expect[EXPECT_MAX];
static unsigned n_expect;

/* The state of a group that is being made. */
struct making {
	struct wire w;
	struct dice *dice;
	__u32 group, index;
	__u64 rows, copy_rows;
	bool open;
};

static void require(bool good)
{
	if (!good)
		abort();
}

/* What may come at any moment: notices, notifications, changed parameters. */
static void asynchronous(struct making *m)
{
	static const char tags[] = "NAS";

	if (dice_roll(m->dice, 8) == 1)
		wire_pg(&m->w, tags[dice_roll(m->dice, 3)], NULL, dice_size(m->dice, 600));
}

static void ended(struct making *m, enum rec_end end)
{
	expect[n_expect++] = (struct expected){end, m->rows, m->copy_rows, m->group, m->index++};
	m->rows = m->copy_rows = 0;
	m->open = false;
}

static void some_rows(struct making *m, char tag)
{
	unsigned n = dice_size(m->dice, 500), size = dice_size(m->dice, 20000);

	if (n * (size + 5) > STREAM_MAX / 8)
		n = 1;
	for (unsigned i = 0; i < n; i++)
		wire_pg(&m->w, tag, NULL, size);
	if (tag == 'D')
		m->rows += n;
	else
		m->copy_rows += n;
	m->open = m->open || (n && tag == 'D');
	asynchronous(m);
}

static void complete(struct making *m)
{
	wire_pg(&m->w, 'C', NULL, 1 + dice_size(m->dice, 63));
	ended(m, End_complete);
}

static void describe(struct making *m)
{
	wire_pg(&m->w, 'T', NULL, dice_size(m->dice, 9000));
	m->open = true;
}

static bool a_select(struct making *m)
{
	describe(m);
	some_rows(m, 'D');
	complete(m);
	return true;
}

static bool a_slice(struct making *m)
{
	wire_pg(&m->w, '2', NULL, 0);
	some_rows(m, 'D');
	wire_pg(&m->w, 's', NULL, 0);
	ended(m, End_suspended);
	return true;
}

static bool a_copy(struct making *m)
{
	wire_pg(&m->w, 'H', NULL, 7);
	some_rows(m, 'd');
	wire_pg(&m->w, 'c', NULL, 0);
	complete(m);
	return true;
}

static bool an_update(struct making *m)
{
	complete(m);
	return true;
}

static bool nothing(struct making *m)
{
	wire_pg(&m->w, 'I', NULL, 0);
	ended(m, End_complete);
	return true;
}

/* Parse and Describe without Execute: a description stays open until something ends it. */
static bool a_description(struct making *m)
{
	wire_pg(&m->w, '1', NULL, 0);
	wire_pg(&m->w, 't', NULL, dice_size(m->dice, 100));
	describe(m);
	return true;
}

/* The server skips what is left of the group. */
static bool an_error(struct making *m)
{
	some_rows(m, 'D');
	wire_pg(&m->w, 'E', NULL, dice_size(m->dice, 300));
	ended(m, End_failed);
	return false;
}

static void make_group(struct making *m)
{
	static bool (*const results[])(struct making *) = {
		a_select, a_slice, a_copy, an_update, nothing, a_description, an_error,
	};
	unsigned n = dice_roll(m->dice, 6);

	m->group++;
	m->index = 0;
	while (n-- && results[dice_roll(m->dice, 7)](m))
		asynchronous(m);
	if (m->open)
		ended(m, End_complete);
	wire_pg(&m->w, 'Z', "I", 1);
}

static void verify(void)
{
	require(twin.s.totals.desync == 0 && twin.n_ends == n_expect);
	for (unsigned i = 0; i < n_expect; i++) {
		const struct walk_end *e = &twin.ends[i];

		require(e->end == expect[i].end && e->rows == expect[i].rows &&
			e->copy_rows == expect[i].copy_rows && e->group == expect[i].group &&
			e->index == expect[i].index && e->doubt == 0);
	}
}

/* In chunks as large as the dice say; all at once when there are none. */
static void send(void (*to)(const void *, size_t), const struct wire *w, struct dice *d)
{
	for (size_t at = 0, n; at < w->n; at += n) {
		n = d && d->left ? 1 + dice_size(d, 65535) : w->n - at;
		if (n > w->n - at)
			n = w->n - at;
		to(w->bytes + at, n);
	}
}

static void startup(void)
{
	static const uint8_t packet[] = {0, 0, 0, 9, 0, 3, 0, 0, 0};

	twin_begin(true);
	twin_client(packet, sizeof(packet));
}

static void fuzz_answers(struct dice *d)
{
	struct making m = {.dice = d};
	static struct pg_twin whole;

	n_expect = 0;
	while (d->left > 8 && n_expect + 16 < EXPECT_MAX && m.w.n < STREAM_MAX)
		make_group(&m);
	startup();
	send(twin_server, &m.w, NULL);
	verify();
	whole = twin;
	startup();
	send(twin_server, &m.w, d);
	verify();
	require(twin.digest == whole.digest && twin.column_bytes == whole.column_bytes);
	require(twin.s.totals.side_bytes == whole.s.totals.side_bytes);
	require(twin.s.totals.bytes == whole.s.totals.bytes);
	for (unsigned i = 0; i < n_expect; i++)
		require(walk_end_same(&twin.ends[i], &whole.ends[i]));
	free(m.w.bytes);
}

static void fuzz_commands(struct dice *d)
{
	static const char tags[] = "QPBDEHSCFpdcf";
	struct wire w = {};
	static struct pg_twin whole;
	unsigned n = dice_size(d, 200);

	while (n-- && w.n < STREAM_MAX)
		wire_pg(&w, tags[dice_roll(d, 13)], NULL, dice_size(d, 20000));
	startup();
	send(twin_client, &w, NULL);
	whole = twin;
	startup();
	/* Not realigned between the chunks: the server has answered nothing here. */
	for (size_t at = 0, k; at < w.n; at += k) {
		struct pg_walk walk = twin_walk();

		k = d->left ? 1 + dice_size(d, 65535) : w.n - at;
		k = k > w.n - at ? w.n - at : k;
		pg_client_chunk(&walk, (uintptr_t)w.bytes + at, k);
	}
	require(twin.n_commands == whole.n_commands && twin.digest == whole.digest);
	require(twin.s.client_group == whole.s.client_group);
	require(twin.s.client_index == whole.s.client_index && twin.s.totals.desync == 0);
	free(w.bytes);
}

/* Whatever comes, from either side, in pieces of the input. */
static void fuzz_bytes(struct dice *d)
{
	twin_begin(dice_roll(d, 2));
	while (d->left) {
		bool server = dice_roll(d, 2);
		unsigned n = dice_size(d, 65535);
		uint8_t *chunk;

		n = n > d->left ? (unsigned)d->left : n;
		chunk = malloc(n + 1); /* its own, so that a read past it is seen */
		if (!chunk)
			abort();
		memcpy(chunk, d->bytes, n);
		d->bytes += n;
		d->left -= n;
		(server ? twin_server : twin_client)(chunk, n);
		if ((server ? twin.s.server : twin.s.client).phase == PG_MESSAGES && n)
			require(twin.at.left == 0);
		free(chunk);
	}
}

/* Of a client's message that was sent under TLS; its number is the begin of its body. */
struct sent_message {
	__u8 tag;
	__u32 group, index, length;
};

#define TLS_MESSAGES 256

static struct {
	struct wire w;
	struct sent_message messages[TLS_MESSAGES];
	unsigned n, at; /* made; of the stream, by the server */
	size_t off;	/* of the stream, by the client */
	unsigned handed;
} tls;

/* The last one that was handed out is one that was sent, whole or cut off. */
static void tls_verify(void)
{
	const struct twin_command *c = &twin.command;
	const struct sent_message *m;
	__u32 number;

	if (twin.n_commands == tls.handed)
		return;
	tls.handed = twin.n_commands;
	if (c->have < sizeof(number))
		return;
	memcpy(&number, c->text, sizeof(number));
	require(number < tls.n);
	m = &tls.messages[number];
	require(c->tag == m->tag && c->length == m->length);
	require(c->group == m->group + 1 && c->index == m->index);
}

static void tls_stream(struct dice *d)
{
	static const char tags[] = "PBECQS";
	unsigned most = 1 + dice_roll(d, TLS_MESSAGES);
	__u32 group = 0, index = 0;

	tls.w.n = 0;
	tls.n = tls.at = tls.handed = 0;
	tls.off = 0;
	while (d->left > 4 && tls.n < most && tls.w.n < STREAM_MAX / 4) {
		char tag = tags[dice_roll(d, 6)];
		__u32 number = tls.n, length = tag == 'S' ? 0 : 4 + dice_size(d, 20000);

		tls.messages[tls.n++] = (struct sent_message){(__u8)tag, group, index, length};
		wire_pg(&tls.w, tag, NULL, length);
		if (length)
			memcpy(tls.w.bytes + tls.w.n - length, &number, sizeof(number));
		if (tag == 'Q' || tag == 'S') {
			group++;
			index = 0;
		} else if (tag == 'E') {
			index++;
		}
	}
}

/* The server uses n bytes, of as many records as the client cares to make. */
static bool tls_use(struct dice *d, size_t n)
{
	while (n) {
		size_t k = pq.length - pq.used, left = tls.w.n - tls.off;
		size_t record = 1 + dice_size(d, PQ_RECORD - 1);

		if (k > n)
			k = n;
		pq.used += (uint32_t)k;
		n -= k;
		if (!n || pq_recvbuf(NULL, 0))
			continue;
		if (record > left)
			record = left;
		if (!record)
			return false;
		require(pq_recvbuf(tls.w.bytes + tls.off, record));
		tls.off += record;
	}
	return true;
}

static void tls_answer(const char *bytes, size_t n)
{
	pq_answer(bytes, n);
	tls_verify();
}

static void fuzz_tls(struct dice *d)
{
	static const uint8_t packet[] = {0, 0, 0, 9, 0, 3, 0, 0, 0};

	memset(&pq, 0, sizeof(pq));
	twin_begin(true);
	twin.s.crypt = PG_TLS;
	require(pq_recvbuf(packet, sizeof(packet)));
	pq.used = sizeof(packet);
	pq_answer("R\0\0\0\10\0\0\0\0", 9);
	twin.n_commands = 0;
	tls_stream(d);
	while (tls.at < tls.n) {
		const struct sent_message *m = &tls.messages[tls.at++];

		if (!tls_use(d, 5 + m->length))
			break;
		if (m->tag == 'Q' || m->tag == 'S')
			tls_answer("Z\0\0\0\5I", 6);
		else if (dice_roll(d, 4) == 1)
			tls_answer("1\0\0\0\4", 5);
	}
	require(twin.s.totals.desync == 0);
	require(twin.s.missed || twin.s.client.phase == PG_MESSAGES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const ways[])(struct dice *) = {fuzz_answers, fuzz_commands, fuzz_bytes,
						      fuzz_tls};
	struct dice d = {data, size};

	ways[dice_roll(&d, 4)](&d);
	return 0;
}
