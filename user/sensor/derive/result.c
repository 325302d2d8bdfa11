// SPDX-License-Identifier: Apache-2.0
// What a result means: which watched tables it shows (the union of all evidence), how many rows
// the client or the server side got, how sure that is. Builds db_result, db_progress, db_session.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/arena.h"
#include "lib/sql/statement.h"
#include "sensor/derive/columns.h"
#include "sensor/derive/session_internal.h"
#include "sensor/quiet.h"
#include "sensor/watch.h"

enum evidence {
	BY_STATEMENT,
	BY_TEXT_INSIDE,
	BY_ROUTINE,
	BY_COLUMNS,
	BY_CURSOR,
	BY_PREPARED,
	BY_READS,
	EVIDENCE_MAX
};

static const char *const evidence_names[EVIDENCE_MAX] = {
	[BY_STATEMENT] = "statement", [BY_TEXT_INSIDE] = "string_in_statement",
	[BY_ROUTINE] = "routine",     [BY_COLUMNS] = "column_description",
	[BY_CURSOR] = "cursor",	      [BY_PREPARED] = "prepared_statement",
	[BY_READS] = "rows_read",
};

/* Each signal's watched tables. Text may raise a suspicion, never clear one: they are united. */
struct tables {
	uint64_t by[EVIDENCE_MAX];
	uint64_t all;
};

static void tables_add(struct tables *t, enum evidence by, uint64_t mask)
{
	t->by[by] |= mask;
	t->all |= mask;
}

static void tables_of_query(struct tables *t, const struct session *c, const struct query *q)
{
	const struct query *used;

	if (!q)
		return;
	tables_add(t, BY_STATEMENT, q->strong);
	tables_add(t, BY_TEXT_INSIDE, q->weak);
	tables_add(t, BY_ROUTINE, q->routine);
	used = q->uses_portal[0] ? named_query(c->portals, q->uses_portal) : NULL;
	if (used)
		tables_add(t, BY_CURSOR, script_query_tables(used));
	used = q->uses_prepared[0] ? named_query(c->prepared, q->uses_prepared) : NULL;
	if (used)
		tables_add(t, BY_PREPARED, script_query_tables(used));
}

static bool columns_fit(const struct session *c, const Rollcall__DbEnd *k)
{
	return c->columns.len && c->columns_group == k->group && c->columns_index == k->index;
}

/*
 * The statement of its text that a result is of. A CALL makes one for each SELECT of the procedure
 * and a last one without columns.
 */
static const struct query *query_of(struct session *c, const Rollcall__DbEnd *k,
				    const struct command *cmd)
{
	const struct query *q;

	if (c->calls_group != k->group)
		c->calls_extra = 0;
	c->calls_group = k->group;
	q = script_query(cmd->script, cmd->nth + k->index - cmd->index - c->calls_extra);
	if (q && q->call && columns_fit(c, k) && k->end != ROLLCALL__END__streaming)
		c->calls_extra++;
	return q;
}

static char *db_session_id(struct arena *a, const struct session *c)
{
	return arena_printf(a, "%llx", (unsigned long long)c->conn);
}

static Rollcall__Client *client_new(struct arena *a, const struct principal *p)
{
	Rollcall__Client *client = arena_alloc(a, sizeof(*client));

	if (!client)
		return NULL;
	rollcall__client__init(client);
	client->pid = p->pid;
	client->exe = arena_strdup(a, p->exe);
	client->address = arena_strdup(a, p->address);
	client->program = arena_strdup(a, p->program);
	client->user = arena_strdup(a, p->os_user);
	return client->exe && client->address && client->program && client->user ? client : NULL;
}

