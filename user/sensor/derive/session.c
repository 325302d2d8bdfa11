// SPDX-License-Identifier: Apache-2.0
// Session table and the pairing of commands with results. The kernel numbers both sides (group,
// index), so this file keeps the texts and looks up the number. What a result means is result.c.
#include "sensor/derive/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "sensor/derive/session_internal.h"

/* PostgreSQL message tags of a client; MariaDB command bytes (sql/mysql_com.h). */
enum {
	PG_STARTUP = 0,
	PG_QUERY = 'Q',
	PG_PARSE = 'P',
	PG_BIND = 'B',
	PG_EXECUTE = 'E',
	PG_CLOSE = 'C',
	PG_CALL = 'F'
};
enum {
	COM_LOGIN = 0x00, /* as bpf/mysql_walk.h: the answer to the greeting */
	COM_INIT_DB = 0x02,
	COM_QUERY = 0x03,
	COM_BINLOG_DUMP = 0x12,
	COM_STMT_PREPARE = 0x16,
	COM_STMT_EXECUTE = 0x17,
	COM_STMT_CLOSE = 0x19,
	COM_STMT_FETCH = 0x1c,
	COM_BINLOG_DUMP_GTID = 0x1e,
	COM_CHANGE_USER = 0x11,
	COM_RESET_CONNECTION = 0x1f,
	COM_STMT_BULK_EXECUTE = 0xfa
};

/* "The statement prepared last": lets a client prepare and execute in one go (sql_prepare.cc). */
#define STMT_LAST UINT32_MAX

struct sessions *sessions_new(const struct sessions_opts *opts)
{
	struct sessions *s = calloc(1, sizeof(*s));

	if (s)
		s->opts = *opts;
	return s;
}

/* ---- sessions ---- */

static struct session **session_slot(struct sessions *s, uint64_t conn)
{
	struct session **p = &s->buckets[(conn ^ conn >> 20) % SESSION_BUCKETS];

	while (*p && (*p)->conn != conn)
		p = &(*p)->next;
	return p;
}

static void command_drop(struct session *c)
{
	struct command *gone = c->head;

	c->head = gone->next;
	if (!c->head)
		c->tail = NULL;
	c->n_commands--;
	script_unref(gone->script);
	free(gone);
}

static void session_free(struct session *c)
{
	while (c->head)
		command_drop(c);
	named_clear(&c->prepared);
	named_clear(&c->portals);
	script_unref(c->running);
	pieces_free(&c->text);
	pieces_free(&c->columns);
	pieces_free(&c->parameter);
	free(c);
}

struct sessions *sessions_free(struct sessions *s)
{
	if (!s)
		return NULL;
	for (unsigned i = 0; i < SESSION_BUCKETS; i++) {
		while (s->buckets[i]) {
			struct session *c = s->buckets[i];

			s->buckets[i] = c->next;
			session_free(c);
		}
	}
	free(s);
	return NULL;
}

void sessions_freep(struct sessions **s)
{
	*s = sessions_free(*s);
}

void sessions_counts(const struct sessions *s, struct sessions_counts *ret)
{
	*ret = s->counts;
}

/* Whose session it is that was adopted, in the server's own words. */
static void session_principal(struct session *c, const Rollcall__DbConn *k)
{
	if (*k->user)
		snprintf(c->who.user, sizeof(c->who.user), "%s", k->user);
	if (*k->database)
		snprintf(c->who.database, sizeof(c->who.database), "%s", k->database);
	if (*k->title)
		principal_title(&c->who, k->title);
	c->adopted = k->adopted;
}

static void session_note(struct sessions *s, const struct session *c)
{
	struct session_note note = {.system = c->system,
				    .server_pid = c->server_pid,
				    .announced = c->announced,
				    .who = c->who};

	memcpy(note.replication, c->replication, sizeof(note.replication));
	s->opts.note(s->opts.ctx, c->conn, &note);
}

