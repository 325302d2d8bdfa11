// SPDX-License-Identifier: Apache-2.0
// Which programs of the object are in use on this kernel. There is no list of probes: the object's
// own program names are the list. Called by probe.c.
#include "sensor/choice.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/clean.h"
#include "lib/log.h"
#include "sensor/trial.h"

/* Their programs begin with the marks of interest.h, of a file or of a task. */
static const char *const watched[] = {
	"file_change", "file_close",   "file_unlink",  "file_rename", "file_link",
	"file_mode",   "file_owner",   "file_times",   "file_size",   "file_xattr",
	"fd_dup",      "lineage_exec", "lineage_fork", "lineage",
};

static bool is_idle(const struct choice *c, const char *program)
{
	const char *sep = strstr(program, "__");
	size_t n = sep ? (size_t)(sep - program) : 0;

	for (unsigned i = 0; c->unwatched && i < sizeof(watched) / sizeof(watched[0]); i++)
		if (strncmp(program, watched[i], n) == 0 && !watched[i][n])
			return true;
	return false;
}

/* It, or another program of its rung: a rung is taken whole. */
bool choice_refused(const struct choice *c, const char *program)
{
	char event[48], other[48];
	int rank = ladder_rank(program, event, sizeof(event));

	for (unsigned i = 0; i < c->n_refused; i++) {
		const char *refused = c->refused[i].program;

		if (strcmp(refused, program) == 0)
			return true;
		if (rank >= 0 && ladder_rank(refused, other, sizeof(other)) == rank &&
		    strcmp(other, event) == 0)
			return true;
	}
	return false;
}

/* Of what was not refused. An event that has nothing left says why. */
int choice_make(struct choice *c, struct bpf_object *obj, ladder_trial_fn trial, void *ctx)
{
	_cleanup_(trial_freep) struct trial *kernel = NULL;
	const char *programs[PROGRAMS_MAX];
	struct bpf_program *prog;
	size_t n = 0;
	int r = trial ? 0 : trial_new(obj, &kernel);

	if (r < 0)
		return log_error(r,
				 "probe: cannot read the kernel's types (/sys/kernel/btf/vmlinux)");
	bpf_object__for_each_program(prog, obj) {
		if (n == PROGRAMS_MAX)
			return -E2BIG;
		if (!choice_refused(c, bpf_program__name(prog)) &&
		    !is_idle(c, bpf_program__name(prog)))
			programs[n++] = bpf_program__name(prog);
	}
	memset(&c->ladder, 0, sizeof(c->ladder));
	ladder_choose(&c->ladder, programs, n, trial ? trial : trial_hook, trial ? ctx : kernel);
	for (unsigned i = 0; i < c->n_refused; i++) {
		const char *name = c->refused[i].program;
		char event[64];
		struct ladder_event *ev;

		if (ladder_rank(name, event, sizeof(event)) < 0)
			snprintf(event, sizeof(event), "%s", name);
		ev = ladder_event(&c->ladder, event);
		if (ev && !ev->program)
			ev->error = c->refused[i].error;
	}
	return 0;
}

/* <event>__beside_<hook>: what that hook does not see is seen by it. */
static bool is_beside(const char *program)
{
	return strstr(program, "__beside_") != NULL;
}

static bool beside_wanted(struct choice *c, const char *program)
{
	const char *sep = strstr(program, "__beside_");
	struct ladder_event *ev;
	char name[48];

	snprintf(name, sizeof(name), "%.*s", (int)(sep - program), program);
	ev = ladder_event(&c->ladder, name);
	snprintf(name, sizeof(name), "%.*s__%s", (int)(sep - program), program,
		 sep + strlen("__beside_"));
	return ev && ev->program && strcmp(ev->program, name) == 0;
}

bool choice_beside(struct choice *c, const char *program)
{
	return is_beside(program) && choice_has(c, program);
}

bool choice_has(struct choice *c, const char *program)
{
	if (choice_refused(c, program) || is_idle(c, program))
		return false;
	if (is_beside(program))
		return beside_wanted(c, program);
	if (strstr(program, "__dispatch"))
		return ladder_uses(&c->ladder, "sys_exit");
	if (ladder_rank(program, NULL, 0) < 0)
		return strstr(program, "__uprobe") || strstr(program, "__uretprobe") ||
		       strstr(program, "__iter") || strstr(program, "__syscall");
	return ladder_chosen(&c->ladder, program);
}

unsigned choice_refuse(struct choice *c, struct bpf_object *obj, const bool *suspect)
{
	struct bpf_program *prog;
	unsigned before = c->n_refused, i = 0;

	bpf_object__for_each_program(prog, obj) {
		const char *name = bpf_program__name(prog);
		int r = suspect[i++] ? trial_program(name) : 0;
		struct refused *refused = &c->refused[c->n_refused];

		if (r == 0 || c->n_refused == REFUSED_MAX)
			continue;
		log_warn(r, "probe: this kernel refuses %s", name);
		snprintf(refused->program, sizeof(refused->program), "%s", name);
		refused->error = r;
		c->n_refused++;
	}
	return c->n_refused - before;
}
