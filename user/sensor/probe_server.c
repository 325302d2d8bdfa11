// SPDX-License-Identifier: Apache-2.0
// Database servers: the programs that are attached to functions of their binaries, and what these
// need to know of a binary.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/clean.h"
#include "lib/log.h"
#include "sensor/elf.h"
#include "sensor/mariadb_offsets.h"
#include "sensor/postgresql_offsets.h"
#include "sensor/probe_internal.h"
#include "sensor/sandbox.h"
#include "sensor/uprobe.h"

/* As bpf/db.h declares it. */
struct db_binary {
	struct postgresql_offsets postgresql;
	struct mariadb_offsets mariadb;
};

/* As bpf/db_socket.h declares it. */
struct db_server {
	uint32_t system, binary;
	uint32_t marked;
};

/* Programs of a database server's binary begin so. */
static const char *const prefixes[] = {[PROBE_POSTGRESQL] = "pg_", [PROBE_MARIADB] = "mysql_"};

/* Marks the executables of servers. */
static const char server_program[] = "db_exe__iter";

/* Of what is not one of a ladder, each program is an event of its own. */
static void program_told(struct probe *p, const char *program, int error)
{
	struct ladder_event *ev = ladder_event(&p->choice.ladder, program);

	if (!ev)
		return;
	ev->program = error < 0 ? NULL : program;
	ev->error = error;
}

static int postgresql_describe(struct probe *p, const char *path, uint32_t cookie,
			       struct postgresql_offsets *b)
{
	int r = postgresql_offsets_read(path, b);

	if (r < 0) {
		program_told(p, server_program, r);
		return log_warn(r,
				"probe: %s: this build lacks MyProcPort or secure_write; its "
				"sessions are not seen",
				path);
	}
	p->handover->binaries[cookie].counts = b->stat_pending != 0;
	if (!p->opts.rows_read)
		b->stat_pending = 0;
	else if (!b->stat_pending)
		log_warn(-ENOTSUP, "probe: %s: this build's counts of rows read cannot be found",
			 path);
	return 0;
}

/* Facts of one binary for its BPF programs, under the cookie they are attached with. */
static int binary_describe(struct probe *p, enum probe_system system, const char *path,
			   uint32_t cookie, struct db_binary *ret)
{
	struct db_binary b = {};
	int r = 0;

	if (system == PROBE_POSTGRESQL)
		r = postgresql_describe(p, path, cookie, &b.postgresql);
	if (r < 0)
		return r;
	if (system == PROBE_MARIADB) {
		r = mariadb_offsets_read(path, &b.mariadb);
		if (r < 0)
			log_warn(r,
				 "probe: %s: this build's THD cannot be read; sessions that are "
				 "open already are not seen",
				 path);
	}
	*ret = b;
	return bpf_map__update_elem(p->skel->maps.db_binaries, &cookie, sizeof(cookie), &b,
				    sizeof(b), BPF_ANY);
}

/*
 * Process `pid` runs that binary: its sockets are of interest from now on. The kernel names the
 * executable itself: on overlays and some file systems, stat(2) has other numbers. -ESRCH: the
 * process is gone, as is that by which pg_ctl asks for the version.
 */
static int server_mark(struct probe *p, enum probe_system system, int pid, uint32_t binary)
{
	static const uint32_t systems[] = {
		[PROBE_POSTGRESQL] = ROLLCALL__SYSTEM__postgresql,
		[PROBE_MARIADB] = ROLLCALL__SYSTEM__mariadb,
	};
	struct db_server server = {systems[system], binary, 0};
	uint32_t tgid = (uint32_t)pid;
	int r = probe_map_update(p, "db_servers", &tgid, &server);

	if (r < 0)
		return log_warn(r, "probe: more database servers than can be followed");
	r = probe_iter(p, server_program, NULL, NULL);
	if (r == 0)
		r = probe_map_lookup(p, "db_servers", &tgid, &server);
	if (r == 0 && !server.marked) {
		probe_map_delete(p, "db_servers", &tgid);
		return -ESRCH;
	}
	if (r < 0)
		log_warn(r, "probe: sessions of process %d are not seen", pid);
	program_told(p, server_program, r);
	return r;
}

/* The sessions that a server has already; those of PostgreSQL show themselves. */
static void sessions_adopt(struct probe *p, enum probe_system system, int pid)
{
	int r = system == PROBE_MARIADB ? probe_iter(p, "mysql_sessions__iter", NULL, NULL) : 0;

	if (r < 0)
		log_warn(r, "probe: sessions that process %d has open are not seen", pid);
}

