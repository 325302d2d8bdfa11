// SPDX-License-Identifier: Apache-2.0
// Probes that outlive the sensor. Everything is pinned as it is made: a killed sensor leaves its
// programs attached and its rings filling, and the next one goes on reading where it had been. What
// an orderly end leaves is nothing.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/clean.h"
#include "lib/digest.h"
#include "lib/log.h"
#include "sensor/guard.h"
#include "sensor/pins.h"
#include "sensor/probe_internal.h"

/* So many sensors one after the other that did not live long: perhaps by what is in the ring. */
#define TAKEOVERS_MAX 3

#define NAME_SIZE 192

/* What pinned objects must be of: the object file and what was configured. */
static int set_name(const struct probe *p, char ret_name[DIGEST_HEX])
{
	char both[2 * DIGEST_HEX] = "";
	const void *elf;
	size_t size;
	int r;

	elf = rollcall__elf_bytes(&size);
	r = digest_hex(elf, size, both);
	if (r == 0)
		r = digest_hex(p->opts.identity, strlen(p->opts.identity), both + DIGEST_HEX - 1);
	return r < 0 ? r : digest_hex(both, strlen(both), ret_name);
}

/* A file's name has no dots here. */
static void name_of(const char *kind, const char *name, char ret[NAME_SIZE])
{
	snprintf(ret, NAME_SIZE, "%s_%s", kind, name);
	for (char *at = ret; *at; at++)
		if (*at == '.')
			*at = '_';
}

/* ---- removing ---- */

/* In the set's own words: a file that somebody else put there is not the sensor's. */
static bool is_mine(void *ctx, int fd, const char *name)
{
	const int *guarded = ctx;

	(void)name;
	return guard_has(*guarded, fd);
}

static void set_remove(void *ctx)
{
	struct probe *p = ctx;
	_cleanup_(closep) int guarded = pins_get(p->pins, "map_guarded_object");
	int r = pins_remove(p->pins, is_mine, &guarded);

	if (r == -ENOTEMPTY)
		log_warn(0, "probe: %s has files that are not the sensor's; they stay",
			 p->opts.pins);
	else if (r < 0)
		log_warn(r, "probe: pins in %s cannot be removed", p->opts.pins);
}

void probe_pins_drop(struct probe *p)
{
	if (!p->pins)
		return;
	set_remove(p);
	pins_close(p->pins);
	p->pins = pins_free(p->pins);
}

/* Works without; what a killed sensor would have left is gone with it. */
static void pins_fail(struct probe *p, int error)
{
	log_warn(error, "probe: the probes end with the sensor: they cannot be pinned in %s",
		 p->opts.pins);
	probe_pins_drop(p);
	p->pins_error = error;
}

/* ---- keeping ---- */

void probe_pins_open(struct probe *p)
{
	int r = p->opts.pins ? pins_open(p->opts.pins, &p->pins) : 0;

	if (r < 0)
		pins_fail(p, r);
}

static int maps_pin(struct probe *p)
{
	struct bpf_map *map;
	char name[NAME_SIZE];
	int r;

	/* First what says which files are ours. */
	r = pins_put(p->pins, "map_guarded_object", bpf_map__fd(p->skel->maps.guarded_object));
	bpf_object__for_each_map(map, p->skel->obj)
	{
		if (r < 0 || map == p->skel->maps.guarded_object || bpf_map__fd(map) < 0)
			continue;
		name_of("map", bpf_map__name(map), name);
		r = pins_put(p->pins, name, bpf_map__fd(map));
	}
	return r;
}

static int programs_pin(struct probe *p)
{
	char name[NAME_SIZE];
	int r = 0;

	for (unsigned i = 0; i < p->n_programs && r == 0; i++) {
		if (p->programs[i].fd < 0)
			continue;
		name_of("program", p->programs[i].name, name);
		r = pins_put(p->pins, name, p->programs[i].fd);
		p->handover->programs++;
	}
	return r;
}

