// SPDX-License-Identifier: Apache-2.0
// Who read rows and who wrote a file are of one lineage when they have an ancestor in common that
// is not the first process; of several that read, those whose common ancestor is nearest. Who
// reads the file fetches it when that is a watched program itself or of no watched lineage; where
// none is watched, when it has no ancestor in common with the writer.
#include "sensor/derive/staged.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "sensor/derive/rule.h"

#define READS_MAX    64 /* of databases, the oldest gives way */
#define FILES_MAX    64
#define ACCEPTED_MAX 256 /* processes */
#define LINEAGE_MAX  16
#define TABLES_MAX   8
#define EVIDENCE_MAX 32
#define PROCESS_ID   40			    /* 32 digits, and the end */
#define KEPT	     (3600 * 1000000000ull) /* from the read to the file, from the file to its fetch */

/* As event.proto tells the marks of FileOpen. */
#define WEB_ROOT       1
#define LINEAGE_ITSELF 2

/* T1213.006 Databases, T1074.001 Local Data Staging, T1048.003 Exfiltration Over Unencrypted
 * Non-C2 Protocol. */
static const struct rule rule_staged = {
	"rollcall-db-staged-file",
	"Who read a watched table wrote a file into a web root",
	"high",
	{"T1213.006", "T1074.001"},
	"1h",
};
static const struct rule rule_fetched = {
	"rollcall-db-staged-and-served",
	"Rows of a watched table were put into a web root and fetched",
	"critical",
	{"T1213.006", "T1074.001", "T1048.003"},
	"1h",
};

/* Ids of a process and its ancestors, nearest first; without the first process. */
struct lineage {
	unsigned n;
	char ids[LINEAGE_MAX][PROCESS_ID];
};

struct text {
	char text[128];
};

struct read {
	uint64_t time, rows, bytes;
	bool lower_bound;
	struct lineage lineage;
	char id[48];
	unsigned n_tables;
	struct text tables[TABLES_MAX];
};

struct file {
	uint64_t time, first;	  /* of its close; of the first read */
	uint64_t ino, rows, size; /* rows that its lineage had read by then */
	uint32_t dev, number;	  /* 0: a free entry */
	bool lower_bound;
	bool fetched;  /* told as critical */
	uint32_t mark; /* of the writer's lineage, as event.proto tells it of FileOpen */
	struct lineage writer;
	bool served; /* so many bytes left on one connection of the reader: the peer is sure */
	char reader[PROCESS_ID]; /* who read it last, or who passed that on to a peer */
	char peer[64];
	char root[PROCESS_ID]; /* the ancestor that reader and writer have in common */
	char principal[160];
	char *path;
	unsigned n_tables, n_evidence;
	struct text tables[TABLES_MAX];
	char evidence[EVIDENCE_MAX][48];
};

/* The last connection that a process accepted; of a proxy's workers, the last of each. */
struct accepted {
	uint64_t time;
	uint32_t pid, front; /* front: who connected, when that is a process of this host */
	char process[PROCESS_ID], peer[64];
};

struct staged {
	struct staged_opts opts;
	struct accepted accepted[ACCEPTED_MAX];
	struct read reads[READS_MAX];
	unsigned n_reads; /* ever; the next goes to n_reads % READS_MAX */
	struct file files[FILES_MAX];
	uint32_t number;
};

struct staged *staged_new(const struct staged_opts *opts)
{
	struct staged *s = calloc(1, sizeof(*s));

	if (s)
		s->opts = *opts;
	return s;
}

struct staged *staged_free(struct staged *s)
{
	for (unsigned i = 0; s && i < FILES_MAX; i++)
		free(s->files[i].path);
	free(s);
	return NULL;
}

void staged_freep(struct staged **s)
{
	*s = staged_free(*s);
}

static void lineage_read(struct lineage *l, const Rollcall__Process *p)
{
	for (l->n = 0; p && p->pid > 1 && l->n < LINEAGE_MAX; p = p->parent)
		snprintf(l->ids[l->n++], sizeof(l->ids[0]), "%s", p->id);
}

static bool lineage_has(const struct lineage *l, const char *id)
{
	for (unsigned i = 0; i < l->n; i++)
		if (strcmp(l->ids[i], id) == 0)
			return true;
	return false;
}

/* Of `a`, the nearest ancestor, or itself, that both have; a->n: none. */
static unsigned lineage_common(const struct lineage *a, const struct lineage *b)
{
	unsigned i = 0;

	while (i < a->n && !lineage_has(b, a->ids[i]))
		i++;
	return i;
}

