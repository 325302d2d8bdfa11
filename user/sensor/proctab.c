// SPDX-License-Identifier: Apache-2.0
// The process table. An entry holds a reference on its parent's, so that a parent that ended or
// was evicted stays part of its children's lineage; entries off the table do not count as slots.
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

#define BUCKETS 8192
#define GRACE (60 * 1000000000ull)
#define ARGS_MAX 4096
#define USERS_MAX 256

struct proc {
	struct proc *next;              /* in its bucket */
	struct proc *older, *newer;     /* by last use */
	struct proc *parent;            /* a reference */
	unsigned refs;
	uint32_t tgid, uid;
	uint64_t start, end;            /* end 0: runs */
	uint64_t exe_inode;
	bool exe_deleted;
	char *exe, *cwd, *unit, *args;  /* args: NUL after each */
	size_t args_len;
};

struct user {
	uint32_t uid;
	char name[64];
};

struct proctab {
	struct proc *buckets[BUCKETS];
	struct proc *oldest, *newest;
	uint32_t n, max;
	uint64_t evicted;
	uint32_t boot;
	struct user users[USERS_MAX];
	unsigned n_users;
};

struct proctab *proctab_new(uint32_t max, const char *boot_id)
{
	struct proctab *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->max = max;
	t->boot = (uint32_t)strtoul(boot_id, NULL, 16);
	return t;
}

static void proc_unref(struct proc *p)
{
	while (p && --p->refs == 0) {
		struct proc *parent = p->parent;

		free(p->exe);
		free(p->cwd);
		free(p->unit);
		free(p->args);
		free(p);
		p = parent;
	}
}

static void lru_remove(struct proctab *t, struct proc *p)
{
	*(p->older ? &p->older->newer : &t->oldest) = p->newer;
	*(p->newer ? &p->newer->older : &t->newest) = p->older;
	p->older = p->newer = NULL;
}

static void lru_add(struct proctab *t, struct proc *p)
{
	p->older = t->newest;
	p->newer = NULL;
	*(t->newest ? &t->newest->newer : &t->oldest) = p;
	t->newest = p;
}

static void proc_remove(struct proctab *t, struct proc *p)
{
	struct proc **slot = &t->buckets[p->tgid % BUCKETS];

	while (*slot != p)
		slot = &(*slot)->next;
	*slot = p->next;
	lru_remove(t, p);
	t->n--;
	proc_unref(p);
}

