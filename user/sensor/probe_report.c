// SPDX-License-Identifier: Apache-2.0
// What the probes say of themselves: hooks in use, records by kind, misses, cost.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/kind.h"
#include "lib/record.h"
#include "sensor/probe_internal.h"
#include "sensor/sandbox.h"

/* As bpf/emit.h declares it. */
enum { COUNT_WRITTEN, COUNT_DROPPED, COUNT_THROTTLED, COUNT_UNREAD, COUNTS };

#define COUNT_KEYS  (LANES * HANDOVER_KINDS)
#define COUNT_BATCH 32 /* of them are read by one call */

static const char *const lanes[] = {[LANE_CRIT] = "crit", [LANE_BULK] = "bulk"};

/* Sums one element of a per-CPU map of u64 counters. */
static int percpu_sum(int fd, uint32_t key, uint64_t *ret_sum)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_(freep) uint64_t *values = NULL;
	int r;

	if (cpus <= 0)
		return -EINVAL;
	values = calloc((size_t)cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	r = bpf_map_lookup_elem(fd, &key, values);
	if (r < 0)
		return r;
	*ret_sum = 0;
	for (int c = 0; c < cpus; c++)
		*ret_sum += values[c];
	return 0;
}

/* All of a map of record_counts' kind, by its keys: `values` has room for a batch of `cpus` CPUs.
 */
static int counts_sum(int fd, uint64_t *values, unsigned cpus, uint64_t (*sums)[COUNTS])
{
	uint32_t keys[COUNT_BATCH], next, n;
	void *from = NULL;
	int r;

	do {
		n = COUNT_BATCH;
		r = bpf_map_lookup_batch(fd, from, &next, keys, values, &n, NULL);
		if (r < 0 && r != -ENOENT) /* that was the last */
			return r;
		for (uint32_t k = 0; k < n; k++)
			for (unsigned i = 0; i < cpus * COUNTS; i++)
				sums[keys[k]][i % COUNTS] += values[k * cpus * COUNTS + i];
		from = &next;
	} while (r == 0);
	return 0;
}

static int counts_read(const struct probe *p, uint64_t (*sums)[COUNTS])
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_(freep) uint64_t *values = NULL;

	if (cpus <= 0)
		return -EINVAL;
	values = calloc((size_t)cpus * COUNT_BATCH * COUNTS, sizeof(*values));
	if (!values)
		return -ENOMEM;
	return counts_sum(bpf_map__fd(p->skel->maps.record_counts), values, (unsigned)cpus, sums);
}

int probe_db_misses(const struct probe *p, uint64_t counts[3])
{
	int fd = bpf_map__fd(p->skel->maps.db_misses);
	int r = 0;

	for (uint32_t i = 0; i < 3 && r == 0; i++)
		r = percpu_sum(fd, i, &counts[i]);
	return r;
}

uint64_t probe_misses(const struct probe *p)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < p->n_programs; i++) {
		struct bpf_prog_info info = {};
		uint32_t size = sizeof(info);

		if (p->programs[i].fd >= 0 &&
		    bpf_obj_get_info_by_fd(p->programs[i].fd, &info, &size) == 0)
			sum += info.recursion_misses;
	}
	return sum;
}

void probe_truncated(struct probe *p, const void *record, unsigned strings)
{
	const struct record_header *h = record;

	p->truncated[p->delivering->lane][h->kind % HANDOVER_KINDS] += strings;
}

int probe_measure(void)
{
	int fd;

	sandbox_admin(true);
	fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	sandbox_admin(false);
	return fd;
}

int probe_costs(const struct probe *p, struct arena *a, Rollcall__Top *top)
{
	top->programs = arena_alloc(a, PROGRAMS_MAX * sizeof(*top->programs));
	if (!top->programs)
		return -ENOMEM;
	for (unsigned i = 0; i < p->n_programs; i++) {
		Rollcall__ProgramCost *cost = arena_alloc(a, sizeof(*cost));
		struct bpf_prog_info info = {};
		uint32_t size = sizeof(info);

		if (!cost)
			return -ENOMEM;
		if (p->programs[i].fd < 0 ||
		    bpf_obj_get_info_by_fd(p->programs[i].fd, &info, &size) < 0)
			continue;
		rollcall__program_cost__init(cost);
		cost->program = (char *)(uintptr_t)p->programs[i].name;
		cost->calls = info.run_cnt;
		cost->nanoseconds = info.run_time_ns;
		top->programs[top->n_programs++] = cost;
	}
	return 0;
}

/* Name of a kind of record; NULL: there is none of that number. */
static const char *kind_name(uint32_t kind)
{
	const struct kind *k = kind < RECORD_KIND_MAX ? kind_of(kind) : NULL;

	return k ? k->field->name : NULL;
}

