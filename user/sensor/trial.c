// SPDX-License-Identifier: Apache-2.0
// Does this kernel take a program? Asked by doing it, not by the kernel's version.
#include "sensor/trial.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/clean.h"
#include "rollcall.skel.h"

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

int trial_program(const char *name, bool attach)
{
	struct rollcall *skel;
	struct bpf_program *prog;
	struct bpf_link *link;
	int r;

	if (strstr(name, "__lsm") && !lsm_calls_bpf())
		return -EOPNOTSUPP;
	skel = rollcall__open();
	if (!skel)
		return -errno;
	prog = bpf_object__find_program_by_name(skel->obj, name);
	bpf_program__set_autoload(prog, true);
	r = bpf_object__load(skel->obj);
	if (r == 0 && attach) {
		link = bpf_program__attach(prog);
		r = link ? 0 : -errno;
		bpf_link__destroy(link);
	}
	rollcall__destroy(skel);
	return r;
}
