// SPDX-License-Identifier: Apache-2.0
// A PostgreSQL postmaster works in its data directory and writes postmaster.pid there; MariaDB
// works in its data directory too, and its socket is the named one among its descriptors. Both
// hold whatever the configuration says, so no configuration file is read.
#include "cli/setup_server.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/clean.h"

static const struct {
	const char *program;
	Rollcall__System system;
} programs[] = {
	{"postgres", ROLLCALL__SYSTEM__postgresql},
	{"mariadbd", ROLLCALL__SYSTEM__mariadb},
	{"mysqld", ROLLCALL__SYSTEM__mysql},
};

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

uint32_t setup_server_dev(dev_t dev)
{
	return major(dev) << 20 | minor(dev);
}

/* readlink() of /proc/PID/NAME; a " (deleted)" mark is cut off (a server upgraded in place). */
static int proc_link(pid_t pid, const char *name, char *ret_path)
{
	char path[64], target[PATH_MAX];
	char *mark;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	mark = strstr(target, " (deleted)");
	if (mark)
		*mark = '\0';
	strcpy(ret_path, target);
	return 0;
}

/* postmaster.pid: pid, data directory, start time, port, socket directory, address. */
static int postmaster_read(struct setup_server *s)
{
	_cleanup_(fclosep) FILE *in = NULL;
	char path[PATH_MAX + 32];
	char line[PATH_MAX];

	snprintf(path, sizeof(path), "%s/postmaster.pid", s->datadir);
	in = fopen(path, "re");
	if (!in)
		return -errno;
	for (int i = 0; fgets(line, sizeof(line), in); i++) {
		line[strcspn(line, "\n")] = '\0';
		if (i == 0 && atoi(line) != s->pid)
			return -ESRCH; /* a backend, not the postmaster */
		if (i == 3)
			s->port = (unsigned)strtoul(line, NULL, 10);
		if (i == 4)
			snprintf(s->socket, sizeof(s->socket), "%s", line);
	}
	return *s->socket ? 0 : -ENOTSOCK;
}

/* Is this socket inode an open descriptor of the process? */
static bool pid_has_socket(pid_t pid, unsigned long inode)
{
	_cleanup_(closedirp) DIR *d = NULL;
	char path[PATH_MAX], want[64], got[64];
	struct dirent *e;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	snprintf(want, sizeof(want), "socket:[%lu]", inode);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, got, sizeof(got) - 1);

		if (n > 0 && (size_t)n == strlen(want) && !memcmp(got, want, (size_t)n))
			return true;
	}
	return false;
}

/* /proc/net/unix: ... Flags(00010000 listens) Type St Inode Path */
static int mariadb_socket(struct setup_server *s)
{
	_cleanup_(fclosep) FILE *in = NULL;
	char path[64], line[PATH_MAX + 128], name[PATH_MAX];

	snprintf(path, sizeof(path), "/proc/%d/net/unix", s->pid);
	in = fopen(path, "re");
	while (in && fgets(line, sizeof(line), in)) {
		unsigned long inode;
		unsigned flags;

		if (sscanf(line, "%*s %*s %*s %x %*s %*s %lu %4095[^\n]", &flags, &inode, name) !=
			    3 ||
		    !(flags & 0x10000) || *name != '/')
			continue;
		if (pid_has_socket(s->pid, inode)) {
			snprintf(s->socket, sizeof(s->socket), "%s", name);
			return 0;
		}
	}
	return -ENOTSOCK;
}

static int server_read(pid_t pid, struct setup_server *ret)
{
	struct setup_server s = {.pid = pid};
	char path[64];
	const char *base;
	struct stat st;

	if (proc_link(pid, "exe", s.exe))
		return -ESRCH;
	base = strrchr(s.exe, '/');
	for (size_t i = 0; base && i < sizeof(programs) / sizeof(*programs); i++)
		if (!strcmp(base + 1, programs[i].program))
			s.system = programs[i].system;
	if (!s.system || proc_link(pid, "cwd", s.datadir))
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (stat(path, &st))
		return -errno;
	s.exe_dev = st.st_dev;
	s.exe_ino = st.st_ino;
	snprintf(path, sizeof(path), "/proc/%d", pid);
	if (stat(path, &st))
		return -errno;
	s.uid = st.st_uid;
	s.gid = st.st_gid;
	*ret = s;
	return s.system == ROLLCALL__SYSTEM__postgresql ? postmaster_read(ret)
							: mariadb_socket(ret);
}

static bool server_wanted(const struct setup_server *s, const char *socket, unsigned port)
{
	char full[PATH_MAX + 32];

	if (port && port != s->port)
		return false;
	if (!socket || !strcmp(socket, s->socket))
		return true;
	snprintf(full, sizeof(full), "%s/.s.PGSQL.%u", s->socket, s->port);
	return s->system == ROLLCALL__SYSTEM__postgresql && !strcmp(socket, full);
}

int setup_server_find(const char *socket, unsigned port, struct setup_servers *ret)
{
	_cleanup_(closedirp) DIR *d = opendir("/proc");
	struct dirent *e;

	ret->n = 0;
	if (!d)
		return -errno;
	while ((e = readdir(d)) && ret->n < SETUP_SERVERS_MAX) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);

		if (pid > 0 && !server_read(pid, &ret->server[ret->n]) &&
		    server_wanted(&ret->server[ret->n], socket, port))
			ret->n++;
	}
	return 0;
}

struct resolved_server setup_server_describe(struct setup_server *s, char *version)
{
	return (struct resolved_server){
		.system = s->system,
		.version = version,
		.datadir = s->datadir,
		.exe = s->exe,
		.socket = s->socket,
		.exe_dev = setup_server_dev(s->exe_dev),
		.exe_ino = s->exe_ino,
	};
}

/* Levenshtein distance of the first 63 bytes. */
static size_t distance(const char *a, const char *b)
{
	size_t row[64], n = strnlen(b, 63);

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; i < 64 && a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			best = row[j] + 1 < best ? row[j] + 1 : best;
			row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
		}
	}
	return row[n];
}

const char *setup_server_nearest(const char *name, const char *const *candidates, size_t n)
{
	const char *best = NULL;
	size_t least = strlen(name) / 2 + 2;

	for (size_t i = 0; i < n; i++) {
		size_t d = distance(name, candidates[i]);

		if (strstr(candidates[i], name) && d > 1)
			d = 1;
		if (d < least) {
			least = d;
			best = candidates[i];
		}
	}
	return best;
}
