// SPDX-License-Identifier: Apache-2.0
// Loading and attaching: of each event's ladder the first program that this kernel loads and
// attaches. There is no list of probes here: the object's own program names are the list.
#include "sensor/probe_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/log.h"
#include "lib/record.h"
#include "rollcall.skel.h"
#include "sensor/choice.h"
#include "sensor/guard.h"
#include "sensor/host.h"
#include "sensor/ladder.h"
#include "sensor/pins.h"
#include "sensor/syscall.h"
#include "sensor/uprobe_ahead.h"
#include "sensor/verify.h"

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

struct probe_program *probe_program(struct probe *p, const char *name)
{
	for (unsigned i = 0; i < p->n_programs; i++)
		if (strcmp(p->programs[i].name, name) == 0)
			return &p->programs[i];
	return NULL;
}

int probe_link_add(struct probe *p, const char *name, int fd)
{
	if (fd < 0)
		return fd;
	if (p->n_links == LINKS_MAX) {
		close(fd);
		return -ENOSPC;
	}
	p->links[p->n_links++] = fd;
	guard_fd(bpf_map__fd(p->skel->maps.guarded_object), fd);
	probe_pins_link(p, name, fd);
	return 0;
}

/* Tracepoints and functions: where to is a property of the loaded program. */
static int link_make(struct probe *p, const struct probe_program *prog)
{
	int fd = bpf_raw_tracepoint_open(NULL, prog->fd);

	return probe_link_add(p, prog->name, fd < 0 ? -errno : fd);
}

/* What others enter. */
static int slot_fill(struct probe *p, uint32_t slot, const char *program)
{
	int fd = probe_program(p, program)->fd;

	if (fd < 0)
		return -ENOENT;
	return probe_map_update(p, "syscall_exits", &slot, &fd);
}

/*
 * A program is entered as soon as it is in its slot: the shape goes first, and who wants a call,
 * which the dispatcher asks of all but the calls that are made often, last.
 */
static int slots_fill(struct probe *p, const struct probe_program *prog, const char *event,
		      struct syscall_shape *ret_shape)
{
	int shapes = bpf_map__fd(p->skel->maps.syscall_shapes), slot;
	int array = bpf_map__fd(p->skel->maps.syscall_exits);
	struct syscall_calls calls;
	uint32_t zero = 0;
	int r = probe_map_lookup(p, "syscall_calls", &zero, &calls);

	for (unsigned i = 0; (slot = syscall_slot(event, i, ret_shape)) != -ENOENT; i++) {
		if (slot == -ENOSYS)
			continue;
		if (r == 0)
			r = bpf_map_update_elem(shapes, &slot, ret_shape, BPF_ANY);
		if (r == 0)
			r = bpf_map_update_elem(array, &slot, &prog->fd, BPF_ANY);
		if (r < 0)
			return r;
		if (slot < 2 * SYSCALL_MAX)
			calls.wanted[slot % SYSCALL_MAX] = 1;
	}
	return r < 0 ? r : probe_map_update(p, "syscall_calls", &zero, &calls);
}

/* Puts a program into the dispatcher's array, and the dispatcher in place for the first of them. */
static int syscall_attach(struct probe *p, const struct probe_program *prog, const char *event)
{
	struct syscall_shape shape = {};
	int r = slots_fill(p, prog, event, &shape);

	if (r == 0 && shape.aspect)
		r = slot_fill(p, SYSCALL_FILE_CHANGE, "file_change__dispatch");
	if (r < 0 || p->dispatching)
		return r;
	p->dispatching = true;
	return link_make(p, probe_program(p, "syscall_exit__dispatch"));
}

static int program_attach(struct probe *p, const struct probe_program *prog, const char *event)
{
	if (strstr(prog->section, "/sys_exit"))
		return syscall_attach(p, prog, event);
	return link_make(p, prog);
}

/* Its event goes on without it. */
static void beside_attach(struct probe *p, const struct probe_program *prog)
{
	int r = link_make(p, prog);

	if (r < 0)
		log_warn(r, "probe: %s cannot be attached", prog->name);
}

