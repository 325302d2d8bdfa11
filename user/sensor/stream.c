// SPDX-License-Identifier: Apache-2.0
// The stream process. Lanes of the spool are sent crit first; batches wait for their Ack within
// the aggregator's window, and after a reconnect everything not acknowledged is sent again: the
// aggregator knows each event by boot, class and number.
#include "sensor/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control.pb-c.h"
#include "lib/arena.h"
#include "lib/batch.h"
#include "lib/clean.h"
#include "lib/cursor.h"
#include "lib/hostport.h"
#include "lib/link.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/protowire.h"
#include "lib/segment.h"
#include "lib/spool_read.h"
#include "lib/tls.h"
#include "lib/version.h"
#include "sensor/order.h"
#include "sensor/sandbox.h"

#define LANES		 64
#define PROTOCOL_VERSION 2
#define PING_MS		 10000
#define RETRY_MIN_MS	 250
#define RETRY_MAX_MS	 30000
#define SILENCE_S	 60 /* nothing from the aggregator, not even the Ack of a ping */

struct lane {
	struct spool_lane_name name;
	struct spool_lane *reader;
	struct spool_block next; /* read, but not sent */
	int has_next;
	uint64_t sent; /* last number */
};

struct stream {
	const struct stream_opts *opts;
	struct hostport aggregator;
	struct loop *loop;
	struct tls *tls;
	struct link *link;
	struct arena *arena;
	struct order *order;
	int spool, own, inotify, watch;
	struct cursor cursor;
	int cursor_dirty;
	int spool_error; /* of the last look for lanes, told once */
	struct lane lanes[LANES];
	unsigned n_lanes;
	int rescan, welcome;
	uint32_t window, inflight, raw_max, retry_ms;
	Rollcall__StreamStatus status;
	char reason[200];
	struct loop_watch *term, *quit, *retry, *ping, *spooled;
};

