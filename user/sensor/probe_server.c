// SPDX-License-Identifier: Apache-2.0
// Database servers: the programs that are attached to functions of their binaries, and what these
// need to know of a binary.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/log.h"
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
};

/* Programs of a database server's binary begin so. */
static const char *const prefixes[] = {[PROBE_POSTGRESQL] = "pg_", [PROBE_MARIADB] = "mysql_"};

/* Facts of one binary for its BPF programs, under the cookie they are attached with. */
static int binary_describe(struct probe *p, enum probe_system system, const char *path,
			   uint32_t cookie)
{
	struct db_binary b = {};
	int r;

	if (system == PROBE_POSTGRESQL) {
		postgresql_offsets_read(path, &b.postgresql);
		p->handover->binaries[cookie].counts = b.postgresql.stat_pending != 0;
		if (!p->opts.rows_read)
			b.postgresql.stat_pending = 0;
		else if (!b.postgresql.stat_pending)
			log_warn(-ENOTSUP,
				 "probe: %s: this build's counts of rows read cannot be found",
				 path);
	}
	if (system == PROBE_MARIADB) {
		r = mariadb_offsets_read(path, &b.mariadb);
		if (r < 0)
			return log_warn(r,
					"probe: %s: this build's THD cannot be read; "
					"sessions that are open already are not seen",
					path);
	}
	return bpf_map__update_elem(p->skel->maps.db_binaries, &cookie, sizeof(cookie), &b,
				    sizeof(b), BPF_ANY);
}

/*
 * Process `pid` runs that binary: its sockets are of interest from now on, and the sessions that it
 * has already are looked for.
 */
static int server_known(struct probe *p, enum probe_system system, int pid, uint32_t binary)
{
	static const uint32_t systems[] = {
		[PROBE_POSTGRESQL] = ROLLCALL__SYSTEM__postgresql,
		[PROBE_MARIADB] = ROLLCALL__SYSTEM__mariadb,
	};
	struct db_server server = {systems[system], binary};
	uint32_t tgid = (uint32_t)pid;
	int r = probe_map_update(p, "db_servers", &tgid, &server);

	if (r < 0)
		return log_warn(r, "probe: more database servers than can be followed");
	if (system != PROBE_MARIADB)
		return 0;
	sandbox_admin(true);
	r = probe_iter(p, "mysql_sessions__iter", NULL, NULL);
	sandbox_admin(false);
	if (r < 0)
		log_warn(r, "probe: sessions that process %d has open are not seen", pid);
	return 0;
}

/* It needs counts that are to be read, and that are where it looks for them. */
static bool reads_counts(const char *program)
{
	return strncmp(program, "pg_reads__", 10) == 0;
}

/* Is it to be attached to servers of that system, and can it be? */
static bool program_is_of(const struct probe *p, const struct probe_program *prog,
			  enum probe_system system)
{
	return prog->fd >= 0 &&
	       strncmp(prog->name, prefixes[system], strlen(prefixes[system])) == 0 &&
	       (strstr(prog->name, "__uprobe") || strstr(prog->name, "__uretprobe")) &&
	       (!reads_counts(prog->name) || p->opts.rows_read);
}

static int program_attach_server(struct probe *p, const struct probe_program *prog,
				 const char *path, uint32_t cookie)
{
	const char *symbol = strchr(prog->section, '/');
	struct ladder_event *ev = ladder_event(&p->choice.ladder, prog->name);
	bool at_return = strstr(prog->section, "uretprobe") != NULL;
	char name[128];
	int r;

	if (!symbol)
		return -EINVAL;
	snprintf(name, sizeof(name), LINK_SERVER "%s", cookie, prog->name);
	if (reads_counts(prog->name) && !p->handover->binaries[cookie].counts)
		r = -ENOTSUP;
	else
		r = probe_link_add(p, name,
				   uprobe_attach(prog->fd, path, symbol + 1, at_return, cookie));
	if (r < 0 && r != -ENOTSUP)
		log_warn(r, "probe: %s has no usable symbol %s", path, symbol + 1);
	if (ev) {
		ev->program = r < 0 ? NULL : prog->name;
		ev->error = r;
	}
	return r;
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
	struct handover *h = p->handover;
	uint32_t cookie = h->n_binaries;
	int worst = 0, known, r;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (stat(path, &st) < 0)
		return -errno;
	known = binary_find(p, &st);
	if (known >= 0)
		return server_known(p, system, pid, (uint32_t)known) < 0 ? -ENOSPC : 1;
	if (h->n_binaries == BINARIES_MAX)
		return log_warn(-ENOSPC, "probe: more than %d database binaries", BINARIES_MAX);
	h->binaries[h->n_binaries++] = (struct handover_binary){st.st_dev, st.st_ino, false};
	binary_describe(p, system, path, cookie);
	sandbox_admin(true);
	for (unsigned i = 0; i < p->n_programs; i++) {
		r = program_is_of(p, &p->programs[i], system)
			    ? program_attach_server(p, &p->programs[i], path, cookie)
			    : 0;
		worst = r < 0 && r != -ENOTSUP ? r : worst;
	}
	sandbox_admin(false);
	r = server_known(p, system, pid, cookie);
	return r < 0 ? r : worst;
}