static int coverage_count(const struct probe *p, struct arena *a, Rollcall__Coverage *c,
			  unsigned lane, uint32_t kind, const uint64_t n[COUNTS])
{
	Rollcall__Lane *l = c->lanes[lane];
	Rollcall__Count *count;

	if (!(n[COUNT_WRITTEN] || n[COUNT_DROPPED] || n[COUNT_THROTTLED] || n[COUNT_UNREAD]))
		return 0;
	count = arena_alloc(a, sizeof(*count));
	if (!count)
		return -ENOMEM;
	rollcall__count__init(count);
	count->lane = l->name;
	count->event = arena_strdup(a, kind_name(kind));
	l->written += count->written = n[COUNT_WRITTEN];
	l->dropped += count->dropped = n[COUNT_DROPPED];
	l->throttled += count->throttled = n[COUNT_THROTTLED];
	l->read += count->read = p->read[lane][kind];
	count->unread = n[COUNT_UNREAD];
	count->truncated = p->truncated[lane][kind];
	c->counts[c->n_counts++] = count;
	return count->event ? 0 : -ENOMEM;
}

static int coverage_lane(const struct probe *p, struct arena *a, Rollcall__Coverage *c,
			 unsigned lane, uint64_t (*counts)[COUNTS])
{
	Rollcall__Lane *l = arena_alloc(a, sizeof(*l));
	int r = 0;

	if (!l)
		return -ENOMEM;
	rollcall__lane__init(l);
	l->name = arena_strdup(a, lanes[lane]);
	c->lanes[c->n_lanes++] = l;
	if (!l->name)
		return -ENOMEM;
	for (uint32_t kind = 0; kind < RECORD_KIND_MAX && r == 0; kind++)
		if (kind_name(kind))
			r = coverage_count(p, a, c, lane, kind,
					   counts[lane * HANDOVER_KINDS + kind]);
	return r;
}

static int coverage_lanes(const struct probe *p, struct arena *a, Rollcall__Coverage *c)
{
	uint64_t counts[COUNT_KEYS][COUNTS] = {};
	int r;

	c->lanes = arena_alloc(a, LANES * sizeof(*c->lanes));
	c->counts = arena_alloc(a, COUNT_KEYS * sizeof(*c->counts));
	if (!c->lanes || !c->counts)
		return -ENOMEM;
	r = counts_read(p, counts);
	for (unsigned lane = 0; lane < LANES && r == 0; lane++)
		r = coverage_lane(p, a, c, lane, counts);
	return r;
}

static Rollcall__Probe *coverage_probe(const struct ladder_event *ev, struct arena *a)
{
	Rollcall__Probe *probe = arena_alloc(a, sizeof(*probe));

	if (!probe)
		return NULL;
	rollcall__probe__init(probe);
	probe->event = arena_strdup(a, ev->name);
	probe->hook = arena_strdup(a, ev->program ? ev->program : "");
	probe->state = arena_strdup(a, ev->program ? "attached" : "missing");
	if (!ev->program)
		probe->reason = arena_strdup(a, strerror(-ev->error));
	return probe->event && probe->hook && probe->state && probe->reason ? probe : NULL;
}

int probe_coverage(const struct probe *p, struct arena *a, Rollcall__Coverage **ret)
{
	Rollcall__Coverage *c = arena_alloc(a, sizeof(*c));
	const char *state = "healthy";

	if (!c)
		return -ENOMEM;
	rollcall__coverage__init(c);
	/* One more for probe_files_gone(). */
	c->probes = arena_alloc(a, (p->choice.ladder.n + 1) * sizeof(*c->probes));
	for (unsigned i = 0; c->probes && i < p->choice.ladder.n; i++) {
		c->probes[c->n_probes] = coverage_probe(&p->choice.ladder.events[i], a);
		if (!c->probes[c->n_probes++])
			return -ENOMEM;
		if (!p->choice.ladder.events[i].program)
			state = "degraded";
	}
	c->state = arena_strdup(a, state);
	c->pins = arena_strdup(a, p->pins	  ? "kept"
				  : p->pins_error ? strerror(-p->pins_error)
						  : "off");
	*ret = c;
	return c->state && c->pins ? coverage_lanes(p, a, c) : -ENOMEM;
}

Rollcall__Event *probe_files_gone(const struct probe *p, struct arena *a, uint64_t time,
				  const char *table)
{
	Rollcall__Probe *blind = arena_alloc(a, sizeof(*blind));
	Rollcall__Event *ev = arena_alloc(a, sizeof(*ev));
	Rollcall__Coverage *c;

	if (!blind || !ev || probe_coverage(p, a, &c) < 0)
		return NULL;
	rollcall__probe__init(blind);
	rollcall__event__init(ev);
	blind->event = arena_strdup(a, "file_read");
	blind->hook = arena_strdup(a, "");
	blind->state = c->state = arena_strdup(a, "degraded");
	blind->reason = arena_printf(a, "%s: a file of it that setup found is gone", table);
	if (!blind->event || !blind->hook || !blind->state || !blind->reason)
		return NULL;
	c->probes[c->n_probes++] = blind;
	ev->time = time;
	ev->kind_case = ROLLCALL__EVENT__KIND_COVERAGE;
	ev->coverage = c;
	return ev;
}