void probe_pins_begin(struct probe *p)
{
	int r = p->pins ? pins_begin(p->pins) : 0;

	if (p->pins && r == 0)
		r = maps_pin(p);
	if (p->pins && r == 0)
		r = programs_pin(p);
	if (r < 0)
		pins_fail(p, r);
}

void probe_pins_link(struct probe *p, const char *link, int fd)
{
	char name[NAME_SIZE];
	int r;

	if (!p->pins || p->taking)
		return;
	name_of("link", link, name);
	r = pins_put(p->pins, name, fd);
	if (r < 0)
		pins_fail(p, r);
	else
		p->handover->links++;
}

void probe_pins_end(struct probe *p)
{
	char name[DIGEST_HEX];
	int r = p->pins && !p->taken_over ? set_name(p, name) : 0;

	/* The new probes look; now the old ones may go. */
	if (p->pins)
		pins_others(p->pins, set_remove, p);
	if (r == 0 && p->pins && !p->taken_over)
		r = pins_commit(p->pins, name);
	if (r < 0)
		pins_fail(p, r);
}

/* ---- taking over ---- */

static int object_get(struct probe *p, const char *kind, const char *name, int *ret_fd)
{
	_cleanup_(closep) int fd = -1;
	char file[NAME_SIZE];

	name_of(kind, name, file);
	fd = pins_get(p->pins, file);
	if (fd < 0)
		return fd;
	if (!guard_has(bpf_map__fd(p->skel->maps.guarded_object), fd))
		return -EBADMSG;
	*ret_fd = take_fd(fd);
	return 0;
}

static int map_use(struct bpf_map *map, int fd)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return -errno;
	if (info.type != bpf_map__type(map) || info.key_size != bpf_map__key_size(map) ||
	    info.value_size != bpf_map__value_size(map) ||
	    info.max_entries != bpf_map__max_entries(map))
		return -EBADMSG;
	return bpf_map__reuse_fd(map, fd);
}

static int map_take(struct probe *p, struct bpf_map *map)
{
	_cleanup_(closep) int fd = -1;
	int r = object_get(p, "map", bpf_map__name(map), &fd);

	return r < 0 ? r : map_use(map, fd);
}

/* Its ids say what is ours; it cannot be asked about itself before it is there. */
static int guard_take(struct probe *p)
{
	_cleanup_(closep) int fd = pins_get(p->pins, "map_guarded_object");

	return fd < 0 ? fd : map_use(p->skel->maps.guarded_object, fd);
}

static int maps_take(struct probe *p)
{
	uint32_t self = (uint32_t)getpid(), sensor = ROLLCALL__GUARDED__sensor;
	struct bpf_map *map;
	int r = guard_take(p);

	if (r == 0)
		r = map_take(p, p->skel->maps.guarded_task);
	/* Before the others: each that is opened would be somebody's hand on our objects. */
	if (r == 0 && p->opts.own)
		r = probe_map_update(p, "guarded_task", &self, &sensor);
	bpf_object__for_each_map(map, p->skel->obj) if (r == 0 && bpf_map__fd(map) < 0) r =
		map_take(p, map);
	return r;
}

static int programs_take(struct probe *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n_programs; i++) {
		int r = object_get(p, "program", p->programs[i].name, &p->programs[i].fd);

		if (r < 0 && r != -ENOENT)
			return r;
		n += r == 0;
	}
	return n == p->handover->programs ? 0 : -EBADMSG;
}

static bool program_has_id(const struct probe_program *prog, uint32_t id)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	return prog && prog->fd >= 0 && bpf_obj_get_info_by_fd(prog->fd, &info, &size) == 0 &&
	       info.id == id;
}

/* "server0_1_mysql_write__uprobe" */
static const char *link_program(const char *link)
{
	unsigned binary, function;
	int n = 0;

	return sscanf(link, LINK_SERVER "%n", &binary, &function, &n) == 2 && n ? link + n : link;
}

/* A server's programs are events of their own, on no ladder. */
static void server_event(struct probe *p, const char *program)
{
	struct ladder_event *ev = ladder_event(&p->choice.ladder, program);

	if (ev) {
		ev->program = program;
		ev->error = 0;
	}
}