static Rollcall__Db *db_new(struct arena *a, const struct session *c)
{
	Rollcall__Db *db = arena_alloc(a, sizeof(*db));

	if (!db)
		return NULL;
	rollcall__db__init(db);
	db->system = c->system;
	db->name = arena_strdup(a, c->who.database);
	db->user = arena_strdup(a, c->who.user);
	db->client = client_new(a, &c->who);
	db->session = db_session_id(a, c);
	db->server_pid = c->server_pid;
	db->replication = arena_strdup(a, c->replication);
	return db->name && db->user && db->client && db->session && db->replication ? db : NULL;
}

static Rollcall__Event *event_new(struct arena *a, uint64_t time)
{
	Rollcall__Event *ev = arena_alloc(a, sizeof(*ev));

	if (!ev)
		return NULL;
	rollcall__event__init(ev);
	ev->time = time;
	return ev;
}

static bool session_emit(struct sessions *s, struct arena *a, struct session *c,
			 Rollcall__Event *ev)
{
	struct principal scratch;

	if (c->who.pid)
		ev->process = s->opts.process(s->opts.ctx, a, c->who.pid, ev->time, &scratch);
	return s->opts.emit(s->opts.ctx, a, ev);
}

void result_session(struct sessions *s, struct arena *a, uint64_t time, struct session *c,
		    bool closed, const Rollcall__DbClose *close)
{
	Rollcall__DbSession *m = arena_alloc(a, sizeof(*m));
	Rollcall__Event *ev = event_new(a, time);

	if (!m || !ev)
		return;
	rollcall__db_session__init(m);
	m->db = db_new(a, c);
	if (!m->db)
		return;
	c->announced = true;
	m->adopted = c->adopted;
	m->closed = closed;
	m->rows = c->rows;
	if (close) {
		m->desync = close->desync;
		m->db->bytes = close->bytes;
		m->db->side_bytes = close->side_bytes - c->side_seen;
	}
	ev->kind_case = ROLLCALL__EVENT__KIND_DB_SESSION;
	ev->db_session = m;
	session_emit(s, a, c, ev);
}

/* "SELECT 5000", "INSERT 0 5000", "COPY 5000": the number is the last word. */
static uint64_t tag_count(const char *tag)
{
	const char *last = strrchr(tag, ' ');

	return last ? strtoull(last + 1, NULL, 10) : 0;
}

/*
 * Rows of a PostgreSQL result. DataRow messages when there are any; else the tag says how many
 * rows the server itself wrote somewhere (COPY TO a file, CREATE TABLE AS). The tag of COPY is
 * exact where CopyData messages are not (headers, binary trailers).
 */
static uint64_t pg_rows(const Rollcall__DbEnd *k, const struct query *q, const char *tag,
			bool *ret_server_side)
{
	*ret_server_side = false;
	if (k->rows)
		return k->rows;
	if (k->copy_rows && k->end != ROLLCALL__END__complete)
		return k->copy_rows;
	if (strncmp(tag, "COPY ", 5) == 0) {
		if (q && q->copy_from)
			return 0;
		*ret_server_side = !k->copy_rows;
		return tag_count(tag);
	}
	if (strncmp(tag, "SELECT ", 7) == 0) {
		*ret_server_side = tag_count(tag) > 0;
		return tag_count(tag);
	}
	if (strncmp(tag, "INSERT ", 7) == 0 && q && q->server_copy) {
		*ret_server_side = true;
		return tag_count(tag);
	}
	return 0;
}

