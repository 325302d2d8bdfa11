// SPDX-License-Identifier: Apache-2.0
// The process table. An entry holds references on up to 16 ancestors, so that a parent that ended
// or was evicted stays part of its children's lineage. One that left the table holds none itself:
// chains of dead processes do not add up.
#include "sensor/proctab.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/mask.h"

#define BUCKETS	    8192
#define SECOND	    1000000000ull
#define GRACE	    (60 * SECOND) /* an ended process is known so long */
#define CLOSE	    SECOND /* the kernel closes its files and sockets after its exit record */
#define LINEAGE_MAX 16
#define ARGS_MAX    4096 /* the rest is in the Exec event only */
#define USERS_MAX   256
#define MALLOC_OWN  24 /* around each allocation, at most */

/* What a process executes: shared with its children until they exec. */
struct image {
	unsigned refs;
	unsigned size; /* with its bytes */
	bool exe_deleted, args_truncated, path_truncated;
	uint64_t exe_inode;
	size_t args_len;
	const char *exe, *cwd, *unit, *args; /* in bytes; args: NUL after each */
	char bytes[];
};

struct proc {
	struct proc *next;		     /* in its bucket */
	struct list *list;		     /* NULL: left the table, is an ancestor only */
	struct proc *older, *newer;	     /* in its list */
	struct proc *ancestors[LINEAGE_MAX]; /* references, parent first */
	unsigned n_ancestors;
	unsigned refs;
	uint32_t tgid, ppid, uid;
	uint64_t start, end; /* end 0: runs */
	struct image *image; /* NULL: not known */
};

struct list {
	struct proc *oldest, *newest;
};

struct user {
	uint32_t uid;
	char name[64];
};

struct proctab {
	struct proc *buckets[BUCKETS];
	struct list running; /* by last use */
	struct list ended;   /* by time of exit */
	uint32_t max;
	struct proctab_counts counts;
	uint32_t boot;
	uint64_t version;
	struct user users[USERS_MAX];
	unsigned n_users;
};

struct proctab *proctab_new(uint32_t max, const char *boot_id)
{
	struct proctab *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->max = max ? max : 1;
	t->boot = (uint32_t)strtoul(boot_id, NULL, 16);
	return t;
}

static void image_unref(struct proctab *t, struct image *image)
{
	if (!image || --image->refs)
		return;
	t->counts.bytes -= image->size;
	free(image);
}

static void list_remove(struct proc *p)
{
	*(p->older ? &p->older->newer : &p->list->oldest) = p->newer;
	*(p->newer ? &p->newer->older : &p->list->newest) = p->older;
	p->older = p->newer = NULL;
	p->list = NULL;
}

static void list_add(struct list *l, struct proc *p)
{
	p->list = l;
	p->older = l->newest;
	*(l->newest ? &l->newest->newer : &l->oldest) = p;
	l->newest = p;
}

static void proc_used(struct proctab *t, struct proc *p)
{
	if (p->list != &t->running)
		return;
	list_remove(p);
	list_add(&t->running, p);
}

static void proc_unref(struct proctab *t, struct proc *p)
{
	if (--p->refs)
		return;
	/* The table's own reference goes last but for those of children. */
	t->counts.ancestors--;
	t->counts.bytes -= sizeof(*p) + MALLOC_OWN;
	image_unref(t, p->image);
	free(p);
}

static void lineage_drop(struct proctab *t, struct proc *p)
{
	while (p->n_ancestors)
		proc_unref(t, p->ancestors[--p->n_ancestors]);
}

/* The parent, and the parent's ancestors as far as there is room. */
static void lineage_set(struct proctab *t, struct proc *p, struct proc *parent)
{
	struct proc *old[LINEAGE_MAX];
	unsigned n_old = p->n_ancestors, n = parent->n_ancestors;

	if (parent == p)
		return;
	if (n == LINEAGE_MAX) {
		t->counts.cut++;
		n--;
	}
	memcpy(old, p->ancestors, n_old * sizeof(*old));
	p->ancestors[0] = parent;
	memcpy(p->ancestors + 1, parent->ancestors, n * sizeof(*old));
	p->n_ancestors = n + 1;
	for (unsigned i = 0; i <= n; i++)
		p->ancestors[i]->refs++;
	while (n_old)
		proc_unref(t, old[--n_old]);
}