static void on_result(struct staged *s, const Rollcall__Event *ev)
{
	const Rollcall__Db *db = ev->db_result->db;
	struct read *r = &s->reads[s->n_reads % READS_MAX];

	/* One row is a look-up, or what a dump tool asks about a table. */
	if (!ev->process || !db->n_tables || db->rows <= 1)
		return;
	memset(r, 0, sizeof(*r));
	s->n_reads++;
	r->time = ev->time;
	r->rows = db->rows;
	r->bytes = db->bytes;
	r->lower_bound = db->confidence != ROLLCALL__CONFIDENCE__exact;
	lineage_read(&r->lineage, ev->process);
	snprintf(r->id, sizeof(r->id), "%s", ev->id);
	for (; r->n_tables < db->n_tables && r->n_tables < TABLES_MAX; r->n_tables++)
		snprintf(r->tables[r->n_tables].text, sizeof(r->tables[0].text), "%s",
			 db->tables[r->n_tables]);
}

/* ---- who asked ---- */

static void peer_name(char peer[64], const Rollcall__Endpoint *e)
{
	snprintf(peer, 64, "%s:%u", e->address, e->port);
}

/* Where that is kept: its own place, or that of the one that is longest ago. */
static struct accepted *accepted_place(struct staged *s, const char *process, uint32_t front)
{
	struct accepted *oldest = &s->accepted[0];

	for (unsigned i = 0; i < ACCEPTED_MAX; i++) {
		if (s->accepted[i].front == front && strcmp(s->accepted[i].process, process) == 0)
			return &s->accepted[i];
		if (s->accepted[i].time < oldest->time)
			oldest = &s->accepted[i];
	}
	return oldest;
}

static void on_accept(struct staged *s, const Rollcall__Event *ev)
{
	const Rollcall__TcpAccept *m = ev->tcp_accept;
	struct accepted *c;

	if (!ev->process || !m->remote)
		return;
	c = accepted_place(s, ev->process->id, m->peer_tgid);
	c->time = ev->time;
	c->pid = ev->process->pid;
	c->front = m->peer_tgid;
	snprintf(c->process, sizeof(c->process), "%s", ev->process->id);
	peer_name(c->peer, m->remote);
}

/* What the process with that number accepted last, or NULL. */
static const struct accepted *accepted_last(const struct staged *s, uint32_t pid)
{
	const struct accepted *last = NULL;

	for (unsigned i = 0; i < ACCEPTED_MAX; i++)
		if (pid && s->accepted[i].pid == pid && (!last || s->accepted[i].time > last->time))
			last = &s->accepted[i];
	return last;
}

/* Behind a proxy it is the one whose own connection came last: a kept one to us may be old. */
static const struct accepted *asked(const struct staged *s, const char *reader)
{
	const struct accepted *best = NULL;

	for (unsigned i = 0; i < ACCEPTED_MAX; i++) {
		const struct accepted *c = &s->accepted[i], *front;

		if (strcmp(c->process, reader) != 0)
			continue;
		front = accepted_last(s, c->front);
		c = front ? front : c;
		if (!best || c->time > best->time)
			best = c;
	}
	return best;
}

static void file_reader(const struct staged *s, struct file *f, const Rollcall__Process *reader)
{
	const struct accepted *c = asked(s, reader->id);

	if (f->served)
		return;
	snprintf(f->reader, sizeof(f->reader), "%s", c ? c->process : reader->id);
	snprintf(f->peer, sizeof(f->peer), "%s", c ? c->peer : "");
}

/* ---- the file ---- */

static void table_add(struct file *f, const struct text *table)
{
	unsigned i = 0;

	while (i < f->n_tables && strcmp(f->tables[i].text, table->text) != 0)
		i++;
	if (i == f->n_tables && i < TABLES_MAX)
		f->tables[f->n_tables++] = *table;
}

static void evidence_add(struct file *f, const char *id)
{
	if (f->n_evidence < EVIDENCE_MAX)
		snprintf(f->evidence[f->n_evidence++], sizeof(f->evidence[0]), "%s", id);
}

static void read_add(struct file *f, const struct read *r)
{
	f->rows += r->rows;
	f->lower_bound |= r->lower_bound;
	if (!f->first || r->time < f->first)
		f->first = r->time;
	evidence_add(f, r->id);
	for (unsigned i = 0; i < r->n_tables; i++)
		table_add(f, &r->tables[i]);
}