/* "INSERT 0 3", "UPDATE 3", "DELETE 3", "MERGE 3", and "COPY 3" of what the client sent. */
static uint64_t pg_rows_written(const struct query *q, const char *tag)
{
	static const char *const writes[] = {"INSERT ", "UPDATE ", "DELETE ", "MERGE "};

	for (unsigned i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
		if (strncmp(tag, writes[i], strlen(writes[i])) == 0)
			return tag_count(tag);
	return strncmp(tag, "COPY ", 5) == 0 && q && q->copy_from ? tag_count(tag) : 0;
}

static uint64_t mysql_rows(const Rollcall__DbEnd *k, const struct query *q, bool *ret_server_side)
{
	/* A copy that failed moved nothing. */
	*ret_server_side = !k->rows && k->affected && q && q->server_copy;
	return *ret_server_side ? k->affected : k->rows;
}

static int tables_fill(struct arena *a, Rollcall__Db *db, const struct watch *w,
		       const struct tables *t)
{
	db->tables = arena_alloc(a, 64 * sizeof(*db->tables));
	db->evidence = arena_alloc(a, EVIDENCE_MAX * sizeof(*db->evidence));
	if (!db->tables || !db->evidence)
		return -1;
	for (unsigned i = 0; i < 64; i++)
		if (t->all & 1ull << i)
			db->tables[db->n_tables++] = arena_strdup(a, watch_table_name(w, i));
	for (unsigned i = 0; i < EVIDENCE_MAX; i++)
		if (t->by[i])
			db->evidence[db->n_evidence++] = arena_strdup(a, evidence_names[i]);
	return 0;
}

/* Rows of the smallest table named, so that the fraction errs upward. 0: not known. */
static double tables_fraction(const struct watch *w, uint64_t mask, uint64_t rows)
{
	uint64_t least = 0;

	for (unsigned i = 0; i < 64; i++) {
		uint64_t n = mask & 1ull << i ? watch_table_rows(w, i) : 0;

		if (n && (!least || n < least))
			least = n;
	}
	return least ? (double)rows / (double)least : 0;
}

/* A SELECT that is answered with a number wrote a file: INTO OUTFILE. */
static uint64_t mysql_rows_written(const Rollcall__DbEnd *k, const struct query *q)
{
	return q && q->folded && strncasecmp(q->folded, "select", 6) == 0 ? 0 : k->affected;
}

static void db_numbers(Rollcall__Db *db, struct session *c, const Rollcall__DbEnd *k,
		       const struct query *q, uint64_t time)
{
	bool server_side = false;

	db->rows = c->system == ROLLCALL__SYSTEM__postgresql ? pg_rows(k, q, db->tag, &server_side)
							     : mysql_rows(k, q, &server_side);
	db->rows_written = c->system == ROLLCALL__SYSTEM__postgresql ? pg_rows_written(q, db->tag)
								     : mysql_rows_written(k, q);
	db->server_side = server_side;
	db->bytes = k->bytes;
	db->max_row = k->max_row;
	db->side_bytes = k->side_bytes - c->side_seen;
	db->confidence = k->confidence;
	db->end = k->end;
	db->tap = k->tap;
	db->duration = k->begin_time && time > k->begin_time ? time - k->begin_time : 0;
	/* A stream ended from outside: what was surely handed over is a lower bound. */
	if (k->end == ROLLCALL__END__aborted && k->confidence == ROLLCALL__CONFIDENCE__exact)
		db->confidence = ROLLCALL__CONFIDENCE__lower_bound;
	if (k->confidence == ROLLCALL__CONFIDENCE__bytes_only)
		db->rows = 0;
}

static int db_text(struct arena *a, Rollcall__Db *db, const struct query *q,
		   const Rollcall__DbEnd *k)
{
	db->tag = arena_strndup(a, k->tag.data, strnlen((const char *)k->tag.data, k->tag.len));
	db->statement = arena_strdup(a, q && q->folded ? q->folded : "");
	db->fingerprint = arena_strdup(a, q ? q->fingerprint : "");
	if (q && q->replication[0])
		db->replication = arena_strdup(a, q->replication);
	return db->tag && db->statement && db->fingerprint && db->replication ? 0 : -1;
}

/* What was created shows or reads watched tables from now on, under its own name. */
static void created_learn(struct watch *w, const struct session *c, const struct script *script,
			  const struct query *q)
{
	static const enum watch_dependence how[] = {
		[SQL_CREATES_VIEW] = WATCH_SHOWS,
		[SQL_CREATES_ROUTINE] = WATCH_ROUTINE,
		[SQL_CREATES_TRIGGER] = WATCH_TRIGGER,
	};
	uint64_t mask = script_created(script, q);

	if (mask)
		watch_learn_relation(w, how[q->creates], c->system, c->who.database,
				     q->created->schema, q->created->name, mask);
}

/* Nor is a table less watched by another name: of several any may be each. */
static void renamed_learn(struct watch *w, const struct session *c, const struct query *q)
{
	uint64_t mask = script_query_tables(q);

	for (unsigned i = 0; mask && i < q->n_renamed; i++)
		watch_learn_relation(w, WATCH_SHOWS, c->system, c->who.database,
				     q->renamed[i].schema, q->renamed[i].name, mask);
}

void result_end(struct sessions *s, struct arena *a, uint64_t time, struct session *c,
		const Rollcall__DbEnd *k, const struct command *cmd, struct script *script)
{
	const struct query *running = script_query(script, 0);
	const struct query *q = cmd && cmd->script ? query_of(c, k, cmd) : running;
	bool streaming = k->end == ROLLCALL__END__streaming;
	Rollcall__DbResult *m = arena_alloc(a, sizeof(*m));
	Rollcall__Event *ev = event_new(a, time);
	Rollcall__Db *db = db_new(a, c);
	struct tables t = {};

	if (!m || !ev || !db || db_text(a, db, q, k) < 0)
		return;
	tables_of_query(&t, c, q);
	tables_of_query(&t, c, running);
	if (columns_fit(c, k))
		tables_add(&t, BY_COLUMNS,
			   columns_tables(s->opts.watch, c->system, c->who.database,
					  c->columns.data, c->columns.len, q ? q->strong : 0));
	db_numbers(db, c, k, q, time);
	tables_add(&t, BY_READS, reads_tables(c, s->opts.watch, db, k->group, t.all));
	if (tables_fill(a, db, s->opts.watch, &t) < 0)
		return;
	reads_fill(db, s->opts.watch, c, t.by[BY_READS]);
	reads_done(c, !streaming, t.by[BY_READS]);
	db->fraction = tables_fraction(s->opts.watch, t.all, db->rows);
	/* DbResult and DbProgress have one shape. */
	rollcall__db_result__init(m);
	m->db = db;
	ev->kind_case =
		streaming ? ROLLCALL__EVENT__KIND_DB_PROGRESS : ROLLCALL__EVENT__KIND_DB_RESULT;
	if (streaming) {
		Rollcall__DbProgress *p = arena_alloc(a, sizeof(*p));

		if (!p)
			return;
		rollcall__db_progress__init(p);
		p->db = db;
		ev->db_progress = p;
	} else {
		ev->db_result = m;
		c->rows += db->rows;
		c->side_seen = k->side_bytes;
		c->columns.len = 0;
		if (q && q->created && k->end == ROLLCALL__END__complete)
			created_learn(s->opts.watch, c, script ? script : cmd->script, q);
		if (q && q->n_renamed && k->end == ROLLCALL__END__complete)
			renamed_learn(s->opts.watch, c, q);
		if (q && q->ddl)
			watch_ddl_seen(s->opts.watch, c->system, c->who.database);
		if (q && (q->ddl || q->created))
			s->opts.renamed(s->opts.ctx);
	}
	if (!session_emit(s, a, c, ev) && !streaming && cmd && cmd->shape &&
	    script_is_select(cmd->script)) {
		c->judged = true;
		const struct quiet_like like = {c->conn, cmd->shape, k->columns_hash};

		s->opts.unremarkable(s->opts.ctx, &like, db);
	}
}

void result_counted(struct sessions *s, struct arena *a, uint64_t time, struct session *c,
		    const Rollcall__DbQuiet *k)
{
	Rollcall__Db *db = db_new(a, c);

	c->rows += k->rows;
	if (!db)
		return;
	db->rows = k->rows;
	db->bytes = k->bytes;
	db->confidence = ROLLCALL__CONFIDENCE__exact;
	s->opts.counted(s->opts.ctx, time, db, k->results);
}