/* Off the table; stays in memory as long as a descendant in the table needs it. */
static void proc_remove(struct proctab *t, struct proc *p)
{
	struct proc **slot = &t->buckets[p->tgid % BUCKETS];

	while (*slot != p)
		slot = &(*slot)->next;
	*slot = p->next;
	list_remove(p);
	lineage_drop(t, p);
	t->counts.processes--;
	t->counts.ancestors++;
	proc_unref(t, p);
}

static struct proc *oldest(const struct proctab *t)
{
	return t->ended.oldest ? t->ended.oldest : t->running.oldest;
}

struct proctab *proctab_free(struct proctab *t)
{
	while (t && oldest(t))
		proc_remove(t, oldest(t));
	free(t);
	return NULL;
}

void proctab_freep(struct proctab **t)
{
	*t = proctab_free(*t);
}

static struct proc *proc_get(const struct proctab *t, uint32_t tgid, uint64_t start)
{
	struct proc *p = t->buckets[tgid % BUCKETS];

	while (p && (p->tgid != tgid || p->start != start))
		p = p->next;
	return p;
}

/* Ancestors that nobody else knows count, too: with an empty table there are none. */
static bool is_full(const struct proctab *t)
{
	const struct proctab_counts *c = &t->counts;

	return c->processes >= t->max ||
	       (c->processes && c->processes + c->ancestors >= 2 * (uint64_t)t->max);
}

static struct proc *proc_add(struct proctab *t, uint32_t tgid, uint64_t start)
{
	struct proc *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	for (; is_full(t); t->counts.evicted++)
		proc_remove(t, oldest(t));
	p->refs = 1;
	p->tgid = tgid;
	p->start = start;
	p->next = t->buckets[tgid % BUCKETS];
	t->buckets[tgid % BUCKETS] = p;
	list_add(&t->running, p);
	t->counts.processes++;
	t->counts.bytes += sizeof(*p) + MALLOC_OWN;
	return p;
}

/* Makes room for what `keep` brought. Its own ancestors stay, who are at most sixteen. */
static void trim(struct proctab *t, const struct proc *keep)
{
	for (; t->counts.bytes > (uint64_t)t->max * PROCTAB_BYTES_EACH && oldest(t) != keep;
	     t->counts.evicted++)
		proc_remove(t, oldest(t));
}

uint64_t proctab_shrink(struct proctab *t, uint64_t bytes)
{
	uint64_t keep = t->counts.bytes > bytes ? t->counts.bytes - bytes : 0, n = 0;

	for (; t->counts.bytes > keep && t->counts.processes > PROCTAB_LEAST; n++)
		proc_remove(t, oldest(t));
	t->counts.evicted += n;
	return n;
}

