// SPDX-License-Identifier: Apache-2.0
// The MySQL walkers. Any bytes: they use up every chunk. Commands that a client and answers that a
// server may send, made by the input: every text is told up to its bound, every result has the rows
// that were put in, however the stream is cut.
#include "support/dice.h"
#include "support/mysql_twin.h"
#include "support/wire.h"

#define EXPECT_MAX 1024
#define ANSWER_MAX (1 << 20)

static struct expected {
	enum rec_end end;
	__u64 rows, bytes, max_row, affected;
	__u32 group, index;
} expect[EXPECT_MAX];
static unsigned n_expect;

/* The answer to one command, as it is made. */
struct making {
	struct wire w;
	struct dice *dice;
	__u32 group, index;
	__u64 rows, max_row;
	size_t from; /* where the present result begins */
	bool deprecate_eof, more;
};

static void require(bool good)
{
	if (!good)
		abort();
}

static void ended(struct making *m, enum rec_end end, __u64 affected)
{
	expect[n_expect++] = (struct expected){.end = end,
					       .rows = m->rows,
					       .bytes = m->w.n - m->from,
					       .max_row = m->max_row,
					       .affected = affected,
					       .group = m->group,
					       .index = m->index++};
	m->rows = m->max_row = 0;
	m->from = m->w.n;
}

static unsigned more(const struct making *m)
{
	return m->more ? MY_STATUS_MORE_RESULTS : 0;
}

static void rows_end(struct making *m, unsigned status)
{
	if (m->deprecate_eof)
		wire_my_ok(&m->w, 0xfe, 0, status);
	else
		wire_my_eof(&m->w, status);
}

static void definitions(struct making *m, unsigned status)
{
	unsigned n = 1 + dice_size(m->dice, 300);
	uint8_t count[] = {0xfc, (uint8_t)n, (uint8_t)(n >> 8)}, small = (uint8_t)n;

	if (n < 0xfb)
		wire_my(&m->w, &small, 1, 1);
	else
		wire_my(&m->w, count, 3, 3);
	while (n--)
		wire_my(&m->w, "\3def", 4, 4 + dice_size(m->dice, 300));
	if (!m->deprecate_eof || status & MY_STATUS_CURSOR)
		wire_my_eof(&m->w, status);
}

/* A row of n bytes: what its first column begins with, in text and in binary. */
static void row(struct making *m, unsigned n)
{
	static const uint8_t firsts[][4] = {{0}, {3}, {0xfa}, {0xfb}, {0xfc, 0xff}, {0xfd, 1}};

	wire_my(&m->w, firsts[dice_roll(m->dice, 6)], n < 4 ? n : 4, n);
	m->rows++;
	if (n > m->max_row)
		m->max_row = n;
}

static void some_rows(struct making *m)
{
	unsigned n = dice_size(m->dice, 500), size = 1 + dice_size(m->dice, 20000);

	if (n * size > ANSWER_MAX / 8)
		n = 1;
	while (n--)
		row(m, size);
}

static bool an_ok(struct making *m)
{
	unsigned affected = dice_roll(m->dice, 65536);

	wire_my_ok(&m->w, 0, affected, more(m));
	ended(m, End_complete, affected);
	return true;
}

static bool a_select(struct making *m)
{
	definitions(m, 0);
	some_rows(m);
	rows_end(m, more(m));
	ended(m, End_complete, 0);
	return true;
}

static bool an_error(struct making *m)
{
	if (dice_roll(m->dice, 2)) {
		definitions(m, 0);
		some_rows(m);
	}
	wire_my_error(&m->w);
	ended(m, End_failed, 0);
	return false;
}

static bool a_file(struct making *m)
{
	wire_my(&m->w, "\xfb/tmp/x", 7, 7);
	return an_ok(m);
}

static bool with_progress(struct making *m)
{
	wire_my(&m->w, "\xff\xff\xff\1", 4, 20);
	return an_ok(m);
}

static void results(struct making *m)
{
	static bool (*const kinds[])(struct making *) = {an_ok,	   a_select, a_select,
							 an_error, a_file,   with_progress};

	do {
		m->more = dice_roll(m->dice, 4) == 1 && m->w.n < ANSWER_MAX;
	} while (kinds[dice_roll(m->dice, 6)](m) && m->more);
}

static void opened_cursor(struct making *m)
{
	m->more = false;
	definitions(m, MY_STATUS_CURSOR);
	ended(m, End_suspended, 0);
}

static void fetched(struct making *m)
{
	bool last = dice_roll(m->dice, 2);

	m->more = false;
	some_rows(m);
	rows_end(m, MY_STATUS_CURSOR | (last ? MY_STATUS_LAST_ROW : 0));
	ended(m, last ? End_complete : End_suspended, 0);
}