/* NULL: there are too many. */
static struct session *session_new(struct sessions *s, uint64_t conn, Rollcall__System system)
{
	struct session *c;

	if (s->counts.open >= s->opts.max) {
		s->counts.refused++;
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->conn = conn;
	c->system = system;
	*session_slot(s, conn) = c;
	s->counts.open++;
	return c;
}

int sessions_restore(struct sessions *s, uint64_t conn, const struct session_note *note)
{
	struct session *c;

	if (*session_slot(s, conn))
		return 0;
	c = session_new(s, conn, note->system);
	if (!c)
		return s->counts.open >= s->opts.max ? -ENOSPC : -ENOMEM;
	c->who = note->who;
	c->server_pid = note->server_pid;
	c->announced = note->announced;
	memcpy(c->replication, note->replication, sizeof(c->replication));
	return 0;
}

static struct session *session_open(struct sessions *s, struct arena *a, uint64_t time,
				    const Rollcall__DbConn *k)
{
	struct session **slot = session_slot(s, k->conn), *c;

	if (*slot) {
		/* Told again: its startup packet was missed. */
		session_principal(*slot, k);
		return *slot;
	}
	c = session_new(s, k->conn, k->system);
	if (!c)
		return NULL;
	c->server_pid = k->task ? k->task->tgid : 0;
	session_principal(c, k);
	principal_socket(&c->who, k->socket);
	if (k->socket && k->socket->peer_tgid)
		c->who.pid = k->socket->peer_tgid;
	if (c->who.pid)
		s->opts.process(s->opts.ctx, a, c->who.pid, time, &c->who);
	return c;
}

static struct session *session_find(struct sessions *s, uint64_t conn)
{
	return *session_slot(s, conn);
}

/* ---- commands ---- */

static void command_add(struct sessions *s, struct session *c, const Rollcall__DbCommand *k,
			struct script *script, unsigned nth)
{
	struct command *cmd;

