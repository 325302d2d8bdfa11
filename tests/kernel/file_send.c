// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// A file that was put into a watched tree a moment ago, or a secret, goes into a TCP connection by
// sendfile(2): which file, how much of it, to whom. Silent: other files, other sockets.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/ends.h"
#include "kernel/support/tree.h"
#include "kernel/support/way.h"
#include "kernel/support/witness.h"

#define SEND  ROLLCALL__EVENT__KIND_FILE_SEND
#define STAGE "www/mibasecss1.css"
#define SIZE  8000

static int sockets[2]; /* of the sender; of the receiver */
static const char *sent;

static int before(void)
{
	char command[256];

	snprintf(command, sizeof(command), "head -c %d /dev/zero >%s", SIZE, tree_at(STAGE));
	return system(command);
}

/* ---- ways; 0 when it worked ---- */

static int opened(void)
{
	return open(tree_at(sent), O_RDONLY);
}

static int whole(void)
{
	struct stat st;
	int fd = opened();

	return fstat(fd, &st) || sendfile(sockets[0], fd, NULL, 1 << 20) != st.st_size;
}

static int with_offset(void)
{
	off_t at = 0;

	return sendfile(sockets[0], opened(), &at, SIZE) != SIZE || at != SIZE;
}

/* 1000, 2000, 2500 (not told), 8000. */
static int in_pieces(void)
{
	int fd = opened();

	return sendfile(sockets[0], fd, NULL, 1000) != 1000 ||
	       sendfile(sockets[0], fd, NULL, 1000) != 1000 ||
	       sendfile(sockets[0], fd, NULL, 500) != 500 ||
	       sendfile(sockets[0], fd, NULL, SIZE) != SIZE - 2500;
}

static int twice(void)
{
	return whole() || whole();
}

static int compat(void)
{
	return way_i386(187, (long[6]){sockets[0], opened(), 0, SIZE}) != SIZE;
}

static int to_unix(void)
{
	int pair[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
	       sendfile(pair[0], opened(), NULL, SIZE) != SIZE;
}

static int to_file(void)
{
	return sendfile(open("/dev/null", O_WRONLY), opened(), NULL, SIZE) != SIZE;
}

static bool always(void)
{
	return true;
}

static const struct way {
	const char *name;
	int (*go)(void);
	bool (*possible)(void);
	const char *path, *address;
	unsigned events;
	uint64_t sent; /* as the last of them says */
	unsigned tree;
	bool recent;
} ways[] = {
	{"sendfile", whole, always, STAGE, "127.0.0.1", 1, SIZE, TREE_WEB_ROOT, true},
	{"sendfile, IPv6", whole, always, STAGE, "::1", 1, SIZE, TREE_WEB_ROOT, true},
	{"sendfile, offset", with_offset, always, STAGE, "127.0.0.1", 1, SIZE, TREE_WEB_ROOT, true},
	{"sendfile, in pieces", in_pieces, always, STAGE, "127.0.0.1", 3, SIZE, TREE_WEB_ROOT,
	 true},
	{"sendfile, twice", twice, always, STAGE, "127.0.0.1", 2, SIZE, TREE_WEB_ROOT, true},
	{"sendfile, 32-bit", compat, way_has_i386, STAGE, "127.0.0.1", 1, SIZE, TREE_WEB_ROOT,
	 true},
	{"sendfile, secret", whole, always, "secret/.old", "127.0.0.1", 1, 4, TREE_SECRET, false},
	{"there before", whole, always, "www/.old", "127.0.0.1", 0, 0, 0, false},
	{"to a unix socket", to_unix, always, STAGE, "127.0.0.1", 0, 0, 0, false},
	{"to a file", to_file, always, STAGE, "127.0.0.1", 0, 0, 0, false},
};

static bool connection(const char *address)
{
	union address a;
	socklen_t n = ends_address(&a, address, 0);
	int listener = socket(a.any.sa_family, SOCK_STREAM, 0);

	sockets[1] = socket(a.any.sa_family, SOCK_STREAM, 0);
	if (bind(listener, &a.any, n) || getsockname(listener, &a.any, &n) || listen(listener, 1) ||
	    connect(sockets[1], &a.any, n))
		return false;
	sockets[0] = accept(listener, NULL, NULL);
	close(listener);
	return sockets[0] >= 0;
}

static void event_check(const struct way *w, const Rollcall__FileSend *f, pid_t pid)
{
	union address local = ends_local(sockets[0]), peer = ends_peer(sockets[0]);
	struct stat st = {};

	check(w->name, "stat", stat(tree_at(w->path), &st) == 0);
	ends_check_task(w->name, f->task, pid);
	tree_inode_check(w->name, f->inode, &st);
	check_string(w->name, "path", f->path, tree_at(w->path));
	ends_check(w->name, "local", f->local, &local);
	ends_check(w->name, "remote", f->remote, &peer);
	check_number(w->name, "sent", f->sent, w->sent);
	check_number(w->name, "tree", f->tree, w->tree);
	check_number(w->name, "lineage", f->lineage, 0);
	check_number(w->name, "recent", f->recent, w->recent);
}

static void way_check(const struct way *w)
{
	const Rollcall__Event *ev;
	int status;
	pid_t pid;

	tree_fill(w->name);
	sent = w->path;
	witness_run(before, &status);
	check_number(w->name, "before", (uint64_t)status, 0);
	check(w->name, "connected", connection(w->address));
	pid = witness_run(w->go, &status);
	check_number(w->name, "child", (uint64_t)status, 0);
	ev = w->events ? witness_wait(SEND, pid, w->events) : NULL;
	check(w->name, "event", !w->events || ev);
	if (ev)
		event_check(w, ev->file_send, pid);
	witness_settle();
	check_number(w->name, "events", witness_count(SEND, pid), w->events);
	if (w->events)
		ends_coverage("file_send", w->name, witness_hook("file_write"), ev);
	close(sockets[0]);
	close(sockets[1]);
}

int main(void)
{
	if (!tree_open("file_send"))
		return 1;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (ways[i].possible())
			way_check(&ways[i]);
	return tree_close();
}
