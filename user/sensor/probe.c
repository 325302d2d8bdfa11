// SPDX-License-Identifier: Apache-2.0
// Loading and attaching: of each event's ladder the first program that this kernel loads and
// attaches. There is no list of probes here: the object's own program names are the list.
#include "sensor/probe_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/log.h"
#include "lib/record.h"
#include "rollcall.skel.h"
#include "sensor/choice.h"
#include "sensor/elf.h"
#include "sensor/guard.h"
#include "sensor/ladder.h"
#include "sensor/mariadb_offsets.h"
#include "sensor/postgresql_offsets.h"
#include "sensor/sandbox.h"
#include "sensor/syscall.h"

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

static int probe_print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[1024];

	if (level > LIBBPF_INFO)
		return 0;
	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	log_debug("%s", line);
	return 0;
}

static int link_add(struct probe *p, struct bpf_link *link)
{
	if (!link)
		return -errno;
	if (p->n_links == LINKS_MAX) {
		bpf_link__destroy(link);
		return -ENOSPC;
	}
	p->links[p->n_links++] = link;
	guard_link(bpf_map__fd(p->skel->maps.guarded_object), link);
	return 0;
}

/* Puts a program into the dispatcher's array, and the dispatcher in place for the first of them. */
static int syscall_attach(struct probe *p, struct bpf_program *prog, const char *event)
{
	int fd = bpf_program__fd(prog), array = bpf_map__fd(p->skel->maps.syscall_exits);
	int shapes = bpf_map__fd(p->skel->maps.syscall_shapes), slot, r;
	struct syscall_shape shape;

	for (unsigned i = 0; (slot = syscall_slot(event, i, &shape)) != -ENOENT; i++) {
		if (slot == -ENOSYS)
			continue;
		r = slot < 0 ? slot : bpf_map_update_elem(shapes, &slot, &shape, BPF_ANY);
		if (r == 0)
			r = bpf_map_update_elem(array, &slot, &fd, BPF_ANY);
		if (r < 0)
			return r;
	}
	if (p->dispatching)
		return 0;
	p->dispatching = true;
	return link_add(p, bpf_program__attach(p->skel->progs.syscall_exit__dispatch));
}

static int program_attach(struct probe *p, struct bpf_program *prog, const char *event)
{
	if (strstr(bpf_program__section_name(prog), "/sys_exit"))
		return syscall_attach(p, prog, event);
	return link_add(p, bpf_program__attach(prog));
}

/* Its event goes on without it. */
static void beside_attach(struct probe *p, struct bpf_program *prog)
{
	int r = link_add(p, bpf_program__attach(prog));

	if (r < 0)
		log_warn(r, "probe: %s cannot be attached", bpf_program__name(prog));
}

static int events_attach(struct probe *p)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, p->skel->obj) {
		const char *name = bpf_program__name(prog);
		struct ladder_event *ev;
		char event[48];

		if (choice_beside(&p->choice, name))
			beside_attach(p, prog);
		if (ladder_rank(name, event, sizeof(event)) < 0 ||
		    !ladder_chosen(&p->choice.ladder, name))
			continue;
		ev = ladder_event(&p->choice.ladder, event);
		ev->error = program_attach(p, prog, event);
		if (ev->error < 0) {
			log_warn(ev->error, "probe: %s cannot be attached; %s events are not seen",
				 name, event);
			ev->program = NULL;
		}
	}
	return 0;
}

static void ring_record(void *ctx, const void *data, size_t size)
{
	const struct record_header *h = data;
	struct probe_ring *ring = ctx;

	/* A process is made (crit) before it does something (bulk), and is read of first. */
	if (ring->lane != LANE_CRIT)
		ring_consume(ring->probe->rings[LANE_CRIT]);
	ring->probe->read[ring->lane][h->kind % RECORD_KINDS]++;
	ring->probe->delivering = ring;
	ring->probe->opts.record(ring->probe->opts.ctx, data, size);
}

static int rings_open(struct probe *p)
{
	const struct bpf_map *maps[] = {p->skel->maps.ring_crit, p->skel->maps.ring_bulk};

	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (p->epoll < 0)
		return -errno;
	for (unsigned i = 0; i < LANES; i++) {
		struct epoll_event wake = {.events = EPOLLIN};
		int fd = bpf_map__fd(maps[i]), r;

		p->ring_ctx[i] = (struct probe_ring){p, i};
		r = ring_new(fd, bpf_map__max_entries(maps[i]), ring_record, &p->ring_ctx[i],
			     &p->rings[i]);
		if (r < 0)
			return r;
		if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &wake) < 0)
			return -errno;
	}
	return 0;
}

static int objects_load(struct probe *p)
{
	struct bpf_program *prog;

	if (p->opts.ring_crit)
		bpf_map__set_max_entries(p->skel->maps.ring_crit, p->opts.ring_crit);
	if (p->opts.ring_bulk)
		bpf_map__set_max_entries(p->skel->maps.ring_bulk, p->opts.ring_bulk);
	p->skel->rodata->interest_watched = !p->opts.unwatched;
	bpf_object__for_each_program(prog, p->skel->obj)
		bpf_program__set_autoload(prog, choice_has(&p->choice, bpf_program__name(prog)));
	return bpf_object__load(p->skel->obj);
}