	if (c->n_commands == COMMANDS_MAX) {
		command_drop(c);
		s->counts.commands_lost++;
	}
	cmd = calloc(1, sizeof(*cmd));
	if (!cmd)
		return;
	cmd->group = k->group;
	cmd->index = k->index;
	cmd->code = k->code;
	cmd->shape = k->shape;
	cmd->script = script_ref(script);
	cmd->nth = nth;
	if (c->tail)
		c->tail->next = cmd;
	else
		c->head = cmd;
	c->tail = cmd;
	c->n_commands++;
}

/* DECLARE and PREPARE make names that later statements use. */
static void script_names(struct session *c, struct script *script)
{
	for (unsigned i = 0; script && i < script->n; i++) {
		const struct query *q = &script->queries[i];

		if (q->declares[0])
			named_set(&c->portals, q->declares, script, i);
		if (q->prepares[0])
			named_set(&c->prepared, q->prepares, script, i);
		if (q->database[0])
			snprintf(c->who.database, sizeof(c->who.database), "%s", q->database);
	}
}

static struct script *script_of(struct sessions *s, struct session *c, const char *text, size_t len)
{
	return script_new(text, len, c->system, s->opts.watch, c->who.database);
}

/* The string at *off, and *off past its NUL; "" at the end of the body. */
static const char *next_string(const struct pieces *p, size_t *off)
{
	const char *str = p->data + (*off < p->len ? *off : p->len);

	*off += strlen(str) + 1;
	return str;
}

static void pg_startup(struct sessions *s, struct arena *a, uint64_t time, struct session *c)
{
	static const struct {
		const char *key;
		size_t off, size;
	} keys[] = {
		{"user", offsetof(struct principal, user), sizeof(c->who.user)},
		{"database", offsetof(struct principal, database), sizeof(c->who.database)},
		{"application_name", offsetof(struct principal, program), sizeof(c->who.program)},
	};
	size_t off = 0;

	while (off < c->text.len && c->text.data[off]) {
		const char *key = next_string(&c->text, &off), *value = next_string(&c->text, &off);

		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (strcmp(key, keys[i].key) == 0)
				snprintf((char *)&c->who + keys[i].off, keys[i].size, "%s", value);
		if (strcmp(key, "replication") == 0 && strcmp(value, "false") != 0)
			snprintf(c->replication, sizeof(c->replication), "%s",
				 strcmp(value, "database") == 0 ? "logical" : "physical");
	}
	/* "Defaults to the user name" (protocol manual, StartupMessage). */
	if (!c->who.database[0])
		memcpy(c->who.database, c->who.user, sizeof(c->who.database));
	result_session(s, a, time, c, false, NULL);
}

static void pg_command(struct sessions *s, struct arena *a, uint64_t time, struct session *c,
		       const Rollcall__DbCommand *k)
{
	const char *name, *from;
	struct script *script;
	struct named *n;
	size_t off = 0;

	switch (k->code) {
	case PG_STARTUP:
		pg_startup(s, a, time, c);
		return;
	case PG_QUERY:
		script = script_of(s, c, c->text.data, strnlen(c->text.data, c->text.len));
		script_names(c, script);
		command_add(s, c, k, script, 0);
		script_unref(script);
		return;
	case PG_PARSE:
		name = next_string(&c->text, &off);
		from = next_string(&c->text, &off);
		script = script_of(s, c, from, strlen(from));
		named_set(&c->prepared, name, script, 0);
		script_unref(script);
		return;
	case PG_BIND:
		name = next_string(&c->text, &off);
		from = next_string(&c->text, &off);
		n = named_find(c->prepared, from);
		named_set(&c->portals, name, n ? n->script : NULL, n ? n->nth : 0);
		return;
	case PG_EXECUTE:
		name = next_string(&c->text, &off);
		n = named_find(c->portals, name);
		if (n)
			script_names(c, n->script);
		command_add(s, c, k, n ? n->script : NULL, n ? n->nth : 0);
		return;
	case PG_CLOSE:
		name = c->text.len ? c->text.data + 1 : "";
		named_drop(c->text.data[0] == 'S' ? &c->prepared : &c->portals, name);
		return;
	case PG_CALL:
		command_add(s, c, k, NULL, 0);
	}
}

static void stmt_name(char *buf, size_t size, uint32_t id)
{
	/* No SQL name begins with a NUL-free "#" and digits: apart from PREPARE's names. */
	snprintf(buf, size, "#%u", id);
}

/* The statement that a command is for: its body begins with the number. */
static void mysql_statement(const struct session *c, char *ret_name, size_t size)
{
	uint32_t id = 0;

	if (c->text.len >= sizeof(id))
		memcpy(&id, c->text.data, sizeof(id));
	stmt_name(ret_name, size, id == STMT_LAST ? c->last_stmt : id);
}

/* A login is told before the server has accepted it, as PostgreSQL's startup is. */
static void mysql_login(struct sessions *s, struct arena *a, uint64_t time, struct session *c)
{
	if (login_response(c->text.data, c->text.len, &c->login) < 0)
		return;
	login_apply(&c->login, &c->who);
	result_session(s, a, time, c, false, NULL);
}

static void mysql_command(struct sessions *s, struct arena *a, uint64_t time, struct session *c,
			  const Rollcall__DbCommand *k)
{
	struct script *script;
	struct named *n;
	char name[32];

	mysql_statement(c, name, sizeof(name));
	switch (k->code) {
	case COM_LOGIN:
		mysql_login(s, a, time, c);
		return;
	case COM_INIT_DB:
		snprintf(c->who.database, sizeof(c->who.database), "%s", c->text.data);
		return;
	case COM_QUERY:
	case COM_STMT_PREPARE:
		script = script_of(s, c, c->text.data, c->text.len);
		if (k->code == COM_QUERY)
			script_names(c, script);
		command_add(s, c, k, script, 0);
		script_unref(script);
		return;
	case COM_STMT_EXECUTE:
	case COM_STMT_BULK_EXECUTE:
	case COM_STMT_FETCH:
		n = named_find(c->prepared, name);
		command_add(s, c, k, n ? n->script : NULL, n ? n->nth : 0);
		return;
	case COM_STMT_CLOSE:
		named_drop(&c->prepared, name);
		return;
	case COM_BINLOG_DUMP:
	case COM_BINLOG_DUMP_GTID:
		snprintf(c->replication, sizeof(c->replication), "binlog");
		session_note(s, c);
		command_add(s, c, k, NULL, 0);
		return;
	case COM_CHANGE_USER:
		if (login_change(c->text.data, c->text.len, &c->login) == 0)
			c->login_group = k->group;
		named_clear(&c->prepared);
		return;
	case COM_RESET_CONNECTION:
		named_clear(&c->prepared);
	}
}

static void on_command(struct sessions *s, struct arena *a, uint64_t time,
		       const Rollcall__DbCommand *k)
{
	struct session *c = session_find(s, k->conn);
	struct principal before;
	bool whole, announced;

	if (!c)
		return;
	before = c->who;
	announced = c->announced;
	whole = pieces_add(&c->text, &k->text, k->offset, k->length,
			   c->system == ROLLCALL__SYSTEM__postgresql ? PG_TEXT_MAX
								     : MYSQL_TEXT_MAX);
	if (!c->text.data || !whole)
		return;
	if (c->system == ROLLCALL__SYSTEM__postgresql)
		pg_command(s, a, time, c, k);
	else
		mysql_command(s, a, time, c, k);
	if (announced != c->announced || memcmp(&before, &c->who, sizeof(before)) != 0)
		session_note(s, c);
}

/* ---- results ---- */

/* The command a result answers; older ones are done with and go. */
static struct command *command_of(struct session *c, uint32_t group, uint32_t index)
{
	struct command *found = NULL;

