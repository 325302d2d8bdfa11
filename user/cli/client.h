// SPDX-License-Identifier: Apache-2.0
// Runs a database's own client program (psql, mariadb) as a given user and reads its answer as
// rows. Both print one row a line, fields between tabs, with backslash escapes. Used by `rollcall
// setup database` alone; no password is ever asked for or passed.
#pragma once

#include <stddef.h>
#include <sys/types.h>

#define CLIENT_FIELDS_MAX 8
#define CLIENT_OUTPUT_MAX (16 << 20)

struct client_row {
	char *field[CLIENT_FIELDS_MAX]; /* unused ones are empty strings */
};

struct client_result {
	struct client_row *rows;
	size_t n;
	char *text;	 /* owns the fields */
	char error[512]; /* what the client wrote on standard error, first lines */
};

struct client {
	const char *const *argv; /* NULL-terminated; argv[0] is searched in a fixed path */
	const char *sql;	 /* standard input */
	uid_t uid;		 /* peer authentication goes by this */
	gid_t gid;
};

/* 0, -EACCES when the client ended with an error (ret->error says which), or -errno. */
int client_run(const struct client *c, struct client_result *ret);
/* Splits and unescapes text in place; -EBADMSG past the limits. Exposed for its test. */
int client_rows(char *text, struct client_result *ret);
void client_result_fini(struct client_result *r);

/* `name` with each backtick doubled, as the mariadb client's server reads it; returns its length.
 */
size_t client_quote(const char *name, char *to);