/* A program that this kernel refuses must not blind the others: the next rung is taken. */
static int programs_load(struct probe *p)
{
	int r = choice_make(&p->choice, p->skel->obj);

	while (r == 0) {
		r = objects_load(p);
		if (r == 0 || !choice_refuse(&p->choice, p->skel->obj))
			return r;
		rollcall__destroy(p->skel);
		p->skel = rollcall__open();
		r = p->skel ? choice_make(&p->choice, p->skel->obj) : -errno;
	}
	return r;
}

/* From here on nobody changes what was decided at the start, and who looks is told. */
static void maps_guard(struct probe *p)
{
	int r = guard_object(bpf_map__fd(p->skel->maps.guarded_object), p->skel->obj);

	if (r < 0)
		log_warn(r, "probe: not every map and program is guarded");
	r = guard_freeze(bpf_map__fd(p->skel->maps.syscall_shapes));
	if (r == 0)
		r = guard_freeze(bpf_map__fd(p->skel->maps.syscall_exits));
	if (r < 0)
		log_warn(r, "probe: the tables of system calls cannot be frozen");
}

/* Before anything is attached: else our own start would be somebody's hands on our objects. */
static void self_guard(struct probe *p)
{
	uint32_t self = (uint32_t)getpid(), sensor = ROLLCALL__GUARDED__sensor;

	if (p->opts.own && probe_map_update(p, "guarded_task", &self, &sensor) < 0)
		log_warn(-errno, "probe: our own doing will be told as somebody's");
}

static int probe_load(struct probe *p)
{
	int r = programs_load(p);

	if (r < 0)
		return log_error(r, "probe: the kernel refused the BPF programs "
				    "(run as root; --debug shows the verifier's reason)");
	r = rings_open(p);
	if (r < 0)
		return log_error(r, "probe: cannot map the ring buffers");
	self_guard(p);
	r = events_attach(p);
	if (r == 0)
		maps_guard(p);
	return r;
}

int probe_new(const struct probe_opts *opts, struct probe **ret)
{
	_cleanup_(probe_freep) struct probe *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	libbpf_set_print(probe_print);
	p->opts = *opts;
	p->choice.unwatched = opts->unwatched;
	p->epoll = -1;
	p->skel = rollcall__open();
	if (!p->skel)
		return log_error(-errno, "probe: cannot open the BPF object");
	r = probe_load(p);
	if (r < 0)
		return r;
	*ret = take_ptr(p);
	return 0;
}

struct probe *probe_free(struct probe *p)
{
	if (!p)
		return NULL;
	for (unsigned i = 0; i < p->n_links; i++)
		bpf_link__destroy(p->links[i]);
	for (unsigned i = 0; i < LANES; i++)
		ring_free(p->rings[i]);
	closep(&p->epoll);
	rollcall__destroy(p->skel);
	free(p);
	return NULL;
}

void probe_freep(struct probe **p)
{
	*p = probe_free(*p);
}

/* Of what is not one of a ladder, each program is an event of its own. */
static void program_told(struct probe *p, const char *program, int error)
{
	struct ladder_event *ev = ladder_event(&p->choice.ladder, program);

	if (!ev)
		return;
	ev->program = error < 0 ? NULL : program;
	ev->error = error;
}

/* Marks the executables of servers. */
static const char server_program[] = "db_exe__iter";

/* Facts of one binary for its BPF programs, under the cookie they are attached with. */
static int binary_describe(struct probe *p, enum probe_system system, const char *path,
			   uint32_t cookie, struct db_binary *ret)
{
	struct db_binary b = {};
	int r;

	if (system == PROBE_POSTGRESQL) {
		r = postgresql_offsets_read(path, &b.postgresql);
		if (r < 0) {
			program_told(p, server_program, r);
			return log_warn(r,
					"probe: %s: this build lacks MyProcPort or secure_write; "
					"its sessions are not seen",
					path);
		}
		p->binaries[cookie].counts = b.postgresql.stat_pending != 0;
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
			log_warn(r,
				 "probe: %s: this build's THD cannot be read; sessions that are "
				 "open already are not seen",
				 path);
	}
	*ret = b;
	return bpf_map__update_elem(p->skel->maps.db_binaries, &cookie, sizeof(cookie), &b,
				    sizeof(b), BPF_ANY);
}

static int uprobe_attach(struct probe *p, struct bpf_program *prog, const char *path,
			 uint32_t cookie)
{
	const char *section = bpf_program__section_name(prog);
	const char *symbol = strchr(section, '/');
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .bpf_cookie = cookie,
		    .retprobe = strstr(section, "uretprobe") != NULL);
	int r;

	if (!symbol)
		return -EINVAL;
	opts.func_name = symbol + 1;
	r = link_add(p, bpf_program__attach_uprobe_opts(prog, -1, path, 0, &opts));
	if (r < 0)
		log_warn(r, "probe: %s has no usable symbol %s", path, symbol + 1);
	return r;
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

