// SPDX-License-Identifier: Apache-2.0
// Which calls each event wants. A call is wanted by one event: what needs the same call is one
// program. Called by probe.c.
#include "sensor/syscall.h"

#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "event.pb-c.h"

#define CALLS_MAX 16

/* No call, but what the program of another event leaves to this one; its slot as in bpf/syscall.h.
 */
#define CONNECT_INET "connect, not unix"
#define DUP_LOW	     "dup to 0, 1 or 2"
#define SEND_MARIADB "sendto, MariaDB"
#define RECV_MARIADB "recvfrom, MariaDB"

static const struct {
	const char *call;
	int slot;
} left[] = {
	{CONNECT_INET, 2 * SYSCALL_MAX},
	{DUP_LOW, 2 * SYSCALL_MAX + 1},
	{SEND_MARIADB, 2 * SYSCALL_MAX + 2},
	{RECV_MARIADB, 2 * SYSCALL_MAX + 3},
};

/*
 * In parentheses the shape, a letter for each argument: d n directory and name, D N of the new name
 * of a call with two, f descriptor (of sendfile that it writes to, d that it reads), v w values, F
 * flags, _ of no interest.
 */
static const struct {
	const char *event;
	const char *calls[CALLS_MAX];
} wants[] = {
	{"file_read",
	 {"open(_v)", "creat", "openat(__v)", "openat2(__w)", "open_by_handle_at(__v)"}},
	{"file_write",
	 {"write(fv)", "pwrite64(fv)", "writev(fw)", "pwritev(fw)", "pwritev2(fw)", "sendfile(fd)",
	  "sendfile64(fd)", "splice(__f)", "copy_file_range(__f)"}},
	{"file_close",
	 {"close(v)", "close_range(vw)", "dup(f)", "dup2(fv)", "dup3(fv)", "fcntl(fw)",
	  "fcntl64(fw)"}},
	{"file_unlink", {"unlink(n)", "unlinkat(dnF)", "rmdir(n)"}},
	{"file_rename", {"rename(nN)", "renameat(dnDN)", "renameat2(dnDN)"}},
	{"file_link", {"link(nN)", "linkat(dnDN)", "symlink(vN)", "symlinkat(vDN)"}},
	{"file_mode", {"chmod(nv)", "fchmod(fv)", "fchmodat(dnv)", "fchmodat2(dnv)"}},
	{"file_owner",
	 {"chown(nvw)", "lchown(nvw)", "fchown(fvw)", "fchownat(dnvw)", "chown32(nvw)",
	  "lchown32(nvw)", "fchown32(fvw)"}},
	{"file_times",
	 {"utime(n)", "utimes(n)", "futimesat(dn)", "utimensat(dn)", "utimensat_time64(dn)"}},
	{"file_size", {"truncate(nv)", "ftruncate(fv)", "truncate64(nv)", "ftruncate64(fv)"}},
	{"file_xattr",
	 {"setxattr(nv)", "lsetxattr(nv)", "fsetxattr(fv)", "setxattrat(dn_v)", "removexattr(nv)",
	  "lremovexattr(nv)", "fremovexattr(fv)", "removexattrat(dn_v)"}},
	{"fd_dup", {DUP_LOW}},
	{"mount", {"mount(vnwF)", "move_mount(dnDN)", "umount2(nF)"}},
	{"process_access",
	 {"ptrace(vw)", "process_vm_readv(w)", "process_vm_writev(w)", "pidfd_getfd(f)"}},
	{"bpf_access", {"bpf(vw)"}},
	{"module_load", {"init_module", "finit_module(f)"}},
	{"kexec", {"kexec_load", "kexec_file_load(f)"}},
	{"clock_set", {"clock_settime(vw)", "clock_settime64(vw)", "settimeofday(w)"}},
	{"clock_step", {"adjtimex(w)", "clock_adjtime(vw)", "clock_adjtime64(vw)"}},
	{"cred_change",
	 {"setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups",
	  "capset", "setuid32", "setgid32", "setreuid32", "setregid32", "setresuid32",
	  "setresgid32", "setgroups32"}},
	{"no_new_privs", {"prctl"}},
	{"ns_change", {"unshare", "setns"}},
	{"pg_send", {"sendto"}},
	{"pg_receive", {"recvfrom"}},
	{"tcp_accept", {"accept", "accept4"}},
	{"unix_connect", {"connect"}},
	{"tcp_unsent", {CONNECT_INET}},
	{"raw_socket", {"socket"}},
	{"mysql_send", {SEND_MARIADB}},
	{"mysql_receive", {RECV_MARIADB}},
};
#define WANTS (sizeof(wants) / sizeof(wants[0]))

