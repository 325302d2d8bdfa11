// SPDX-License-Identifier: Apache-2.0
// One line of fixed size, written over in one call: a reader never sees half of it unless the
// machine loses power, and then what cannot be read counts as a sensor that ended at an unknown
// time of another boot.
#include "sensor/alive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "sensor/host.h"

static void line_parse(const char *line, struct alive *ret)
{
	struct alive a = {};
	char state[8];

	if (sscanf(line, "%36s %" SCNu64 " %" SCNu64 " %7s", a.boot_id, &a.boottime, &a.realtime,
		   state) != 4)
		a = (struct alive){.boot_id = "?"};
	else
		a.stopped = strcmp(state, "stopped") == 0;
	*ret = a;
}

int alive_open(const char *directory, int *ret_fd, struct alive *ret_last)
{
	_cleanup_(closep) int dir = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(closep) int fd = -1;
	char line[ALIVE_SIZE + 1] = "";
	ssize_t n;

	if (dir < 0)
		return -errno;
	fd = openat(dir, "alive", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	n = fd < 0 ? -1 : pread(fd, line, ALIVE_SIZE, 0);
	if (n < 0)
		return -errno;
	*ret_last = (struct alive){};
	if (n > 0)
		line_parse(line, ret_last);
	*ret_fd = take_fd(fd);
	return 0;
}

int alive_write(int fd, const struct host *h, bool stopped)
{
	char line[ALIVE_SIZE + 1];
	uint64_t now = host_boottime();
	int n = snprintf(line, sizeof(line), "%s %" PRIu64 " %" PRIu64 " %s", h->boot_id, now,
			 host_realtime(h, now), stopped ? "stopped" : "alive");

	memset(line + n, ' ', sizeof(line) - (size_t)n);
	line[ALIVE_SIZE - 1] = '\n';
	return pwrite(fd, line, ALIVE_SIZE, 0) == ALIVE_SIZE ? 0 : errno ? -errno : -EIO;
}

Rollcall__Event *alive_gap(const struct alive *last, const struct host *h, struct arena *a)
{
	Rollcall__Event *ev = arena_alloc(a, sizeof(*ev));
	Rollcall__Gap *gap = arena_alloc(a, sizeof(*gap));
	bool same = strcmp(last->boot_id, h->boot_id) == 0;

	if (!ev || !gap)
		return NULL;
	rollcall__event__init(ev);
	rollcall__gap__init(gap);
	ev->time = host_boottime();
	gap->lane = arena_strdup(a, "sensor");
	gap->reason = arena_strdup(a, last->stopped ? "stop" : same ? "restart" : "reboot");
	gap->since = last->realtime;
	gap->until = host_realtime(h, ev->time);
	gap->since_boottime = same ? last->boottime : 0;
	gap->until_boottime = ev->time;
	ev->kind_case = ROLLCALL__EVENT__KIND_GAP;
	ev->gap = gap;
	return gap->lane && gap->reason ? ev : NULL;
}