	while (c->head && (int32_t)(c->head->group - group) < 0)
		command_drop(c);
	for (struct command *k = c->head; k && k->group == group; k = k->next)
		if (k->index <= index)
			found = k;
	/* An Execute makes one result; a Query as many as it has statements. */
	if (found && found->code == PG_EXECUTE && c->system == ROLLCALL__SYSTEM__postgresql &&
	    found->index != index)
		return NULL;
	return found;
}

static void on_columns(struct sessions *s, const Rollcall__DbColumns *k)
{
	struct session *c = session_find(s, k->conn);
	struct command *cmd;
	char name[32];

	if (!c)
		return;
	if (k->offset == 0) {
		c->columns_group = k->group;
		c->columns_index = k->index;
	}
	pieces_add(&c->columns, &k->body, k->offset, k->length, COLUMNS_MAX);
	if (!k->stmt_id)
		return;
	/* The answer to COM_STMT_PREPARE names the statement for later executions. */
	cmd = command_of(c, k->group, 0);
	stmt_name(name, sizeof(name), k->stmt_id);
	named_set(&c->prepared, name, cmd ? cmd->script : NULL, 0);
	c->last_stmt = k->stmt_id;
}

/* The same session, for another client's rules. */
static void session_renamed(struct sessions *s, struct session *c)
{
	session_note(s, c);
	if (c->judged)
		s->opts.renamed(s->opts.ctx);
	c->judged = false;
}

static void on_parameter(struct sessions *s, const Rollcall__DbParameter *k)
{
	struct session *c = session_find(s, k->conn);
	size_t off = 0;

	if (!c || !pieces_add(&c->parameter, &k->body, k->offset, k->length, PARAMETER_MAX))
		return;
	if (strcmp(next_string(&c->parameter, &off), "application_name") == 0 &&
	    principal_program(&c->who, next_string(&c->parameter, &off)))
		session_renamed(s, c);
	pieces_free(&c->parameter);
}

/*
 * A result whose command was not seen: the text is what the server itself says it runs. Read while
 * the result streams; at its end the server may have forgotten it.
 */
static void session_running(struct sessions *s, struct session *c, const Rollcall__DbEnd *k)
{
	if (c->running && (c->running_group != k->group || c->running_index != k->index)) {
		script_unref(c->running);
		c->running = NULL;
	}
	if (c->running || !k->statement || !*k->statement)
		return;
	c->running = script_of(s, c, k->statement, strlen(k->statement));
	c->running_group = k->group;
	c->running_index = k->index;
}

static void on_end(struct sessions *s, struct arena *a, uint64_t time, const Rollcall__DbEnd *k)
{
	struct session *c = session_find(s, k->conn);
	struct command *cmd;
	bool known, doubted;

	if (!c)
		return;
	/* Another user from now on, if the server agreed. */
	if (c->login_group && c->login_group == k->group && k->end == ROLLCALL__END__complete)
		login_apply(&c->login, &c->who);
	cmd = command_of(c, k->group, k->index);
	/* Or unseen, or run under a name that was given before the sensor came. */
	known = cmd && cmd->script;
	/* A message was missed, by which the name may have become another statement's. */
	doubted = known && cmd->code == PG_EXECUTE && !c->adopted;
	if (!known || doubted)
		session_running(s, c, k);
	result_end(s, a, time, c, k, cmd, !known || doubted ? c->running : NULL);
}

static void on_reads(struct sessions *s, const Rollcall__DbReads *k)
{
	struct session *c = session_find(s, k->conn);

	if (!c)
		return;
	if (k->relation) {
		reads_record(c, s->opts.watch, k);
		return;
	}
	c->uncounted = k->uncounted;
	s->counts.uncounted += k->uncounted;
}

static void on_close(struct sessions *s, struct arena *a, uint64_t time, const Rollcall__DbClose *k)
{
	struct session **slot = session_slot(s, k->conn), *c = *slot;

	if (!c)
		return;
	/* Who never said who he is, as a look at the port, had no session. */
	if (c->announced)
		result_session(s, a, time, c, true, k);
	s->opts.note(s->opts.ctx, c->conn, NULL);
	*slot = c->next;
	s->counts.open--;
	session_free(c);
}

int sessions_record(struct sessions *s, struct arena *a, const Rollcall__Event *ev)
{
	struct session *c;

	switch (ev->kind_case) {
	case ROLLCALL__EVENT__KIND_DB_CONN:
		c = session_open(s, a, ev->time, ev->db_conn);
		/* Others are announced when their login was read. */
		if (c && c->adopted)
			result_session(s, a, ev->time, c, false, NULL);
		if (c)
			session_note(s, c);
		break;
	case ROLLCALL__EVENT__KIND_DB_COMMAND:
		on_command(s, a, ev->time, ev->db_command);
		break;
	case ROLLCALL__EVENT__KIND_DB_COLUMNS:
		on_columns(s, ev->db_columns);
		break;
	case ROLLCALL__EVENT__KIND_DB_PARAMETER:
		on_parameter(s, ev->db_parameter);
		break;
	case ROLLCALL__EVENT__KIND_DB_READS:
		on_reads(s, ev->db_reads);
		break;
	case ROLLCALL__EVENT__KIND_DB_QUIET:
		c = session_find(s, ev->db_quiet->conn);
		if (c)
			result_counted(s, a, ev->time, c, ev->db_quiet);
		break;
	case ROLLCALL__EVENT__KIND_DB_END:
		on_end(s, a, ev->time, ev->db_end);
		break;
	case ROLLCALL__EVENT__KIND_DB_CLOSE:
		on_close(s, a, ev->time, ev->db_close);
		break;
	default:
		break;
	}
	return 0;
}