/* Of file_change, which is one event in several ladders. */
static const struct {
	const char *event;
	uint8_t aspect;
} aspects[] = {
	{"file_mode", ROLLCALL__FILE_ASPECT__mode},   {"file_owner", ROLLCALL__FILE_ASPECT__owner},
	{"file_times", ROLLCALL__FILE_ASPECT__times}, {"file_size", ROLLCALL__FILE_ASPECT__size},
	{"file_xattr", ROLLCALL__FILE_ASPECT__xattr},
};

static uint8_t aspect_of(const char *event)
{
	for (unsigned i = 0; i < sizeof(aspects) / sizeof(aspects[0]); i++)
		if (strcmp(aspects[i].event, event) == 0)
			return aspects[i].aspect;
	return 0;
}

/* The 32-bit architecture whose programs a kernel of this one runs, or 0. */
static uint32_t arch_compat(void)
{
	return seccomp_arch_native() == SCMP_ARCH_X86_64 ? SCMP_ARCH_X86 : 0;
}

/*
 * Not in Debian 12's libseccomp, or in an older way only: i386 has the calls for sockets twice,
 * bpf/syscall.h counts the older way as these. Numbers from 424 on are the same everywhere.
 */
static const struct {
	const char *call;
	int nr;
	uint32_t arch; /* 0: any */
} numbers[] = {
	{"socket", 359, SCMP_ARCH_X86}, {"connect", 362, SCMP_ARCH_X86},
	{"listen", 363, SCMP_ARCH_X86}, {"accept4", 364, SCMP_ARCH_X86},
	{"close_range", 436, 0},	{"fchmodat2", 452, 0},
	{"setxattrat", 463, 0},		{"removexattrat", 466, 0},
};

static int call_number(const char *call, uint32_t arch)
{
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if ((!numbers[i].arch || numbers[i].arch == arch) &&
		    strcmp(call, numbers[i].call) == 0)
			return numbers[i].nr;
	return seccomp_syscall_resolve_name_arch(arch, call);
}

/* NULL for an argument of no interest. */
static uint8_t *shape_field(struct syscall_shape *s, char letter)
{
	switch (letter) {
	case 'd':
		return &s->dir;
	case 'n':
		return &s->name;
	case 'D':
		return &s->new_dir;
	case 'N':
		return &s->new_name;
	case 'f':
		return &s->fd;
	case 'v':
		return &s->value;
	case 'w':
		return &s->value2;
	case 'F':
		return &s->flags;
	default:
		return NULL;
	}
}

/* "unlinkat(dn)": the name, cut off at its shape; the shape. */
static void call_parse(const char *text, char *name, size_t size, struct syscall_shape *shape)
{
	size_t n = strcspn(text, "(");

	snprintf(name, size, "%.*s", (int)n, text);
	memset(shape, 0, sizeof(*shape));
	for (uint8_t i = 1; text[n] && text[n + i] && text[n + i] != ')'; i++) {
		uint8_t *field = shape_field(shape, text[n + i]);

		if (field)
			*field = i;
	}
}

static int call_slot(const char *call, bool compat)
{
	uint32_t arch = compat ? arch_compat() : seccomp_arch_native();
	int nr = arch ? call_number(call, arch) : -1;

	for (unsigned i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		if (strcmp(call, left[i].call) == 0)
			return compat ? -ENOSYS : left[i].slot;
	/* libseccomp gives negative numbers to calls that an architecture does not have. */
	if (nr < 0 || nr >= SYSCALL_MAX)
		return -ENOSYS;
	return compat ? SYSCALL_MAX + nr : nr;
}

const char *syscall_event(unsigned i)
{
	return i < WANTS ? wants[i].event : NULL;
}

int syscall_slot(const char *event, unsigned n, struct syscall_shape *ret_shape)
{
	char call[32];

	for (unsigned i = 0; i < WANTS; i++) {
		if (strcmp(wants[i].event, event) != 0)
			continue;
		if (n / 2 >= CALLS_MAX || !wants[i].calls[n / 2])
			return -ENOENT;
		call_parse(wants[i].calls[n / 2], call, sizeof(call), ret_shape);
		ret_shape->aspect = aspect_of(event);
		return call_slot(call, n % 2);
	}
	return -ENOENT;
}