static uint64_t realtime(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* ---- what the sensor shows of us ---- */

static void status_set(struct stream *s, const char *state)
{
	uint8_t packed[1024];
	size_t size;
	int fd;

	if (strcmp(s->status.state, state) != 0)
		s->status.since = realtime();
	s->status.state = (char *)(uintptr_t)state;
	s->status.reason = s->reason;
	size = rollcall__stream_status__get_packed_size(&s->status);
	if (size > sizeof(packed))
		return;
	rollcall__stream_status__pack(&s->status, packed);
	fd = openat(s->own, "status.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		    0640);
	if (fd < 0)
		return;
	if (write(fd, packed, size) == (ssize_t)size)
		renameat(s->own, "status.new", s->own, "status");
	close(fd);
}

/* ---- lanes ---- */

static void lanes_close(struct stream *s)
{
	for (unsigned i = 0; i < s->n_lanes; i++)
		s->lanes[i].reader = spool_lane_free(s->lanes[i].reader);
	s->n_lanes = 0;
}

static struct lane *lane_find(struct stream *s, const char *boot_id, uint32_t class)
{
	for (unsigned i = 0; i < s->n_lanes; i++)
		if (s->lanes[i].name.class == class &&
		    strcmp(s->lanes[i].name.boot_id, boot_id) == 0)
			return &s->lanes[i];
	return NULL;
}

/* Opens the lanes that are new. */
static int lanes_scan(struct stream *s)
{
	struct spool_lane_name names[LANES];
	int n = spool_lanes(s->spool, names, LANES), r;

	if (n < 0 && n != s->spool_error)
		log_error(n, "spool '%s' cannot be read", s->opts->spool);
	s->spool_error = n < 0 ? n : 0;
	s->rescan = n < 0; /* looked at again when it changes */
	for (int i = 0; i < n && s->n_lanes < LANES; i++) {
		struct lane *l = &s->lanes[s->n_lanes];

		if (lane_find(s, names[i].boot_id, names[i].class))
			continue;
		*l = (struct lane){.name = names[i]};
		r = spool_lane_open(s->spool, &names[i],
				    cursor_get(&s->cursor, names[i].boot_id, names[i].class),
				    &l->reader);
		if (r < 0)
			return r;
		s->n_lanes++;
	}
	return 0;
}

static int lane_peek(struct lane *l)
{
	uint64_t before = spool_lane_damaged(l->reader);
	int r = 0;

	if (!l->has_next) {
		r = spool_lane_next(l->reader, &l->next);
		l->has_next = r == 0;
	}
	if (spool_lane_damaged(l->reader) != before)
		log_warn(0, "spool: a file of boot %s, class %s is damaged; what was in it is lost",
			 l->name.boot_id, segment_class(l->name.class));
	return r;
}

/* ---- sending ---- */

struct batch_size {
	size_t raw, max;
	size_t whole; /* of its events with their processes */
};

/* Does it go on with what the batch has, and is there room for it? */
static bool batch_fits(const Rollcall__Batch *b, const struct batch_size *size,
		       const struct spool_block *next)
{
	return next->seq == b->first_seq + b->count && next->layout == b->layout &&
	       b->count + next->count <= BATCH_EVENTS_MAX &&
	       size->raw + next->size + PROTOWIRE_PREFIX_MAX <= size->max &&
	       size->whole + next->whole <= BATCH_WHOLE_MAX;
}

/* Takes consecutive blocks up to a batch's limits. Number taken. */
static size_t batch_take(struct stream *s, struct lane *l, ProtobufCBinaryData *records,
			 Rollcall__Batch *b)
{
	bool bulk = l->name.class == ROLLCALL__CLASS__bulk;
	struct batch_size size = {.max = bulk ? s->raw_max / 8 : s->raw_max};
	size_t n = 0;

	/* One block fits in any batch. */
	while (n < BATCH_EVENTS_MAX && lane_peek(l) == 0) {
		const struct spool_block *next = &l->next;

		if (n && !batch_fits(b, &size, next))
			break;
		if (!n) {
			b->first_seq = next->seq;
			b->layout = next->layout;
			b->chain_before.data = arena_copy(s->arena, next->before, CHAIN_SIZE);
			b->chain.data = arena_alloc(s->arena, CHAIN_SIZE);
		}
		records[n].data = arena_copy(s->arena, next->data, next->size);
		records[n].len = next->size;
		if (!records[n].data || !b->chain.data || !b->chain_before.data)
			return 0;
		memcpy(b->chain.data, next->after, CHAIN_SIZE);
		b->count += next->count;
		size.raw += next->size + PROTOWIRE_PREFIX_MAX;
		size.whole += next->whole;
		l->has_next = 0;
		n++;
	}
	b->chain.len = b->chain_before.len = CHAIN_SIZE;
	return n;
}

/* 1: a batch was sent, 0: the lane has nothing. */
static int batch_send(struct stream *s, struct lane *l)
{
	Rollcall__Batch b;
	ProtobufCBinaryData *records = arena_alloc(s->arena, BATCH_EVENTS_MAX * sizeof(*records));
	size_t n;
	int r;

	if (!records)
		return -ENOMEM;
	rollcall__batch__init(&b);
	b.boot_id = l->name.boot_id;
	b.class_ = (Rollcall__Class)l->name.class;
	n = batch_take(s, l, records, &b);
	if (!n)
		return 0;
	r = batch_pack(s->arena, records, n, &b);
	if (r == 0)
		r = link_send(s->link, FRAME_BATCH, &b.base);
	arena_reset(s->arena);
	if (r < 0)
		return r;
	l->sent = b.first_seq + b.count - 1;
	s->inflight++;
	return 1;
}

/* Bulk may use half of the window, in small batches: crit never waits long behind it. */
static int window_open(const struct stream *s, uint32_t class)
{
	return s->inflight < (class == ROLLCALL__CLASS__bulk ? (s->window + 1) / 2 : s->window);
}

/* As long as the window is open: crit of every boot, then bulk. */
static int pump(struct stream *s)
{
	int r = 0;

	if (!s->welcome)
		return 0;
	if (s->rescan)
		r = lanes_scan(s);
	for (uint32_t class = 1; class < SEGMENT_CLASSES && r >= 0; class ++) {
		for (unsigned i = 0; i < s->n_lanes && r >= 0; i++) {
			if (s->lanes[i].name.class != class)
				continue;
			do
				r = window_open(s, class) ? batch_send(s, &s->lanes[i]) : 0;
			while (r > 0);
		}
	}
	return r < 0 ? r : 0;
}

static void cursor_keep(struct stream *s)
{
	int r = s->cursor_dirty ? cursor_write(s->own, &s->cursor) : 0;

	if (r < 0)
		log_warn(r, "cannot write what was acknowledged; it would be sent again");
	s->cursor_dirty = 0;
}

/* ---- word of what is new ---- */

/*
 * While nothing can be sent nobody need know: each write into the spool would wake this process.
 * The working directory is the spool: by its path only root might come to it.
 */
static int spool_watch(struct stream *s)
{
	s->watch = inotify_add_watch(s->inotify, ".", IN_MODIFY | IN_CREATE);
	return s->watch < 0 ? -errno : 0;
}

static void spool_unwatch(struct stream *s)
{
	if (s->watch >= 0)
		inotify_rm_watch(s->inotify, s->watch);
	s->watch = -1;
}

/* ---- receiving ---- */

static int on_welcome(struct stream *s, const Rollcall__Welcome *w)
{
	int r;

	if (s->welcome || w->version != PROTOCOL_VERSION || !w->window ||
	    w->batch_raw_max < BATCH_RAW_MAX / 2)
		return -EBADMSG;
	s->welcome = 1;
	s->window = w->window > 64 ? 64 : w->window;
	s->raw_max = w->batch_raw_max > BATCH_RAW_MAX ? BATCH_RAW_MAX : w->batch_raw_max;
	s->retry_ms = RETRY_MIN_MS;
	s->rescan = 1;
	*s->reason = '\0';
	log_info("connected to %s", s->opts->aggregator);
	status_set(s, "connected");
	r = spool_watch(s);
	return r < 0 ? r : pump(s);
}

static int on_ack(struct stream *s, const Rollcall__Ack *a)
{
	const struct lane *l = lane_find(s, a->boot_id, a->class_);
	int r;

	if (!s->welcome)
		return -EBADMSG;
	if (!*a->boot_id)
		return 0; /* of a ping */
	if (!s->inflight || !l || a->seq > l->sent)
		return -EBADMSG;
	s->inflight--;
	if (a->window)
		s->window = a->window > 64 ? 64 : a->window;
	if (a->seq > cursor_get(&s->cursor, a->boot_id, a->class_))
		cursor_set(&s->cursor, a->boot_id, a->class_, a->seq);
	s->cursor_dirty = 1;
	r = pump(s);
	if (!s->inflight || s->inflight % 8 == 0)
		cursor_keep(s);
	return r;
}

static int on_frame(void *ctx, enum frame_type type, const ProtobufCMessage *m)
{
	struct stream *s = ctx;

	switch (type) {
	case FRAME_WELCOME:
		return on_welcome(s, (const Rollcall__Welcome *)m);
	case FRAME_ACK:
		return on_ack(s, (const Rollcall__Ack *)m);
	case FRAME_REFUSE:
		snprintf(s->reason, sizeof(s->reason), "refused: %s",
			 ((const Rollcall__Refuse *)m)->reason);
		return -ECONNREFUSED;
	case FRAME_ORDER:
		return s->welcome ? order_take(s->order, (const Rollcall__Order *)m) : -EBADMSG;
	default:
		return -EBADMSG;
	}
}

/* ---- connecting ---- */

static void link_drop(struct stream *s)
{
	s->link = link_free(s->link);
	spool_unwatch(s);
	s->welcome = 0;
	s->inflight = 0;
	lanes_close(s);
	cursor_keep(s);
}

static void failed(struct stream *s, const char *reason)
{
	/* The reason may be the link's own. */
	if (strncmp(s->reason, "refused", 7) != 0)
		snprintf(s->reason, sizeof(s->reason), "%s", reason);
	link_drop(s);
	/* Once for each outage, not for each attempt. */
	if (strcmp(s->status.state, "failed") != 0)
		log_warn(0, "no connection to %s: %s; events are kept in the spool",
			 s->opts->aggregator, s->reason);
	status_set(s, "failed");
	loop_timer_set(s->retry, s->retry_ms + (uint32_t)rand() % (s->retry_ms / 2));
	s->retry_ms = s->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : s->retry_ms * 2;
}

static void on_closed(void *ctx, const char *reason)
{
	failed(ctx, reason);
}

static void on_ready(void *ctx)
{
	struct stream *s = ctx;
	Rollcall__Hello h;

	rollcall__hello__init(&h);
	h.version_min = h.version_max = PROTOCOL_VERSION;
	h.host = (char *)(uintptr_t)s->opts->host;
	h.boot_id = (char *)(uintptr_t)s->opts->boot_id;
	h.program = (char *)(uintptr_t) "rollcall-sensor " ROLLCALL_VERSION;
	h.order = (char *)(uintptr_t)order_last(s->order);
	link_timeout(s->link, SILENCE_S);
	if (link_send(s->link, FRAME_HELLO, &h.base) == 0)
		loop_timer_set(s->ping, PING_MS);
}

static void on_retry(void *ctx)
{
	struct stream *s = ctx;
	const struct link_ops ops = {
		.ready = on_ready, .frame = on_frame, .closed = on_closed, .ctx = s};
	int r;

	if (s->link)
		return;
	*s->reason = '\0';
	r = link_connect(s->loop, s->tls, s->aggregator.host, s->aggregator.port, &ops, &s->link);
	if (r < 0)
		failed(s, strerror(-r));
	else
		link_timeout(s->link, 15);
}

static void on_ping(void *ctx)
{
	struct stream *s = ctx;
	Rollcall__Ping p;

	if (!s->welcome)
		return;
	rollcall__ping__init(&p);
	p.time = realtime();
	link_send(s->link, FRAME_PING, &p.base);
	loop_timer_set(s->ping, PING_MS);
}

static void on_spooled(void *ctx)
{
	struct stream *s = ctx;
	char events[16384];
	int r;

	/* Which file changed does not matter; that one was made does. */
	while (read(s->inotify, events, sizeof(events)) > 0)
		s->rescan = 1;
	r = pump(s);
	if (r < 0)
		failed(s, strerror(-r));
}

static void on_term(void *ctx)
{
	struct stream *s = ctx;

	cursor_keep(s);
	loop_stop(s->loop);
}

/* ---- set-up ---- */

/* While still root: the key, the directories. */
static int files_open(struct stream *s)
{
	char ca[4096], cert[4096], key[4096], why[512];
	const char *b = s->opts->bundle;
	int r;

	snprintf(ca, sizeof(ca), "%s/ca.pem", b);
	snprintf(cert, sizeof(cert), "%s/cert.pem", b);
	snprintf(key, sizeof(key), "%s/key.pem", b);
	r = tls_new(false, &(struct tls_files){ca, cert, key}, &s->tls, why, sizeof(why));
	if (r < 0)
		return log_error(r, "aggregator bundle: %s (rollcall-aggregator enroll makes one)",
				 why);
	s->spool = open(s->opts->spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->spool < 0)
		return log_error(-errno, "spool '%s'", s->opts->spool);
	if (mkdirat(s->spool, "stream", 0700) < 0 && errno != EEXIST)
		return log_error(-errno, "spool '%s': cannot make stream/", s->opts->spool);
	s->own = openat(s->spool, "stream", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->own < 0 || fchown(s->own, s->opts->uid, s->opts->gid) < 0)
		return log_error(-errno, "spool '%s': stream/", s->opts->spool);
	r = order_new(&(struct order_opts){s->opts->inbox, s->opts->gid, s->own}, &s->order);
	if (r < 0)
		return r;
	/* After this no path of the options is opened. */
	s->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (s->inotify < 0 || fchdir(s->spool) < 0)
		return log_error(-errno, "cannot watch the spool");
	return 0;
}

static int stream_init(struct stream *s)
{
	int r = hostport_parse(s->opts->aggregator, &s->aggregator);

	if (r < 0)
		return log_error(0, "aggregator '%s': " HOSTPORT_HELP, s->opts->aggregator), r;
	r = files_open(s);
	if (r < 0)
		return r;
	r = sandbox_stream(&(struct sandbox_stream_opts){s->opts->uid, s->opts->gid, s->spool,
							 s->own, order_inbox(s->order)});
	if (r < 0)
		return log_error(r, "cannot give up privileges");
	if (cursor_read(s->own, &s->cursor) == -EBADMSG)
		log_warn(0, "the position file is damaged: everything in the spool is sent again");
	s->loop = loop_new();
	s->arena = arena_new(4 << 20);
	if (!s->loop || !s->arena)
		return log_error(-ENOMEM, "cannot start");
	s->retry = loop_timer(s->loop, on_retry, s);
	s->ping = loop_timer(s->loop, on_ping, s);
	s->term = loop_signal(s->loop, SIGTERM, on_term, s);
	s->quit = loop_signal(s->loop, SIGINT, on_term, s);
	s->spooled = loop_readable(s->loop, s->inotify, on_spooled, s);
	if (!s->retry || !s->ping || !s->term || !s->quit || !s->spooled)
		return log_error(-ENOMEM, "cannot start");
	s->retry_ms = RETRY_MIN_MS;
	status_set(s, "connecting");
	loop_timer_set(s->retry, 0);
	return 0;
}

static void stream_fini(struct stream *s)
{
	if (s->link)
		link_drop(s);
	loop_watch_free(s->retry);
	loop_watch_free(s->ping);
	loop_watch_free(s->term);
	loop_watch_free(s->quit);
	loop_watch_free(s->spooled);
	loop_free(s->loop);
	arena_free(s->arena);
	tls_free(s->tls);
	order_free(s->order);
	closep(&s->inotify);
	closep(&s->own);
	closep(&s->spool);
}

int stream_run(const struct stream_opts *opts)
{
	struct stream s = {.opts = opts, .spool = -1, .own = -1, .inotify = -1, .watch = -1};
	int r;

	srand((unsigned)(realtime() ^ (uint64_t)getpid()));
	rollcall__stream_status__init(&s.status);
	s.status.aggregator = (char *)(uintptr_t)opts->aggregator;
	r = stream_init(&s);
	if (r == 0)
		r = loop_run(s.loop);
	stream_fini(&s);
	return r;
}