/* It needs counts that are to be read, and that are where it looks for them. */
static bool reads_counts(const char *program)
{
	return strncmp(program, "pg_reads__", 10) == 0;
}

/* Is it to be attached to this binary of that system, and can it be? */
static bool binary_wants(const struct probe *p, const struct probe_program *prog,
			 enum probe_system system, const char *path, const struct db_binary *b)
{
	const char *symbol = strstr(prog->section, "/be_");
	uint64_t value;

	if (prog->fd < 0 || strncmp(prog->name, prefixes[system], strlen(prefixes[system])) != 0 ||
	    !(strstr(prog->name, "__uprobe") || strstr(prog->name, "__uretprobe")) ||
	    (reads_counts(prog->name) && !p->opts.rows_read))
		return false;
	/* Only where what was read cannot be looked at later. */
	if (strncmp(prog->name, "pg_tls_read__", 13) == 0 && b->postgresql.recv_buffer)
		return false;
	/* A PostgreSQL that was built without TLS or GSS has no such session. */
	return !symbol || elf_symbol_value(path, symbol + 1, &value) == 0;
}

static int program_attach(struct probe *p, const struct probe_program *prog, const char *path,
			  uint32_t cookie)
{
	const char *symbol = strchr(prog->section, '/');
	bool at_return = strstr(prog->section, "uretprobe") != NULL;
	char name[128];
	int r;

	if (!symbol)
		return -EINVAL;
	snprintf(name, sizeof(name), LINK_SERVER "%s", cookie, prog->name);
	r = reads_counts(prog->name) && !p->handover->binaries[cookie].counts
		    ? -ENOTSUP
		    : probe_link_add(p, name,
				     uprobe_attach(prog->fd, path, symbol + 1, at_return, cookie));
	if (r < 0 && r != -ENOTSUP)
		log_warn(r, "probe: %s has no usable symbol %s", path, symbol + 1);
	program_told(p, prog->name, r);
	return r == -ENOTSUP ? 0 : r;
}

/* The worst error of a binary's breakpoints, or 0. */
static int binary_attach(struct probe *p, enum probe_system system, const char *path,
			 uint32_t cookie, const struct db_binary *binary)
{
	int worst = 0;

	for (unsigned i = 0; i < p->n_programs; i++) {
		const struct probe_program *prog = &p->programs[i];
		int r = binary_wants(p, prog, system, path, binary)
				? program_attach(p, prog, path, cookie)
				: 0;

		worst = r < 0 ? r : worst;
	}
	return worst;
}

/* Of a binary that nothing is attached to yet; `exe` is open. */
static int binary_new(struct probe *p, enum probe_system system, int pid, int exe,
		      const struct stat *st)
{
	struct handover *h = p->handover;
	uint32_t cookie = h->n_binaries;
	struct db_binary binary = {};
	char path[64];
	int r;

	if (cookie == BINARIES_MAX)
		return log_warn(-ENOSPC, "probe: more than %d database binaries", BINARIES_MAX);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", exe);
	h->binaries[cookie] = (struct handover_binary){st->st_dev, st->st_ino, false};
	r = binary_describe(p, system, path, cookie, &binary);
	if (r == 0)
		r = server_mark(p, system, pid, cookie);
	if (r != -ESRCH)
		h->n_binaries++;
	return r < 0 ? r : binary_attach(p, system, path, cookie, &binary);
}

/* Its number, or -ENOENT. */
static int binary_find(const struct probe *p, const struct stat *st)
{
	const struct handover_binary *b = p->handover->binaries;

	for (unsigned i = 0; i < p->handover->n_binaries; i++)
		if (b[i].dev == st->st_dev && b[i].ino == st->st_ino)
			return (int)i;
	return -ENOENT;
}

int probe_attach_server(struct probe *p, enum probe_system system, int pid)
{
	_cleanup_(closep) int exe = -1; /* the process may end while it is looked at */
	char path[64];
	struct stat st;
	int known, r;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	exe = open(path, O_RDONLY | O_CLOEXEC);
	if (exe < 0 || fstat(exe, &st) < 0)
		return -errno;
	known = binary_find(p, &st);
	sandbox_admin(true);
	r = known < 0 ? binary_new(p, system, pid, exe, &st)
		      : server_mark(p, system, pid, (uint32_t)known);
	if (r != -ESRCH)
		sessions_adopt(p, system, pid);
	sandbox_admin(false);
	return r < 0 ? r : known >= 0;
}
