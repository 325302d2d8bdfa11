// SPDX-License-Identifier: Apache-2.0
// Does this kernel take it? Asked by doing it, not by the kernel's version.
#include "sensor/trial.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clean.h"
#include "rollcall.skel.h"
#include "sensor/kernel_types.h"

/* Sections, and how the kernel's BTF names what their programs are attached to. */
static const struct {
	const char *section, *prefix;
	unsigned kind;
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
} hooks[] = {
	{"lsm/", "bpf_lsm_", BTF_KIND_FUNC, BPF_PROG_TYPE_LSM, BPF_LSM_MAC},
	{"fentry/", "", BTF_KIND_FUNC, BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY},
	{"fexit/", "", BTF_KIND_FUNC, BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT},
	{"tp_btf/", "btf_trace_", BTF_KIND_TYPEDEF, BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP},
};
#define HOOKS (sizeof(hooks) / sizeof(hooks[0]))

struct trial {
	struct btf *kernel;
	const struct bpf_object *obj; /* borrowed: tells each program's section */
	bool lsm;
	bool attaches[HOOKS]; /* one of that kind could be attached */
};

/*
 * A kernel that was booted without "bpf" among its security modules takes and attaches LSM
 * programs, and never calls them (seen on 6.12): only this list tells.
 */
static bool lsm_calls_bpf(void)
{
	_cleanup_(fclosep) FILE *f = fopen("/sys/kernel/security/lsm", "re");
	char list[256] = "", *module, *rest = list;

	if (!f || !fgets(list, sizeof(list), f))
		return false;
	while ((module = strsep(&rest, ",\n")))
		if (strcmp(module, "bpf") == 0)
			return true;
	return false;
}

int trial_new(const struct bpf_object *obj, struct trial **ret)
{
	_cleanup_(trial_freep) struct trial *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	r = kernel_types_read(obj, &t->kernel);
	if (r < 0)
		return r;
	t->obj = obj;
	t->lsm = lsm_calls_bpf();
	*ret = take_ptr(t);
	return 0;
}

struct trial *trial_free(struct trial *t)
{
	if (t)
		kernel_types_leave(t->kernel);
	free(t);
	return NULL;
}

void trial_freep(struct trial **t)
{
	*t = trial_free(*t);
}

/*
 * Loading is refused when there is no such place. Attaching is tried once for each kind: the kernel
 * waits for all tasks to be out of the way each time.
 */
static int empty_attach(struct trial *t, unsigned hook, const char *target)
{
	/* r0 = 0; exit */
	static const struct bpf_insn insns[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K},
						{.code = BPF_JMP | BPF_EXIT}};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = hooks[hook].attach);
	_cleanup_(closep) int program = -1, link = -1;
	char name[128];
	int id;

	snprintf(name, sizeof(name), "%s%s", hooks[hook].prefix, target);
	id = btf__find_by_name_kind(t->kernel, name, hooks[hook].kind);
	if (id < 0)
		return id;
	opts.attach_btf_id = (__u32)id;
	program = bpf_prog_load(hooks[hook].type, NULL, "Dual BSD/GPL", insns,
				sizeof(insns) / sizeof(insns[0]), &opts);
	if (program < 0)
		return -errno;
	if (t->attaches[hook])
		return 0;
	link = bpf_raw_tracepoint_open(NULL, program);
	if (link < 0)
		return -errno;
	t->attaches[hook] = true;
	return 0;
}

int trial_hook(void *trial, const char *program)
{
	struct trial *t = trial;
	struct bpf_program *prog = bpf_object__find_program_by_name(t->obj, program);
	const char *section = prog ? bpf_program__section_name(prog) : "";

	section += *section == '?'; /* libbpf's mark: not loaded unless asked for */
	for (unsigned i = 0; i < HOOKS; i++) {
		size_t n = strlen(hooks[i].section);

		if (strncmp(section, hooks[i].section, n) != 0)
			continue;
		if (hooks[i].type == BPF_PROG_TYPE_LSM && !t->lsm)
			return -EOPNOTSUPP;
		return empty_attach(t, i, section + n);
	}
	return -ENOENT;
}

int trial_program(const char *program)
{
	struct rollcall *skel = rollcall__open();
	int r;

	if (!skel)
		return -errno;
	bpf_program__set_autoload(bpf_object__find_program_by_name(skel->obj, program), true);
	r = bpf_object__load(skel->obj);
	rollcall__destroy(skel);
	return r;
}