/* Does this binary want this program of its system? */
static bool binary_wants(const struct probe *p, const struct bpf_program *prog,
			 enum probe_system system, const char *path, const struct db_binary *b)
{
	const char *name = bpf_program__name(prog), *symbol;
	uint64_t value;

	if (strncmp(name, prefixes[system], strlen(prefixes[system])) != 0 ||
	    !(strstr(name, "__uprobe") || strstr(name, "__uretprobe")) ||
	    (reads_counts(name) && !p->opts.rows_read) || choice_refused(&p->choice, name))
		return false;
	/* Only where what was read cannot be looked at later. */
	if (strncmp(name, "pg_tls_read__", 13) == 0 && b->postgresql.recv_buffer)
		return false;
	/* A PostgreSQL that was built without TLS or GSS has no such session. */
	symbol = strstr(bpf_program__section_name(prog), "/be_");
	return !symbol || elf_symbol_value(path, symbol + 1, &value) == 0;
}

/* The worst error of a binary's breakpoints, or 0. */
static int binary_attach(struct probe *p, enum probe_system system, const char *path,
			 uint32_t cookie, const struct db_binary *binary)
{
	struct bpf_program *prog;
	int worst = 0;

	bpf_object__for_each_program(prog, p->skel->obj) {
		const char *name = bpf_program__name(prog);
		int r;

		if (!binary_wants(p, prog, system, path, binary))
			continue;
		r = reads_counts(name) && !p->binaries[cookie].counts
			    ? -ENOTSUP
			    : uprobe_attach(p, prog, path, cookie);
		if (r < 0 && r != -ENOTSUP)
			worst = r;
		program_told(p, name, r);
	}
	return worst;
}

/* Of a binary that nothing is attached to yet; `exe` is open. */
static int binary_new(struct probe *p, enum probe_system system, int pid, int exe,
		      const struct stat *st)
{
	struct db_binary binary = {};
	uint32_t cookie = p->n_binaries;
	char path[64];
	int r;

	if (p->n_binaries == BINARIES_MAX)
		return log_warn(-ENOSPC, "probe: more than %d database binaries", BINARIES_MAX);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", exe);
	r = binary_describe(p, system, path, cookie, &binary);
	if (r == 0)
		r = server_mark(p, system, pid, cookie);
	if (r != -ESRCH) {
		p->binaries[p->n_binaries].dev = st->st_dev;
		p->binaries[p->n_binaries++].ino = st->st_ino;
	}
	return r < 0 ? r : binary_attach(p, system, path, cookie, &binary);
}

static int binary_find(const struct probe *p, const struct stat *st)
{
	for (unsigned i = 0; i < p->n_binaries; i++)
		if (p->binaries[i].dev == st->st_dev && p->binaries[i].ino == st->st_ino)
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

int probe_fd(const struct probe *p)
{
	return p->epoll;
}

int probe_consume(struct probe *p)
{
	int n = 0;

	for (unsigned i = 0; i < LANES; i++) {
		int r = ring_consume(p->rings[i]);

		if (r < 0)
			return r;
		n += r;
	}
	return n;
}

int probe_iter(struct probe *p, const char *program, probe_record_fn fn, void *ctx)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(p->skel->obj, program);
	_cleanup_(freep) uint8_t *buf = malloc(1 << 20);
	_cleanup_(closep) int fd = -1;
	struct bpf_link *link;
	size_t have = 0;
	ssize_t n;

	if (!prog || !buf)
		return prog ? -ENOMEM : -ENOENT;
	link = bpf_program__attach_iter(prog, NULL);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	bpf_link__destroy(link);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf + have, (1 << 20) - have)) > 0) {
		size_t off = 0;

		have += (size_t)n;
		/* Records are written whole, but a read may cut one: struct record_header.size. */
		while (fn && have - off >= 16) {
			uint32_t size;

			memcpy(&size, buf + off + 8, sizeof(size));
			if (size < 16 || size > have - off)
				break;
			fn(ctx, buf + off, size);
			off += size;
		}
		memmove(buf, buf + off, have - off);
		have = fn ? have - off : 0;
	}
	return n < 0 ? -errno : 0;
}

int probe_map_fd(const struct probe *p, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(p->skel->obj, name);

	return fd < 0 ? -ENOENT : fd;
}

int probe_map_lookup(const struct probe *p, const char *name, const void *key, void *ret_value)
{
	int fd = probe_map_fd(p, name);

	return fd < 0 ? fd : bpf_map_lookup_elem(fd, key, ret_value);
}

int probe_map_update(const struct probe *p, const char *name, const void *key, const void *value)
{
	int fd = probe_map_fd(p, name);

	return fd < 0 ? fd : bpf_map_update_elem(fd, key, value, BPF_ANY);
}

int probe_map_delete(const struct probe *p, const char *name, const void *key)
{
	int fd = probe_map_fd(p, name);

	return fd < 0 ? fd : bpf_map_delete_elem(fd, key);
}

int probe_map_next(const struct probe *p, const char *name, const void *key, void *ret_next)
{
	int fd = probe_map_fd(p, name);

	return fd < 0 ? fd : bpf_map_get_next_key(fd, key, ret_next);
}