static const struct {
	enum my_command command;
	void (*answer)(struct making *m);
} commands[] = {
	{COM_QUERY, results},
	{COM_STMT_EXECUTE, results},
	{COM_STMT_EXECUTE, opened_cursor},
	{COM_STMT_FETCH, fetched},
};

/* In chunks as large as the dice say; all at once when there are none. */
static void send(const struct wire *w, struct dice *d)
{
	for (size_t at = 0, n; at < w->n; at += n) {
		n = d && d->left ? 1 + dice_size(d, 65535) : w->n - at;
		if (n > w->n - at)
			n = w->n - at;
		twin_server(w->bytes + at, n);
	}
}

/* A command, cut as the dice say; its text told up to the bound. */
static void ask(enum my_command code, size_t n, struct dice *d)
{
	struct wire w = {};
	uint8_t byte = (uint8_t)code;
	__u32 told = my_told(code);

	/* The file that the answer before asked for: an empty one. */
	if (twin.s.client.phase == MY_CLIENT_FILE)
		twin_client("\0\0\0\2", 0, MY_HEADER);
	wire_my(&w, &byte, 1, n + 1);
	for (size_t at = 0, part; at < w.n; at += part) {
		part = d && d->left ? 1 + dice_size(d, 65535) : w.n - at;
		if (part > w.n - at)
			part = w.n - at;
		twin_client(w.bytes + at, 0, part);
		require(twin.at.left == 0);
	}
	require(twin.s.command == code && !twin.s.client.have && !twin.s.client.left);
	require(twin.commands[twin.n_commands - 1].told == (n < told ? n : told));
	free(w.bytes);
}

static void verify(const struct making *m, unsigned first)
{
	require(twin.n_ends == n_expect && twin.s.phase == MY_DONE);
	for (unsigned i = first; i < n_expect; i++) {
		const struct walk_end *e = &twin.ends[i];

		require(e->end == expect[i].end && e->rows == expect[i].rows &&
			e->bytes == expect[i].bytes && e->max_row == expect[i].max_row &&
			e->group == expect[i].group && e->index == expect[i].index &&
			e->affected == expect[i].affected && e->doubt == 0);
	}
	require(m->group == twin.s.group);
}

static void fuzz_answers(struct dice *d)
{
	struct making m = {.dice = d, .deprecate_eof = dice_roll(d, 2)};

	n_expect = 0;
	twin_begin();
	while (d->left > 8 && n_expect + 300 < EXPECT_MAX && twin.n_commands < TWIN_COMMANDS) {
		unsigned which = dice_roll(d, 4), first = n_expect, text = dice_size(d, 65535);
		struct my_twin before = twin;
		__u64 digest;

		m.w.n = m.from = m.w.seq = 0;
		m.group++;
		m.index = 0;
		commands[which].answer(&m);
		ask(commands[which].command, text, NULL);
		send(&m.w, NULL);
		verify(&m, first);
		digest = twin.digest;
		twin = before;
		ask(commands[which].command, text, d);
		send(&m.w, d);
		verify(&m, first);
		require(twin.digest == digest);
	}
	free(m.w.bytes);
}

/* Whatever comes, in answer to whatever command, in whatever phase. */
static void fuzz_bytes(struct dice *d)
{
	twin_begin();
	twin.s.client.phase = (__u8)dice_roll(d, MY_CLIENT_LOST + 1);
	twin.s.phase = twin.s.client.phase == MY_CLIENT_LOGIN ? MY_AUTH : MY_DONE;
	while (d->left) {
		unsigned n = dice_size(d, 65535);
		uint8_t *chunk;

		if (dice_roll(d, 3) == 1)
			twin_command(dice_roll(d, 256));
		n = n > d->left ? (unsigned)d->left : n;
		chunk = malloc(n + 1); /* its own, so that a read past it is seen */
		if (!chunk)
			abort();
		memcpy(chunk, d->bytes, n);
		d->bytes += n;
		d->left -= n;
		if (dice_roll(d, 3) == 1) {
			twin_client(chunk, dice_roll(d, 2) ? n : dice_size(d, 65535), n);
			require(twin.s.client.phase == MY_CLIENT_LOST || twin.s.compressed ||
				twin.at.left == 0);
		} else {
			twin_server(chunk, n);
			require(twin.at.left == 0 && twin.at.off >= twin.at.end);
		}
		free(chunk);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dice d = {data, size};

	(dice_roll(&d, 3) ? fuzz_answers : fuzz_bytes)(&d);
	return 0;
}