static void events_attach(struct probe *p)
{
	for (unsigned i = 0; i < p->n_programs; i++) {
		const struct probe_program *prog = &p->programs[i];
		struct ladder_event *ev;
		char event[48];

		if (choice_beside(&p->choice, prog->name))
			beside_attach(p, prog);
		if (ladder_rank(prog->name, event, sizeof(event)) < 0 ||
		    !ladder_chosen(&p->choice.ladder, prog->name))
			continue;
		ev = ladder_event(&p->choice.ladder, event);
		ev->error = program_attach(p, prog, event);
		if (ev->error < 0) {
			log_warn(ev->error, "probe: %s cannot be attached; %s events are not seen",
				 prog->name, event);
			ev->program = NULL;
		}
	}
}

/* A kill in the middle of a batch costs the next sensor at most so much to be read again. */
#define COMMIT_EVERY (64 << 10)
#define MARK_EVERY   (64 << 10)

/*
 * What was made of the records is in the spool before their room is given away: who is killed in
 * between leaves both, and the next one takes what it finds twice for one.
 */
static void commit(struct probe *p)
{
	struct handover *h = p->handover;
	uint64_t position = ring_position(p->rings[LANE_CRIT]);

	if (p->opts.flush)
		p->opts.flush(p->opts.ctx);
	for (unsigned i = 0; i < LANES; i++)
		ring_publish(p->rings[i]);
	if (p->opts.flushed)
		p->opts.flushed(p->opts.ctx);
	memcpy(h->read, p->read, sizeof(h->read));
	memcpy(h->truncated, p->truncated, sizeof(h->truncated));
	if (position - h->marks[(h->n_marks - 1) % HANDOVER_MARKS] >= MARK_EVERY || !h->n_marks) {
		h->marks[h->n_marks % HANDOVER_MARKS] = position;
		h->n_marks++;
	}
}

static void ring_record(void *ctx, const void *data, size_t size)
{
	const struct record_header *h = data;
	struct probe_ring *ring = ctx;
	struct probe *p = ring->probe;

	/* A process is made (crit) before it does something (bulk), and is read of first. */
	if (ring->lane != LANE_CRIT)
		ring_consume(p->rings[LANE_CRIT]);
	if (ring_pending(p->rings[ring->lane]) >= COMMIT_EVERY)
		commit(p);
	p->read[ring->lane][h->kind % HANDOVER_KINDS]++;
	p->delivering = ring;
	p->opts.record(p->opts.ctx, data, size);
}

