// links: tests/kernel/support/{check,storm}.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,filewatch,watch,ladder,syscall,trial,kernel_types,verify,sandbox,elf,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Loss closes: storms of files, connections and programs from every core, whose makers count for
// themselves what they did. Nobody reads the rings meanwhile: starved for real. Then, for each
// kind: made = read + declared lost; where nothing was lost, to the event; and no exec, fork or
// exit is ever missing. ROUNDS (default 10), CALLS: acts of a flooding maker and round (20000).
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/storm.h"
#include "lib/arena.h"
#include "lib/event.h"
#include "lib/log.h"
#include "lib/record.h"
#include "sensor/filewatch.h"
#include "sensor/probe.h"

#define CRIT 0

static struct {
	struct probe *probe;
	struct arena *arena;
	struct storm *storm;
	uint64_t read[STORM_KINDS]; /* records of the makers, by kind */
} t;

struct counts {
	uint64_t written, lost, read;
};

static void on_record(void *ctx, const void *record, size_t size)
{
	const Rollcall__Task *task;
	Rollcall__Event *ev;
	unsigned truncated;

	(void)ctx;
	arena_reset(t.arena);
	if (record_decode(t.arena, record, size, &ev, &truncated) < 0) {
		check("decode", "malformed record", false);
		return;
	}
	task = event_task(ev);
	if (task && task->uid == t.storm->uid)
		t.read[ev->kind_case]++;
}

/* By kind, as the kernel counted; the sum of what lane crit lost is at 0. */
static void kernel_counts(struct counts *all)
{
	struct arena *a = arena_new(64 * 1024);
	Rollcall__Coverage *c = NULL;

	memset(all, 0, STORM_KINDS * sizeof(*all));
	check("coverage", "readable", probe_coverage(t.probe, a, &c) == 0);
	for (size_t i = 0; c && i < c->n_counts; i++) {
		const Rollcall__Count *n = c->counts[i];
		const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(
			&rollcall__event__descriptor, n->event);
		struct counts *to = &all[f->id];

		to->written += n->written;
		to->lost += n->dropped + n->throttled;
		to->read += n->read;
	}
	if (c)
		all[0].lost = c->lanes[CRIT]->dropped + c->lanes[CRIT]->throttled;
	arena_free(a);
}

/* Of one round: what the makers made, what was read of it, what the kernel says was lost. */
static uint64_t kind_closes(unsigned kind, uint64_t lost)
{
	char name[32];
	uint64_t made = storm_made(t.storm, kind), read = t.read[kind];

	snprintf(name, sizeof(name), "kind %u", kind);
	check(name, "none is read twice", read <= made);
	check(name, "none is missing that was not declared", made <= read + lost);
	/* What others lose of a kind is among the declared. */
	if (!lost || storm_is_alone(kind))
		check_number(name, "made = read + lost", read + lost, made);
	if (storm_is_crit(kind))
		check_number(name, "of lane crit: made = read", read, made);
	if (!(made <= read + lost) || read > made)
		printf("\tmade %llu, read %llu, lost %llu\n", (unsigned long long)made,
		       (unsigned long long)read, (unsigned long long)lost);
	return lost;
}

static void round_run(const char *name, const struct storm_part *parts)
{
	struct counts before[STORM_KINDS], now[STORM_KINDS];
	uint64_t lost = 0, crit = 0;
	double rate, alone;

	while (probe_consume(t.probe) > 0)
		;
	memset(t.read, 0, sizeof(t.read));
	kernel_counts(before);
	check_number(name, "storm begins", (uint64_t)storm_begin(t.storm, parts), 0);
	check_number(name, "makers that failed", (uint64_t)storm_end(t.storm), 0);
	while (probe_consume(t.probe) > 0)
		;
	kernel_counts(now);
	for (unsigned kind = 1; kind < STORM_KINDS; kind++) {
		if (!storm_knows(kind))
			continue;
		lost += kind_closes(kind, now[kind].lost - before[kind].lost);
		crit += storm_is_crit(kind) ? storm_made(t.storm, kind) : 0;
		if (storm_is_alone(kind))
			check_number(name, "written = read", now[kind].read, now[kind].written);
	}
	check_number(name, "lane crit lost", now[0].lost, before[0].lost);
	rate = storm_rate(t.storm, &alone);
	printf("%s: %.0f bulk events/s offered (%.0f/s of the makers' CPU time); %llu lost and "
	       "declared; crit: all %llu\n",
	       name, rate, alone, (unsigned long long)lost, (unsigned long long)crit);
}

static int setup(void)
{
	struct probe_opts opts = {.record = on_record};
	struct filewatch_key key;
	uint32_t mark = 1;
	int r;

	t.storm->uid = (uid_t)(100000 + getpid()); /* of nobody */
	strcpy(t.storm->dir, "/tmp/rollcall_loss.XXXXXX");
	if (!mkdtemp(t.storm->dir) || chown(t.storm->dir, t.storm->uid, (gid_t)-1))
		return -errno;
	r = probe_new(&opts, &t.probe);
	if (r == 0)
		r = filewatch_key(t.storm->dir, &key);
	return r ? r : probe_map_watch(t.probe, "watched_tree", &key, &mark);
}

static unsigned number(const char *variable, unsigned otherwise)
{
	const char *value = getenv(variable);

	return value ? (unsigned)atoi(value) : otherwise;
}

int main(void)
{
	unsigned rounds = number("ROUNDS", 10), calls = number("CALLS", 20000);
	const struct storm_part calm[] = {{"exec", 50}, {"file", 100},	  {"unix", 500},
					  {"tcp", 200}, {"unsent", 1000}, {}};
	const struct storm_part flood[] = {{"file", calls / 4},	  {"unsent", 4 * calls},
					   {"unix", calls / 100}, {"tcp", calls / 100},
					   {"exec", 50},	  {}};
	char command[128];
	int r;

	log_open("loss", LOG_LEVEL_WARN);
	t.arena = arena_new(64 * 1024);
	t.storm = mmap(NULL, sizeof(*t.storm), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	r = setup();
	if (r < 0) {
		fprintf(stderr, "loss: cannot start: %s\n", strerror(-r));
		return 1;
	}
	round_run("calm", calm);
	for (unsigned i = 1; i <= rounds; i++) {
		char name[32];

		snprintf(name, sizeof(name), "round %u", i);
		round_run(name, flood);
	}
	probe_freep(&t.probe);
	arena_freep(&t.arena);
	snprintf(command, sizeof(command), "rm -rf %s", t.storm->dir);
	check("end", "the directory is removed", system(command) == 0);
	return check_close();
}
