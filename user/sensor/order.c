// SPDX-License-Identifier: Apache-2.0
// Orders into the inbox, by a rename; the id of the last is kept in the file "order".
#include "sensor/order.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/clean.h"
#include "lib/digest.h"
#include "lib/log.h"

#define PAUSE_S 2 /* the sensor takes one a second: what comes faster would fill the disk */

struct order {
	int inbox, own;
	time_t next; /* CLOCK_BOOTTIME: before it none is delivered */
	char last[DIGEST_HEX];
};

/* The stream process may make files in it and remove its own; the sensor may remove every one. */
static int inbox_open(const struct order_opts *opts, int *ret_inbox)
{
	_cleanup_(closep) int fd = -1;

	if (mkdir(opts->inbox, 0700) < 0 && errno != EEXIST)
		return log_error(-errno, "policy.inbox '%s'", opts->inbox);
	fd = open(opts->inbox, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fchown(fd, (uid_t)-1, opts->gid) < 0 || fchmod(fd, 01770) < 0)
		return log_error(-errno, "policy.inbox '%s'", opts->inbox);
	*ret_inbox = take_fd(fd);
	return 0;
}

static bool is_id(const char *id)
{
	return strlen(id) == DIGEST_HEX - 1 && strspn(id, "0123456789abcdef") == DIGEST_HEX - 1;
}

/* Where it is damaged, the order comes again and is refused by its number. */
static void last_read(struct order *o)
{
	_cleanup_(closep) int fd =
		openat(o->own, "order", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 || read(fd, o->last, DIGEST_HEX - 1) != DIGEST_HEX - 1 || !is_id(o->last))
		*o->last = '\0';
}

int order_new(const struct order_opts *opts, struct order **ret_order)
{
	struct order *o = calloc(1, sizeof(*o));
	int r = 0;

	if (!o)
		return log_error(-ENOMEM, "cannot start");
	o->inbox = -1;
	o->own = opts->own;
	if (*opts->inbox)
		r = inbox_open(opts, &o->inbox);
	if (r < 0) {
		order_free(o);
		return r;
	}
	last_read(o);
	*ret_order = o;
	return 0;
}

struct order *order_free(struct order *o)
{
	if (o)
		closep(&o->inbox);
	free(o);
	return NULL;
}

int order_inbox(const struct order *o)
{
	return o->inbox;
}

const char *order_last(const struct order *o)
{
	return o->last;
}

static int file_write(int dir, const char *name, const char *temporary, const void *data,
		      size_t size)
{
	_cleanup_(closep) int fd =
		openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	const char *p = data;

	if (fd < 0)
		return -errno;
	while (size) {
		ssize_t n = write(fd, p, size);

		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	}
	return fsync(fd) < 0 || renameat(dir, temporary, dir, name) < 0 ? -errno : 0;
}

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec;
}

static int deliver(const struct order *o, const Rollcall__Order *m)
{
	char name[64];

	snprintf(name, sizeof(name), "order-%.16s.bundle", m->id);
	return file_write(o->inbox, name, ".order.new", m->body.data, m->body.len);
}

int order_take(struct order *o, const Rollcall__Order *m)
{
	char id[DIGEST_HEX];
	int r;

	if (!is_id(m->id) || digest_hex(m->body.data, m->body.len, id) < 0 ||
	    strcmp(m->id, id) != 0)
		return -EBADMSG;
	if (strcmp(id, o->last) == 0)
		return 0;
	if (o->inbox < 0) {
		log_warn(0, "the aggregator sends a signed policy, but there is no policy.key: it "
			    "is not taken");
		memcpy(o->last, id, sizeof(id));
		return 0;
	}
	if (now() < o->next) {
		log_warn(0, "signed policies come too fast: one is not taken");
		return 0;
	}
	r = deliver(o, m);
	o->next = now() + PAUSE_S;
	if (r < 0) {
		log_error(r, "a signed policy cannot be put into the inbox");
		return 0;
	}
	log_info("a signed policy of the aggregator is in the inbox: order-%.16s.bundle", id);
	memcpy(o->last, id, sizeof(id));
	r = file_write(o->own, "order", "order.new", id, DIGEST_HEX - 1);
	if (r < 0)
		log_warn(r, "cannot write which policy was delivered; it would come again");
	return 0;
}
