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
#include "sensor/uprobe_ahead.h"

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

/* The executable of a server, which is open. */
struct executable {
	const char *path;
	struct elf *elf;
	uint32_t number; /* as BPF programs know it */
	struct db_binary facts;
	struct stat st;
};

static int postgresql_describe(struct probe *p, struct executable *x)
{
	struct postgresql_offsets *b = &x->facts.postgresql;
	int r = postgresql_offsets_read(x->elf, b);

	if (r < 0) {
		program_told(p, server_program, r);
		return log_warn(r,
				"probe: %s: this build lacks MyProcPort or secure_write; its "
				"sessions are not seen",
				x->path);
	}
	p->handover->binaries[x->number].counts = b->stat_pending != 0;
	if (!p->opts.rows_read)
		b->stat_pending = 0;
	else if (!b->stat_pending)
		log_warn(-ENOTSUP, "probe: %s: this build's counts of rows read cannot be found",
			 x->path);
	return 0;
}

/* Facts of one binary for its BPF programs, under the number that their cookies have. */
static int binary_describe(struct probe *p, enum probe_system system, struct executable *x)
{
	int r = elf_open(x->path, &x->elf);

	if (r < 0)
		return log_warn(r, "probe: %s cannot be read", x->path);
	if (system == PROBE_POSTGRESQL)
		r = postgresql_describe(p, x);
	if (r < 0)
		return r;
	if (system == PROBE_MARIADB) {
		r = mariadb_offsets_read(x->elf, &x->facts.mariadb);
		if (r < 0)
			log_warn(r,
				 "probe: %s: this build's THD cannot be read; sessions that are "
				 "open already are not seen",
				 x->path);
	}
	return bpf_map__update_elem(p->skel->maps.db_binaries, &x->number, sizeof(x->number),
				    &x->facts, sizeof(x->facts), BPF_ANY);
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

/* Is it to be attached to binaries of that system? */
static bool system_wants(const struct probe *p, const struct probe_program *prog,
			 enum probe_system system)
{
	return strncmp(prog->name, prefixes[system], strlen(prefixes[system])) == 0 &&
	       (strstr(prog->name, "__uprobe") || strstr(prog->name, "__uretprobe")) &&
	       (!reads_counts(prog->name) || p->opts.rows_read);
}

/* "uprobe/vio_ssl_write,my_compress": the functions of its section, from 0 on. False: no more. */
static bool function_of(const struct probe_program *prog, unsigned i, char *ret, size_t size)
{
	const char *at = strchr(prog->section, '/');

	for (; at && i; i--)
		at = strchr(at + 1, ',');
	if (!at)
		return false;
	snprintf(ret, size, "%.*s", (int)strcspn(at + 1, ","), at + 1);
	return true;
}

/* Only where what was read cannot be looked at later. */
static bool is_fallback(const char *symbol)
{
	return strcmp(symbol, "be_tls_read") == 0;
}

/* Is it to be attached to this function of that binary, and can it be? */
static bool function_wanted(const char *symbol, const struct executable *x)
{
	uint64_t value;

	if (is_fallback(symbol) && x->facts.postgresql.recv_buffer)
		return false;
	/* A PostgreSQL that was built without TLS or GSS has no such session. */
	return strncmp(symbol, "be_", 3) != 0 || elf_symbol_value(x->elf, symbol, &value) == 0;
}

static bool is_at_return(const struct probe_program *prog)
{
	return strstr(prog->section, "uretprobe") != NULL;
}

/* The event of one that was put ahead, or of a new one; or negative errno. */
static int breakpoint(struct probe *p, const struct executable *x, const char *symbol,
		      bool at_return)
{
	uint64_t offset;
	int r = elf_symbol_offset(x->elf, symbol, &offset), event;

	if (r < 0)
		return r;
	event = uprobe_ahead_take(p->ahead, &x->st, offset, at_return);
	return event < 0 ? uprobe_open(x->path, offset, at_return) : event;
}

static int function_attach(struct probe *p, const struct probe_program *prog,
			   const struct executable *x, const char *symbol, uint32_t function)
{
	uint64_t cookie = (uint64_t)function << 32 | x->number;
	int event = breakpoint(p, x, symbol, is_at_return(prog)), r = event;
	char name[128];

	snprintf(name, sizeof(name), LINK_SERVER "%s", x->number, function, prog->name);
	if (event >= 0)
		r = probe_link_add(p, name, uprobe_attach(prog->fd, event, cookie));
	if (r < 0)
		log_warn(r, "probe: %s has no usable symbol %s", x->path, symbol);
	return r;
}

/* To each of its functions that is wanted. The worst error, which is told; of none, nothing is. */
static int program_attach(struct probe *p, const struct probe_program *prog,
			  const struct executable *x)
{
	bool wanted = false;
	int worst = 0;
	char symbol[64];

	for (uint32_t i = 0; function_of(prog, i, symbol, sizeof(symbol)); i++) {
		int r;

		if (!function_wanted(symbol, x))
			continue;
		wanted = true;
		r = function_attach(p, prog, x, symbol, i);
		worst = r < 0 ? r : worst;
	}
	if (wanted)
		program_told(p, prog->name, worst);
	return worst;
}

/* The worst error of a binary's breakpoints, or 0. */
static int binary_attach(struct probe *p, enum probe_system system, const struct executable *x)
{
	int worst = 0;

	for (unsigned i = 0; i < p->n_programs; i++) {
		const struct probe_program *prog = &p->programs[i];
		int r = 0;

		if (prog->fd < 0 || !system_wants(p, prog, system))
			continue;
		if (reads_counts(prog->name) && !p->handover->binaries[x->number].counts)
			program_told(p, prog->name, -ENOTSUP);
		else
			r = program_attach(p, prog, x);
		worst = r < 0 ? r : worst;
	}
	return worst;
}

static int executable_attach(struct probe *p, enum probe_system system, int pid,
			     struct executable *x)
{
	int r = binary_describe(p, system, x);

	if (r == 0)
		r = server_mark(p, system, pid, x->number);
	if (r != -ESRCH)
		p->handover->n_binaries++;
	return r < 0 ? r : binary_attach(p, system, x);
}

/* Of a binary that nothing is attached to yet; `exe` is open. */
static int binary_new(struct probe *p, enum probe_system system, int pid, int exe,
		      const struct stat *st)
{
	struct handover *h = p->handover;
	struct executable x = {.number = h->n_binaries, .st = *st};
	char path[64];
	int r;

	if (x.number == BINARIES_MAX)
		return log_warn(-ENOSPC, "probe: more than %d database binaries", BINARIES_MAX);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", exe);
	x.path = path;
	h->binaries[x.number] = (struct handover_binary){st->st_dev, st->st_ino, false};
	r = executable_attach(p, system, pid, &x);
	elf_close(x.elf);
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

/* ---- ahead ---- */

static void functions_add(struct uprobe_functions *f, const struct probe_program *prog,
			  enum probe_system system)
{
	for (unsigned i = 0; f->n < UPROBE_AHEAD_FUNCTIONS; i++) {
		if (!function_of(prog, i, f->list[f->n].symbol, sizeof(f->list[0].symbol)))
			break;
		f->list[f->n].system = system;
		f->list[f->n].at_return = is_at_return(prog);
		f->n += !is_fallback(f->list[f->n].symbol);
	}
}

void probe_servers_ahead(struct probe *p)
{
	struct uprobe_functions functions = {};

	for (unsigned i = 0; i < p->n_programs; i++)
		for (unsigned k = 0; k < sizeof(prefixes) / sizeof(prefixes[0]); k++)
			if (system_wants(p, &p->programs[i], k))
				functions_add(&functions, &p->programs[i], k);
	p->ahead = uprobe_ahead_begin(&functions);
}

void probe_servers_attached(struct probe *p)
{
	p->ahead = uprobe_ahead_end(p->ahead);
}