/* All that the writer's lineage read not long ago; false: not enough. */
static bool reads_find(const struct staged *s, uint64_t time, struct file *f)
{
	unsigned n = s->n_reads < READS_MAX ? s->n_reads : READS_MAX, nearest = f->writer.n;

	for (unsigned i = 0; i < n; i++) {
		unsigned at = lineage_common(&f->writer, &s->reads[i].lineage);

		if (s->reads[i].time + KEPT >= time && at < nearest)
			nearest = at;
	}
	if (nearest == f->writer.n)
		return false;
	snprintf(f->root, sizeof(f->root), "%s", f->writer.ids[nearest]);
	for (unsigned i = 0; i < n; i++) {
		const struct read *r = &s->reads[(s->n_reads - n + i) % READS_MAX];

		if (r->time + KEPT >= time && lineage_common(&f->writer, &r->lineage) == nearest)
			read_add(f, r);
	}
	return f->rows >= s->opts.rows_min;
}

static struct file *file_find(struct staged *s, uint32_t dev, uint64_t ino)
{
	for (unsigned i = 0; i < FILES_MAX; i++)
		if (s->files[i].number && s->files[i].ino == ino && s->files[i].dev == dev)
			return &s->files[i];
	return NULL;
}

/* The last rung knows the name of what was removed only. */
static struct file *file_named(struct staged *s, const char *path)
{
	for (unsigned i = 0; i < FILES_MAX; i++)
		if (s->files[i].number && strcmp(s->files[i].path, path) == 0)
			return &s->files[i];
	return NULL;
}

/* A free one, or the one that was written longest ago. */
static struct file *file_place(struct staged *s)
{
	struct file *oldest = &s->files[0];

	for (unsigned i = 0; i < FILES_MAX; i++) {
		if (!s->files[i].number)
			return &s->files[i];
		if (s->files[i].time < oldest->time)
			oldest = &s->files[i];
	}
	return oldest;
}

static int finding_fill(struct arena *a, Rollcall__Finding *m, const struct file *f,
			const char *status)
{
	m->rule = rule_message(a, f->fetched ? &rule_fetched : &rule_staged);
	m->id = arena_printf(a, "s-%llu-%u%s", (unsigned long long)f->first, f->number,
			     f->fetched ? "-served" : "");
	m->principal = arena_strdup(a, f->principal);
	m->path = arena_strdup(a, f->path);
	m->status = arena_strdup(a, status);
	m->window = arena_strdup(a, rule_staged.window);
	m->peer = arena_strdup(a, f->peer);
	m->evidence = arena_alloc(a, EVIDENCE_MAX * sizeof(*m->evidence));
	m->tables = arena_alloc(a, TABLES_MAX * sizeof(*m->tables));
	if (!m->rule || !m->id || !m->principal || !m->path || !m->status || !m->window ||
	    !m->peer || !m->evidence || !m->tables)
		return -ENOMEM;
	for (unsigned i = 0; i < f->n_evidence; i++)
		m->evidence[m->n_evidence++] = arena_strdup(a, f->evidence[i]);
	for (unsigned i = 0; i < f->n_tables; i++)
		m->tables[m->n_tables++] = arena_strdup(a, f->tables[i].text);
	m->rows = m->rows_min = f->rows;
	m->rows_max = f->lower_bound ? 0 : f->rows;
	m->bytes = f->size;
	m->first_seen = f->first;
	return 0;
}

static int finding_emit(struct staged *s, struct arena *a, const Rollcall__Event *ev,
			const struct file *f, const char *status)
{
	Rollcall__Finding *m = arena_alloc(a, sizeof(*m));
	Rollcall__Event *out = arena_alloc(a, sizeof(*out));

	if (!m || !out)
		return -ENOMEM;
	rollcall__finding__init(m);
	rollcall__event__init(out);
	if (finding_fill(a, m, f, status) < 0)
		return -ENOMEM;
	m->last_seen = ev->time;
	out->time = ev->time;
	out->process = ev->process;
	out->kind_case = ROLLCALL__EVENT__KIND_FINDING;
	out->finding = m;
	s->opts.emit(s->opts.ctx, a, out);
	return 0;
}

/* The common ancestor is who did it: a shell, the web application. */
static void principal_name(struct file *f, const Rollcall__Process *p)
{
	while (p && strcmp(p->id, f->root) != 0)
		p = p->parent;
	snprintf(f->principal, sizeof(f->principal), "lineage:%s as %s", p ? p->exe : "",
		 p ? p->user : "");
}

