// SPDX-License-Identifier: Apache-2.0
// The database servers that run on this host, found in /proc: how to reach each without a
// password, and what identifies its program.
#pragma once

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/resolved.h"

#define SETUP_SERVERS_MAX 32

struct setup_server {
	Rollcall__System system;
	pid_t pid;
	uid_t uid;
	gid_t gid;
	unsigned port;	       /* PostgreSQL: part of its socket's name */
	char socket[PATH_MAX]; /* PostgreSQL: directory; MariaDB: the socket */
	char datadir[PATH_MAX];
	char exe[PATH_MAX];
	dev_t exe_dev;
	ino_t exe_ino;
};

struct setup_servers {
	struct setup_server server[SETUP_SERVERS_MAX];
	size_t n;
};

/*
 * Servers of this host, PostgreSQL and MariaDB/MySQL. `socket` and `port` (NULL, 0: any) keep
 * only those that listen there; a socket may be given as PostgreSQL's directory.
 */
int setup_server_find(const char *socket, unsigned port, struct setup_servers *ret);

/* Device number as the kernel keeps it in a super block. */
uint32_t setup_server_dev(dev_t dev);

/* The same server, for the resolved file. Borrows its strings. */
struct resolved_server setup_server_describe(struct setup_server *s, char *version);

/* The candidate nearest to `name` by edits of one character; NULL when none is near. */
const char *setup_server_nearest(const char *name, const char *const *candidates, size_t n);
