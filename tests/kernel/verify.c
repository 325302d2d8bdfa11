// links: tests/kernel/support/check.c user/sensor/verify.c
// SPDX-License-Identifier: Apache-2.0
// Programs that several processors verify at once: each descriptor is that of its program, and of
// what the kernel refuses it is told which that was.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "rollcall.skel.h"
#include "sensor/choice.h"
#include "sensor/verify.h"

static const char *const wanted[] = {"signal__tp_btf", "guard_exit__tp_btf", "pg_tls_write__uprobe",
				     "mysql_close__uprobe"};
#define WANTED (sizeof(wanted) / sizeof(wanted[0]))

static bool is_wanted(const char *name)
{
	for (unsigned i = 0; i < WANTED; i++)
		if (strcmp(wanted[i], name) == 0)
			return true;
	return false;
}

static struct rollcall *object_open(void)
{
	struct rollcall *skel = rollcall__open();
	struct bpf_program *prog;

	if (!skel)
		return NULL;
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, is_wanted(bpf_program__name(prog)));
	return skel;
}

/* The kernel's name of a program is cut. */
static bool is_program(int fd, const char *name)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) == 0 &&
	       strncmp(info.name, name, sizeof(info.name) - 1) == 0;
}

static void taken_check(void)
{
	struct rollcall *skel = object_open();
	bool refused[PROGRAMS_MAX] = {};
	struct bpf_program *prog;
	int fds[PROGRAMS_MAX];
	unsigned i = 0, n = 0;

	check_number("taken", "result", (uint64_t)verify_object(skel->obj, fds, refused), 0);
	bpf_object__for_each_program(prog, skel->obj) {
		const char *name = bpf_program__name(prog);
		int fd = fds[i++];

		check(name, "is there when it is wanted", (fd >= 0) == is_wanted(name));
		if (fd < 0)
			continue;
		check(name, "is that program", is_program(fd, name));
		close(fd);
		n++;
	}
	check_number("taken", "programs", n, WANTED);
	rollcall__destroy(skel);
}

/* A filter of packets may not do what a breakpoint does. */
static void refused_check(void)
{
	struct rollcall *skel = object_open();
	bool refused[PROGRAMS_MAX] = {};
	struct bpf_program *prog;
	int fds[PROGRAMS_MAX];
	unsigned i = 0;

	bpf_program__set_type(skel->progs.pg_tls_write__uprobe, BPF_PROG_TYPE_SOCKET_FILTER);
	check("refused", "result", verify_object(skel->obj, fds, refused) < 0);
	bpf_object__for_each_program(prog, skel->obj)
		check(bpf_program__name(prog), "is told as refused",
		      refused[i++] == (prog == skel->progs.pg_tls_write__uprobe));
	rollcall__destroy(skel);
}

int main(void)
{
	libbpf_set_print(NULL);
	taken_check();
	refused_check();
	return check_close();
}
