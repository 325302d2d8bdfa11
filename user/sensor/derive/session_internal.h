// SPDX-License-Identifier: Apache-2.0
// Shared by session.c (state and pairing) and result.c (meaning). Nobody else includes this.
#pragma once

#include "sensor/derive/login.h"
#include "sensor/derive/named.h"
#include "sensor/derive/pieces.h"
#include "sensor/derive/script.h"
#include "sensor/derive/session.h"

#define SESSION_BUCKETS 4096
#define COMMANDS_MAX	8192 /* of one session, not yet answered: JDBC batches are long */
#define READ_TABLES	8    /* as bpf/pg_stat.h tells: PG_READ_TABLES */
#define PG_TEXT_MAX	4096 /* as bpf/db_walk.h sends: DB_TEXT_MAX */
#define COLUMNS_MAX	4096
#define PARAMETER_MAX	128   /* as bpf/pg_session.h asks for: PG_PARAMETER_MAX */
#define MYSQL_TEXT_MAX	65536 /* as bpf/mysql_client.h: MY_TEXT_MAX */

struct command {
	struct command *next;
	struct script *script;
	unsigned nth;
	uint32_t group, index, code;
	uint64_t shape; /* 0: its results are told one by one */
};

struct counts {
	uint64_t scanned, fetched; /* rows */
	uint64_t entries;	   /* of indexes */
	uint64_t blocks;
	uint64_t written; /* rows */
};

/*
 * What the server read of watched tables, by its own counts. It answers small statements of one
 * group at once, when it has run them all: the first answer then tells the reads of all. Those of
 * one that shows nothing of a table are left to the next.
 */
struct touched {
	uint32_t group;
	unsigned n;
	struct {
		uint32_t oid;
		uint64_t tables;    /* mask */
		struct counts now;  /* since the last result */
		struct counts left; /* by results before it, of which none showed the table since */
		struct counts before; /* by the group's earlier results */
	} relations[READ_TABLES];
};

struct session {
	struct session *next;
	uint64_t conn;
	Rollcall__System system;
	struct principal who;
	char replication[16];
	uint32_t server_pid;
	bool adopted, announced;
	bool judged; /* the kernel may count some of its results, as the present client's */
	struct command *head, *tail;
	unsigned n_commands;
	struct named *prepared, *portals;
	struct pieces text, columns, parameter;
	uint32_t columns_group, columns_index;
	uint32_t last_stmt;		   /* prepared last; MariaDB */
	struct login login;		   /* MariaDB: the last that was asked for ... */
	uint32_t login_group;		   /* ... by COM_CHANGE_USER of this number */
	uint32_t calls_group, calls_extra; /* results that CALLs of this group made beyond one */
	struct script *running;		   /* of a result whose command was not seen */
	uint32_t running_group, running_index;
	struct touched touched;
	bool uncounted; /* the server does not count what it reads */
	uint64_t rows;
	uint64_t side_seen; /* side-channel bytes already reported */
};

struct sessions {
	struct sessions_opts opts;
	struct sessions_counts counts;
	struct session *buckets[SESSION_BUCKETS];
};

/* The client's address. */
void principal_socket(struct principal *p, const Rollcall__Socket *k);
/*
 * What the client calls itself, as PostgreSQL reports it: JDBC drivers and poolers say it when the
 * session is open. What it said at the start stays where only bytes differ that the server does
 * not let through. True: it is another.
 */
bool principal_program(struct principal *p, const char *name);
/* User and database, from what ps shows of a PostgreSQL backend. */
void principal_title(struct principal *p, const char *title);

/* Emits db_session; `close` may be NULL. */
void result_session(struct sessions *s, struct arena *a, uint64_t time, struct session *c,
		    bool closed, const Rollcall__DbClose *close);

/* Emits db_result or db_progress. `cmd`: the command it answers, or NULL; `script`: its text from
 * the server's memory where the command is not known, or may not be what it was. */
void result_end(struct sessions *s, struct arena *a, uint64_t time, struct session *c,
		const Rollcall__DbEnd *k, const struct command *cmd, struct script *script);

/* Results that the kernel counted for the session. */
void result_counted(struct sessions *s, struct arena *a, uint64_t time, struct session *c,
		    const Rollcall__DbQuiet *k);

/* Takes what the server read for a statement of the session, told before its result. */
void reads_record(struct session *c, const struct watch *w, const Rollcall__DbReads *k);
/* Tables of which rows were read for a result of the group; `named`: by all else. */
uint64_t reads_tables(const struct session *c, const struct watch *w, const Rollcall__Db *db,
		      uint32_t group, uint64_t named);
/* Fills what was read, its part of the tables, and what that says of the rows. */
void reads_fill(Rollcall__Db *db, const struct watch *w, const struct session *c, uint64_t tables);
/* The result was told, and showed `tables`. */
void reads_done(struct session *c, bool ended, uint64_t tables);