static int rings_open(struct probe *p)
{
	const struct bpf_map *maps[] = {p->skel->maps.ring_crit, p->skel->maps.ring_bulk};

	for (unsigned i = 0; i < LANES; i++) {
		int r;

		p->ring_ctx[i] = (struct probe_ring){p, i};
		r = ring_new(bpf_map__fd(maps[i]), bpf_map__max_entries(maps[i]), ring_record,
			     &p->ring_ctx[i], &p->rings[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int objects_load(struct probe *p, bool *ret_refused)
{
	struct bpf_program *prog;
	int fds[PROGRAMS_MAX], r;

	if (p->opts.ring_crit)
		bpf_map__set_max_entries(p->skel->maps.ring_crit, p->opts.ring_crit);
	if (p->opts.ring_bulk)
		bpf_map__set_max_entries(p->skel->maps.ring_bulk, p->opts.ring_bulk);
	p->skel->rodata->ring_bulk_size = bpf_map__max_entries(p->skel->maps.ring_bulk);
	p->skel->rodata->interest_watched = !p->opts.unwatched;
	bpf_object__for_each_program(prog, p->skel->obj)
		bpf_program__set_autoload(prog, choice_has(&p->choice, bpf_program__name(prog)));
	r = verify_object(p->skel->obj, fds, ret_refused);
	for (unsigned i = 0; i < p->n_programs && r == 0; i++)
		p->programs[i].fd = fds[i];
	return r;
}

static void programs_forget(struct probe *p)
{
	for (unsigned i = 0; i < p->n_programs; i++)
		closep(&p->programs[i].fd);
	p->n_programs = 0;
}

int probe_open(struct probe *p)
{
	struct bpf_program *prog;

	programs_forget(p);
	rollcall__destroy(p->skel);
	p->skel = rollcall__open();
	if (!p->skel)
		return -errno;
	bpf_object__for_each_program(prog, p->skel->obj) {
		struct probe_program *to = &p->programs[p->n_programs];

		if (p->n_programs == PROGRAMS_MAX)
			return -E2BIG;
		to->name = bpf_program__name(prog);
		to->section = bpf_program__section_name(prog);
		to->fd = -1;
		p->n_programs++;
	}
	return 0;
}

/* A program that this kernel refuses must not blind the others: the next rung is taken. */
static int programs_load(struct probe *p)
{
	int r = choice_make(&p->choice, p->skel->obj, NULL, NULL);

	if (r == 0 && p->opts.loading)
		p->opts.loading(p->opts.ready_ctx);
	while (r == 0) {
		bool refused[PROGRAMS_MAX] = {};

		r = objects_load(p, refused);
		if (r == 0 || !choice_refuse(&p->choice, p->skel->obj, refused))
			break;
		r = probe_open(p);
		if (r == 0)
			r = choice_make(&p->choice, p->skel->obj, NULL, NULL);
	}
	return r;
}

/* From here on nobody changes what was decided at the start, and who looks is told. */
static void maps_guard(struct probe *p)
{
	int r = guard_freeze(p->skel->obj);

	if (r < 0)
		log_warn(r, "probe: not every map can be frozen");
}

/* Before anything is attached: else our own start would be somebody's hands on our objects. */
static void self_guard(struct probe *p)
{
	uint32_t self = (uint32_t)getpid(), sensor = ROLLCALL__GUARDED__sensor;

	if (p->opts.own && probe_map_update(p, "guarded_task", &self, &sensor) < 0)
		log_warn(-errno, "probe: our own doing will be told as somebody's");
}

/* Before anything is attached, too. */
static void objects_guard(struct probe *p)
{
	int map = bpf_map__fd(p->skel->maps.guarded_object);
	int r = guard_maps(map, p->skel->obj);

	for (unsigned i = 0; i < p->n_programs; i++)
		if (p->programs[i].fd >= 0 && guard_fd(map, p->programs[i].fd) < 0)
			r = -EINVAL;
	if (r < 0)
		log_warn(0, "probe: not every map and program is guarded");
}

static void *map_share(const struct bpf_map *map, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	return at == MAP_FAILED ? NULL : at;
}

int probe_share(struct probe *p)
{
	if (bpf_map__value_size(p->skel->maps.handover) < sizeof(*p->handover))
		return -EMSGSIZE;
	p->handover = map_share(p->skel->maps.handover, sizeof(*p->handover));
	p->looks = p->handover ? map_share(p->skel->maps.ring_looks, sizeof(*p->looks)) : NULL;
	return p->looks ? 0 : -errno;
}

void probe_unshare(struct probe *p)
{
	if (p->handover)
		munmap(p->handover, sizeof(*p->handover));
	if (p->looks)
		munmap(p->looks, sizeof(*p->looks));
	p->handover = NULL;
	p->looks = NULL;
}

/* What an earlier sensor left is for one that can begin. */
int probe_ready(struct probe *p)
{
	int r = p->opts.ready ? p->opts.ready(p->opts.ready_ctx) : 0;

	p->stay = r < 0;
	return r;
}

static int probe_load(struct probe *p)
{
	int r;

	probe_servers_ahead(p);
	r = programs_load(p);
	uprobe_ahead_wait(p->ahead); /* no thread is there when privileges are given up */
	if (r < 0)
		return log_error(r, "probe: the kernel refused the BPF programs "
				    "(run as root; --debug shows the verifier's reason)");
	r = probe_ready(p);
	if (r < 0)
		return r;
	r = probe_share(p);
	if (r < 0)
		return log_error(r, "probe: cannot map what is shared with the kernel");
	self_guard(p);
	objects_guard(p);
	probe_pins_begin(p);
	events_attach(p);
	maps_guard(p);
	return 0;
}

/* The probes of an earlier sensor, or new ones. */
static int probe_begin(struct probe *p)
{
	int r;

	probe_pins_open(p);
	r = probe_pins_take(p);
	if (r < 0 && p->stay)
		return r;
	if (r < 0 && r != -ENOENT)
		log_warn(r, "probe: what an earlier sensor left cannot be taken over");
	if (r < 0)
		r = probe_open(p);
	if (r < 0)
		return log_error(r, "probe: cannot open the BPF object");
	r = p->taken_over ? 0 : probe_load(p);
	if (r < 0)
		return r;
	r = rings_open(p);
	if (r < 0)
		return log_error(r, "probe: cannot map the ring buffers");
	probe_pins_end(p);
	return 0;
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
	r = probe_begin(p);
	if (r < 0)
		return r;
	*ret = take_ptr(p);
	return 0;
}

struct probe *probe_free(struct probe *p)
{
	if (!p)
		return NULL;
	probe_servers_attached(p);
	if (!p->stay)
		probe_pins_drop(p);
	for (unsigned i = 0; i < p->n_links; i++)
		close(p->links[i]);
	for (unsigned i = 0; i < LANES; i++)
		ring_free(p->rings[i]);
	probe_unshare(p);
	programs_forget(p);
	rollcall__destroy(p->skel);
	pins_free(p->pins);
	free(p);
	return NULL;
}

void probe_freep(struct probe **p)
{
	*p = probe_free(*p);
}

int probe_fd(const struct probe *p, enum lane lane)
{
	return bpf_map__fd(lane == LANE_CRIT ? p->skel->maps.ring_crit : p->skel->maps.ring_bulk);
}

/* Something came, so there will soon be another look: what comes until then need not wake anybody
 * (bpf/emit.h). */
static void looked(struct probe *p, bool urgent)
{
	uint64_t now = host_boottime();

	__atomic_store_n(&p->looks->any, now, __ATOMIC_RELAXED);
	if (urgent)
		__atomic_store_n(&p->looks->urgent, now, __ATOMIC_RELAXED);
}

int probe_consume(struct probe *p)
{
	uint64_t crit = ring_position(p->rings[LANE_CRIT]);
	int n = 0;

	for (unsigned i = 0; i < LANES; i++) {
		int r = ring_consume(p->rings[i]);

		if (r < 0)
			return r;
		n += r;
	}
	if (!n)
		return 0;
	commit(p);
	looked(p, ring_position(p->rings[LANE_CRIT]) != crit);
	return n;
}

uint32_t probe_quiet(const struct probe *p)
{
	uint64_t now = host_boottime(), any = __atomic_load_n(&p->looks->any, __ATOMIC_RELAXED);
	uint64_t ms = any < now ? (now - any) / 1000000 : 0;

	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

int probe_iter(struct probe *p, const char *program, probe_record_fn fn, void *ctx)
{
	const struct probe_program *prog = probe_program(p, program);
	_cleanup_(freep) uint8_t *buf = malloc(1 << 20);
	_cleanup_(closep) int link = -1, fd = -1;
	size_t have = 0;
	ssize_t n;

	if (!prog || !buf)
		return prog ? -ENOMEM : -ENOENT;
	link = bpf_link_create(prog->fd, 0, BPF_TRACE_ITER, NULL);
	if (link < 0)
		return -errno;
	fd = bpf_iter_create(link);
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

int probe_run(struct probe *p, const char *program)
{
	const struct probe_program *prog = probe_program(p, program);
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	if (!prog)
		return -ENOENT;
	return bpf_prog_test_run_opts(prog->fd, &opts) < 0 ? -errno : 0;
}