struct proctab *proctab_free(struct proctab *t)
{
	while (t && t->oldest)
		proc_remove(t, t->oldest);
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

/* An ended process goes before a running one; else the one used longest ago. */
static void evict(struct proctab *t)
{
	struct proc *p = t->oldest;

	for (unsigned i = 0; p && !p->end && i < 64; i++)
		p = p->newer;
	proc_remove(t, p && p->end ? p : t->oldest);
	t->evicted++;
}

static struct proc *proc_add(struct proctab *t, uint32_t tgid, uint64_t start)
{
	struct proc *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	if (t->n >= t->max)
		evict(t);
	p->refs = 1;
	p->tgid = tgid;
	p->start = start;
	p->next = t->buckets[tgid % BUCKETS];
	t->buckets[tgid % BUCKETS] = p;
	lru_add(t, p);
	t->n++;
	return p;
}

static void proc_parent(struct proc *p, struct proc *parent)
{
	if (p->parent || !parent || parent == p)
		return;
	p->parent = parent;
	parent->refs++;
}

static void set_string(char **field, const char *value)
{
	char *copy = strdup(value ? value : "");

	if (!copy)
		return;
	free(*field);
	*field = copy;
}

/* Arguments of a process that ran before the sensor: its memory is not ours to read in BPF. */
static void args_read(struct proc *p)
{
	_cleanup_(closep) int fd = -1;
	char path[64], buf[ARGS_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/cmdline", p->tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));
	if (n <= 0)
		return;
	p->args = malloc((size_t)n);
	if (!p->args)
		return;
	memcpy(p->args, buf, (size_t)n);
	p->args_len = (size_t)n;
}

static void args_set(struct proc *p, const ProtobufCBinaryData *args)
{
	free(p->args);
	p->args = NULL;
	p->args_len = 0;
	if (!args->len) {
		args_read(p);
		return;
	}
	p->args = malloc(args->len);
	if (!p->args)
		return;
	memcpy(p->args, args->data, args->len);
	p->args_len = args->len;
}

int proctab_exec(struct proctab *t, uint64_t time, const Rollcall__Exec *e)
{
	struct proc *p = proc_get(t, e->task->tgid, e->task->start_time);

	if (!p)
		p = proc_add(t, e->task->tgid, e->task->start_time);
	if (!p)
		return -ENOMEM;
	set_string(&p->exe, e->exe);
	set_string(&p->cwd, e->cwd);
	set_string(&p->unit, e->cgroup);
	args_set(p, &e->args);
	p->uid = e->task->uid;
	p->exe_inode = e->exe_inode ? e->exe_inode->ino : 0;
	p->exe_deleted = e->exe_nlink == 0;
	if (!p->parent)
		proc_parent(p, (struct proc *)(uintptr_t)proctab_find(t, e->task->ppid, time));
	return 0;
}

/* A child is what its parent is, until it execs. */
int proctab_fork(struct proctab *t, uint64_t time, const Rollcall__Fork *f)
{
	struct proc *parent = proc_get(t, f->parent_tgid, f->parent_start_time);
	struct proc *p = proc_get(t, f->task->tgid, f->task->start_time);

	(void)time;
	if (!p)
		p = proc_add(t, f->task->tgid, f->task->start_time);
	if (!p)
		return -ENOMEM;
	p->uid = f->task->uid;
	/* Adding may have evicted it. */
	parent = parent ? proc_get(t, f->parent_tgid, f->parent_start_time) : NULL;
	if (!parent || p->exe)
		return 0;
	proc_parent(p, parent);
	set_string(&p->exe, parent->exe);
	set_string(&p->cwd, parent->cwd);
	set_string(&p->unit, parent->unit);
	p->exe_inode = parent->exe_inode;
	p->exe_deleted = parent->exe_deleted;
	p->args = parent->args_len ? malloc(parent->args_len) : NULL;
	if (p->args) {
		memcpy(p->args, parent->args, parent->args_len);
		p->args_len = parent->args_len;
	}
	return 0;
}

int proctab_exit(struct proctab *t, uint64_t time, const Rollcall__Exit *e)
{
	struct proc *p = proc_get(t, e->task->tgid, e->task->start_time);

	if (!p)
		return 0;
	p->end = time;
	lru_remove(t, p);
	lru_add(t, p);
	return 0;
}

const struct proc *proctab_find(const struct proctab *t, uint32_t tgid, uint64_t time)
{
	const struct proc *best = NULL;

	for (const struct proc *p = t->buckets[tgid % BUCKETS]; p; p = p->next)
		if (p->tgid == tgid && p->start <= time && (!best || p->start > best->start))
			best = p;
	return best;
}

void proctab_expire(struct proctab *t, uint64_t time)
{
	struct proc *p = t->oldest;

	while (p) {
		struct proc *newer = p->newer;

		if (p->end && p->end + GRACE < time)
			proc_remove(t, p);
		p = newer;
	}
}

void proctab_counts(const struct proctab *t, struct proctab_counts *ret)
{
	ret->processes = t->n;
	ret->evicted = t->evicted;
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

static int fill_args(Rollcall__Process *m, const struct proc *p, struct arena *a)
{
	size_t n = 0, k = 0;

	for (size_t i = 0; i < p->args_len; i++)
		n += p->args[i] == '\0';
	n += p->args_len && p->args[p->args_len - 1] != '\0'; /* cut in the kernel */
	m->args = arena_alloc(a, n * sizeof(*m->args));
	if (!m->args)
		return -ENOMEM;
	for (size_t i = 0; k < n; k++) {
		size_t len = strnlen(p->args + i, p->args_len - i);

		m->args[k] = arena_strndup(a, p->args + i, len);
		if (!m->args[k])
			return -ENOMEM;
		i += len + 1;
	}
	m->n_args = n;
	return 0;
}

static Rollcall__Process *fill_one(struct proctab *t, const struct proc *p, struct arena *a)
{
	Rollcall__Process *m = arena_alloc(a, sizeof(*m));

	if (!m)
		return NULL;
	rollcall__process__init(m);
	m->id = arena_printf(a, "%08x%08x%016llx", t->boot, p->tgid, (unsigned long long)p->start);
	m->pid = p->tgid;
	m->uid = p->uid;
	m->start_time = p->start;
	m->exe_inode = p->exe_inode;
	m->exe_deleted = p->exe_deleted;
	m->exe = arena_strdup(a, p->exe ? p->exe : "");
	m->cwd = arena_strdup(a, p->cwd ? p->cwd : "");
	m->unit = arena_strdup(a, p->unit ? p->unit : "");
	m->user = arena_strdup(a, user_name(t, p->uid));
	if (!m->id || !m->exe || !m->cwd || !m->unit || !m->user || fill_args(m, p, a) < 0)
		return NULL;
	return m;
}

Rollcall__Process *proctab_fill(struct proctab *t, const struct proc *p, struct arena *a,
				unsigned depth)
{
	Rollcall__Process *first = NULL, **slot = &first;

	for (unsigned i = 0; p && i <= depth; i++, p = p->parent) {
		*slot = fill_one(t, p, a);
		if (!*slot)
			return NULL;
		slot = &(*slot)->parent;
	}
	return first;
}