/* A file that was written where a web server serves it. */
static int file_served(struct staged *s, struct arena *a, const Rollcall__Event *ev)
{
	const Rollcall__FileClose *c = ev->file_close;
	struct file f = {}, *place;

	lineage_read(&f.writer, ev->process);
	f.mark = c->lineage;
	if (!reads_find(s, ev->time, &f))
		return 0;
	place = file_find(s, c->inode->dev, c->inode->ino);
	if (!place)
		place = file_place(s);
	principal_name(&f, ev->process);
	f.path = strdup(c->path);
	if (!f.path)
		return -ENOMEM;
	free(place->path);
	f.number = ++s->number;
	f.time = ev->time;
	f.ino = c->inode->ino;
	f.dev = c->inode->dev;
	f.size = c->inode->size;
	evidence_add(&f, ev->id);
	*place = f;
	return finding_emit(s, a, ev, place, "new");
}

static int on_close(struct staged *s, struct arena *a, const Rollcall__Event *ev)
{
	const Rollcall__FileClose *c = ev->file_close;

	/* Opened to be written, and not: touch(1). */
	if (!(c->tree & WEB_ROOT) || !c->inode || !c->inode->size || !(c->written || c->created))
		return 0;
	return file_served(s, a, ev);
}

static bool is_fetch(const struct file *f, const Rollcall__Process *reader, uint32_t mark)
{
	struct lineage l;

	if (mark & LINEAGE_ITSELF)
		return true;
	if (mark || f->mark)
		return !mark;
	lineage_read(&l, reader);
	return lineage_common(&f->writer, &l) == f->writer.n;
}

static int on_fetch(struct staged *s, struct arena *a, const Rollcall__Event *ev)
{
	const Rollcall__Inode *inode = ev->file_read->inode;
	struct file *f = inode ? file_find(s, inode->dev, inode->ino) : NULL;
	bool again;

	if (!f || f->time + KEPT < ev->time || !ev->process ||
	    !is_fetch(f, ev->process, ev->file_read->lineage))
		return 0;
	again = f->fetched;
	f->fetched = true;
	file_reader(s, f, ev->process);
	evidence_add(f, ev->id);
	return finding_emit(s, a, ev, f, again ? "updated" : "new");
}

/* The file is larger than anything else that the reader sends in a while: that was it. */
static int on_sent(struct staged *s, struct arena *a, const Rollcall__Event *ev)
{
	const Rollcall__TcpClose *c = ev->tcp_close;

	for (unsigned i = 0; i < FILES_MAX && ev->process && c->incoming && c->remote; i++) {
		struct file *f = &s->files[i];

		if (!f->number || !f->fetched || f->served || c->bytes_sent < f->size ||
		    strcmp(f->reader, ev->process->id) != 0)
			continue;
		f->served = true;
		peer_name(f->peer, c->remote);
		evidence_add(f, ev->id);
		return finding_emit(s, a, ev, f, "updated");
	}
	return 0;
}

static int on_unlink(struct staged *s, struct arena *a, const Rollcall__Event *ev)
{
	const Rollcall__FileUnlink *u = ev->file_unlink;
	struct file *f = file_named(s, u->path);
	int r;

	if (!f && u->inode && u->inode->ino)
		f = file_find(s, u->inode->dev, u->inode->ino);
	if (!f)
		return 0;
	evidence_add(f, ev->id);
	r = finding_emit(s, a, ev, f, "ended");
	free(f->path);
	memset(f, 0, sizeof(*f));
	return r;
}

int staged_event(struct staged *s, struct arena *a, const Rollcall__Event *ev)
{
	switch (ev->kind_case) {
	case ROLLCALL__EVENT__KIND_DB_RESULT:
		on_result(s, ev);
		return 0;
	case ROLLCALL__EVENT__KIND_FILE_CLOSE:
		return on_close(s, a, ev);
	case ROLLCALL__EVENT__KIND_FILE_READ:
		return on_fetch(s, a, ev);
	case ROLLCALL__EVENT__KIND_FILE_UNLINK:
		return on_unlink(s, a, ev);
	case ROLLCALL__EVENT__KIND_TCP_ACCEPT:
		on_accept(s, ev);
		return 0;
	case ROLLCALL__EVENT__KIND_TCP_CLOSE:
		return on_sent(s, a, ev);
	default:
		return 0;
	}
}