static int link_take(void *ctx, const char *file)
{
	struct probe *p = ctx;
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);
	const char *link = file + strlen("link_"), *program;
	struct probe_program *prog;
	int fd, r;

	if (strncmp(file, "link_", strlen("link_")) != 0)
		return 0;
	r = object_get(p, "link", link, &fd);
	if (r < 0)
		return r;
	program = link_program(link);
	prog = probe_program(p, program);
	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0 || !program_has_id(prog, info.prog_id)) {
		close(fd);
		return -EBADMSG;
	}
	prog->linked = true;
	if (program != link)
		server_event(p, prog->name);
	return probe_link_add(p, link, fd);
}

/* Is it in use? Then the sensor before had it attached. */
static int pinned(void *ctx, const char *program)
{
	const struct probe_program *prog = probe_program(ctx, program);

	return prog && prog->fd >= 0 ? 0 : -ENOENT;
}

/* The last rung of a ladder is chosen without a trial, and may have been refused a place. */
static void choice_check(struct probe *p)
{
	for (unsigned i = 0; i < p->choice.ladder.n; i++) {
		struct ladder_event *ev = &p->choice.ladder.events[i];
		const struct probe_program *prog =
			ev->program ? probe_program(p, ev->program) : NULL;

		if (prog &&
		    (prog->fd < 0 || !(prog->linked || strstr(prog->section, "/sys_exit")))) {
			ev->program = NULL;
			ev->error = -ENOENT;
		}
	}
}

static int set_take(struct probe *p)
{
	int r = maps_take(p);

	if (r == 0)
		r = probe_share(p);
	if (r < 0)
		return r;
	if (++p->handover->takeovers > TAKEOVERS_MAX)
		return -ELOOP;
	r = programs_take(p);
	if (r == 0)
		r = choice_make(&p->choice, p->skel->obj, pinned, p);
	if (r == 0)
		r = pins_each(p->pins, link_take, p);
	if (r == 0)
		choice_check(p);
	if (r == 0 && p->n_links != p->handover->links)
		r = -EBADMSG;
	return r;
}

/* As if nothing had been there. */
static void take_undo(struct probe *p)
{
	for (unsigned i = 0; i < p->n_links; i++)
		close(p->links[i]);
	p->n_links = 0;
	probe_unshare(p);
	p->choice = (struct choice){.unwatched = p->opts.unwatched};
}

int probe_pins_take(struct probe *p)
{
	char name[DIGEST_HEX];
	int r = p->pins ? set_name(p, name) : -ENOENT;

	if (r == 0 && !pins_use(p->pins, name))
		r = -ENOENT;
	if (r == 0)
		r = probe_ready(p);
	if (r == 0)
		r = probe_open(p);
	if (r < 0)
		return r;
	p->taking = true;
	r = set_take(p);
	p->taking = false;
	if (r < 0) {
		take_undo(p);
		/* Nothing is there: that is not what it says now. */
		return r == -ENOENT ? -EBADMSG : r;
	}
	memcpy(p->read, p->handover->read, sizeof(p->read));
	memcpy(p->truncated, p->handover->truncated, sizeof(p->truncated));
	p->taken_over = true;
	return 0;
}

bool probe_taken_over(const struct probe *p)
{
	return p->taken_over;
}

struct handover *probe_handover(struct probe *p)
{
	return p->handover;
}

void probe_stay(struct probe *p)
{
	p->stay = true;
}

int probe_past(struct probe *p, probe_record_fn fn, void *ctx)
{
	const struct handover *h = p->handover;
	uint32_t n = h->n_marks < HANDOVER_MARKS ? h->n_marks : HANDOVER_MARKS;

	for (uint32_t i = h->n_marks - n; i != h->n_marks; i++)
		if (ring_holds(p->rings[LANE_CRIT], h->marks[i % HANDOVER_MARKS]))
			return ring_past(p->rings[LANE_CRIT], h->marks[i % HANDOVER_MARKS], fn,
					 ctx);
	return 0;
}