/* Did this process start at `start`? /proc tells it in clock ticks. */
static bool start_is(int dir, uint64_t start)
{
	_cleanup_(closep) int fd = openat(dir, "stat", O_RDONLY | O_CLOEXEC);
	uint64_t tick = SECOND / (uint64_t)sysconf(_SC_CLK_TCK);
	char buf[1024], *at;
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	if (n <= 0)
		return false;
	buf[n] = '\0';
	at = strrchr(buf, ')'); /* the name before it may hold anything */
	for (unsigned field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at && strtoull(at, NULL, 10) == start / tick;
}

/* Arguments of a process that ran before the sensor; a byte more than fits, to know. */
static size_t args_read(const Rollcall__Task *task, char buf[ARGS_MAX + 1])
{
	_cleanup_(closep) int dir = -1;
	_cleanup_(closep) int fd = -1;
	char path[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u", task->tgid);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || !start_is(dir, task->start_time))
		return 0;
	/* The directory stays that process's, whoever has its number now. */
	fd = openat(dir, "cmdline", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, ARGS_MAX + 1);
	return n < 0 ? 0 : (size_t)n;
}

static const char *image_put(char **to, const char *from, size_t len)
{
	char *at = *to;

	memcpy(at, from, len);
	at[len] = '\0';
	*to += len + 1;
	return at;
}

static struct image *image_new(struct proctab *t, const Rollcall__Exec *e)
{
	size_t exe = strlen(e->exe), cwd = strlen(e->cwd), unit = strlen(e->cgroup);
	const char *args = (const char *)e->args.data;
	size_t args_len = e->args.len, size;
	bool truncated = e->args_truncated;
	char buf[ARGS_MAX + 1], *to;
	struct image *image;

	if (!args_len && truncated) {
		args = buf;
		args_len = args_read(e->task, buf);
		mask_args(buf, args_len);
		truncated = !args_len || args_len > ARGS_MAX;
	}
	if (args_len > ARGS_MAX) {
		args_len = ARGS_MAX;
		truncated = true;
	}
	size = sizeof(*image) + exe + cwd + unit + args_len + 4;
	image = calloc(1, size);
	if (!image)
		return NULL;
	to = image->bytes;
	image->size = (unsigned)size + MALLOC_OWN;
	t->counts.bytes += image->size;
	image->refs = 1;
	image->exe = image_put(&to, e->exe, exe);
	image->cwd = image_put(&to, e->cwd, cwd);
	image->unit = image_put(&to, e->cgroup, unit);
	image->args = image_put(&to, args_len ? args : "", args_len);
	image->args_len = args_len;
	image->args_truncated = truncated;
	image->path_truncated = e->path_truncated;
	image->exe_inode = e->exe_inode ? e->exe_inode->ino : 0;
	image->exe_deleted = e->exe_nlink == 0;
	return image;
}

/* The youngest of that number that was born by then, if it had not ended before. */
static struct proc *proc_at(const struct proctab *t, uint32_t tgid, uint64_t time)
{
	struct proc *best = NULL;

	for (struct proc *p = t->buckets[tgid % BUCKETS]; p; p = p->next)
		if (p->tgid == tgid && p->start <= time && (!best || p->start > best->start))
			best = p;
	return best && best->end && time > best->end + CLOSE ? NULL : best;
}

int proctab_exec(struct proctab *t, uint64_t time, const Rollcall__Exec *e)
{
	struct proc *p = proc_get(t, e->task->tgid, e->task->start_time), *parent;
	struct image *image;

	if (!p)
		p = proc_add(t, e->task->tgid, e->task->start_time);
	image = p ? image_new(t, e) : NULL;
	if (!image)
		return -ENOMEM;
	t->version++;
	image_unref(t, p->image);
	p->image = image;
	p->ppid = e->task->ppid;
	p->uid = e->task->uid;
	proc_used(t, p);
	parent = p->n_ancestors ? NULL : proc_at(t, p->ppid, time);
	if (parent)
		lineage_set(t, p, parent);
	trim(t, p);
	return 0;
}

/* A child is what its parent is, until it execs. */
int proctab_fork(struct proctab *t, uint64_t time, const Rollcall__Fork *f)
{
	struct proc *p = proc_get(t, f->task->tgid, f->task->start_time);
	struct proc *parent = proc_get(t, f->parent_tgid, f->parent_start_time);

	(void)time;
	t->version++;
	if (parent)
		proc_used(t, parent);
	if (!p)
		p = proc_add(t, f->task->tgid, f->task->start_time);
	if (!p)
		return -ENOMEM;
	/* A seed is younger than the record of its fork: it may have executed since. */
	if (!p->image)
		p->uid = f->task->uid;
	/* Adding may have evicted it. */
	parent = proc_get(t, f->parent_tgid, f->parent_start_time);
	if (!parent)
		return 0;
	lineage_set(t, p, parent);
	if (!p->image && parent->image) {
		p->image = parent->image;
		p->image->refs++;
	}
	return 0;
}

int proctab_exit(struct proctab *t, uint64_t time, const Rollcall__Exit *e)
{
	struct proc *p = proc_get(t, e->task->tgid, e->task->start_time);

	if (!p || p->end)
		return 0;
	p->end = time;
	list_remove(p);
	list_add(&t->ended, p);
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct proc *x = *(const struct proc *const *)a;
	const struct proc *y = *(const struct proc *const *)b;

	return (x->start > y->start) - (x->start < y->start);
}

/* A parent is older than its child, and so has its own ancestors before it gives them on. */
int proctab_link(struct proctab *t)
{
	_cleanup_(freep) struct proc **all = calloc(t->counts.processes + 1, sizeof(struct proc *));
	size_t n = 0;

	if (!all)
		return -ENOMEM;
	t->version++;
	for (struct proc *p = t->running.oldest; p; p = p->newer)
		all[n++] = p;
	qsort(all, n, sizeof(struct proc *), by_start);
	for (size_t i = 0; i < n; i++) {
		struct proc *parent = proc_at(t, all[i]->ppid, UINT64_MAX);

		if (parent && parent->start <= all[i]->start)
			lineage_set(t, all[i], parent);
	}
	return 0;
}

void proctab_seen(struct proctab *t, const Rollcall__Task *task)
{
	struct proc *p = proc_get(t, task->tgid, task->start_time);

	if (!p || p->uid == task->uid)
		return;
	p->uid = task->uid;
	t->version++;
}

uint64_t proctab_start(const struct proc *p)
{
	return p->start;
}

uint64_t proctab_version(const struct proctab *t)
{
	return t->version;
}

const struct proc *proctab_find(struct proctab *t, uint32_t tgid, uint64_t time)
{
	struct proc *p = proc_at(t, tgid, time);

	if (p)
		proc_used(t, p);
	return p;
}

void proctab_expire(struct proctab *t, uint64_t time)
{
	while (t->ended.oldest && t->ended.oldest->end + GRACE < time)
		proc_remove(t, t->ended.oldest);
}

void proctab_counts(const struct proctab *t, struct proctab_counts *ret)
{
	*ret = t->counts;
}

/* User names come from the system's database, once per uid: a look-up may ask a server. */
static const char *user_name(struct proctab *t, uint32_t uid)
{
	struct user *u = NULL;
	struct passwd pw, *found = NULL;
	char buf[4096];

	for (unsigned i = 0; i < t->n_users; i++)
		if (t->users[i].uid == uid)
			return t->users[i].name;
	u = &t->users[t->n_users < USERS_MAX ? t->n_users++ : uid % USERS_MAX];
	u->uid = uid;
	if (getpwuid_r(uid, &pw, buf, sizeof(buf), &found) == 0 && found)
		snprintf(u->name, sizeof(u->name), "%s", found->pw_name);
	else
		snprintf(u->name, sizeof(u->name), "%u", uid);
	return u->name;
}

static int fill_args(Rollcall__Process *m, const struct image *image, struct arena *a)
{
	const char *args = image->args;
	size_t len = image->args_len, n = 0, k = 0;

	for (size_t i = 0; i < len; i++)
		n += args[i] == '\0';
	n += len && args[len - 1] != '\0'; /* cut in the kernel */
	m->args = arena_alloc(a, n * sizeof(*m->args));
	if (!m->args)
		return -ENOMEM;
	for (size_t i = 0; k < n; k++) {
		size_t one = strnlen(args + i, len - i);

		m->args[k] = arena_strndup(a, args + i, one);
		if (!m->args[k])
			return -ENOMEM;
		i += one + 1;
	}
	m->n_args = n;
	return 0;
}

static Rollcall__Process *fill_one(struct proctab *t, const struct proc *p, struct arena *a)
{
	static const struct image unknown = {.exe = "", .cwd = "", .unit = "", .args = ""};
	const struct image *image = p->image ? p->image : &unknown;
	Rollcall__Process *m = arena_alloc(a, sizeof(*m));

	if (!m)
		return NULL;
	rollcall__process__init(m);
	m->id = arena_printf(a, "%08x%08x%016llx", t->boot, p->tgid, (unsigned long long)p->start);
	m->pid = p->tgid;
	m->uid = p->uid;
	m->start_time = p->start;
	m->exe_inode = image->exe_inode;
	m->exe_deleted = image->exe_deleted;
	m->args_truncated = image->args_truncated;
	m->path_truncated = image->path_truncated;
	m->exe = arena_strdup(a, image->exe);
	m->cwd = arena_strdup(a, image->cwd);
	m->unit = arena_strdup(a, image->unit);
	m->user = arena_strdup(a, user_name(t, p->uid));
	if (!m->id || !m->exe || !m->cwd || !m->unit || !m->user || fill_args(m, image, a) < 0)
		return NULL;
	return m;
}

Rollcall__Process *proctab_fill(struct proctab *t, const struct proc *p, struct arena *a,
				unsigned depth)
{
	Rollcall__Process *first = fill_one(t, p, a), *last = first;

	for (unsigned i = 0; last && i < p->n_ancestors && i < depth; i++) {
		last->parent = fill_one(t, p->ancestors[i], a);
		last = last->parent;
	}
	return last ? first : NULL;
}
