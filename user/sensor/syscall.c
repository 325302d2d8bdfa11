// SPDX-License-Identifier: Apache-2.0
// Which calls each event wants. A call is wanted by one event: what needs the same call is one
// program. Called by probe.c.
#include "sensor/syscall.h"

#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>

#define SYSCALL_MAX (SYSCALL_SLOTS / 2)
#define CALLS_MAX   16

/* No call, but what the program of another event leaves to this one; its slot as in bpf/syscall.h.
 */
#define CONNECT_INET	  "connect, not unix"
#define CONNECT_INET_SLOT (2 * SYSCALL_MAX)

static const struct {
	const char *event;
	const char *calls[CALLS_MAX];
} wants[] = {
	{"file_read", {"open", "openat", "openat2", "open_by_handle_at"}},
	{"cred_change",
	 {"setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups",
	  "capset", "setuid32", "setgid32", "setreuid32", "setregid32", "setresuid32",
	  "setresgid32", "setgroups32"}},
	{"no_new_privs", {"prctl"}},
	{"ns_change", {"unshare", "setns"}},
	{"tcp_accept", {"accept", "accept4"}},
	{"unix_connect", {"connect"}},
	{"tcp_unsent", {CONNECT_INET}},
	{"raw_socket", {"socket"}},
};
#define WANTS (sizeof(wants) / sizeof(wants[0]))

/* The 32-bit architecture whose programs a kernel of this one runs, or 0. */
static uint32_t arch_compat(void)
{
	return seccomp_arch_native() == SCMP_ARCH_X86_64 ? SCMP_ARCH_X86 : 0;
}

/* i386 has these twice; libseccomp knows the older way only, which bpf/syscall.h counts as these.
 */
static const struct {
	const char *call;
	int nr;
} i386_sockets[] = {{"socket", 359}, {"connect", 362}, {"listen", 363}, {"accept4", 364}};

static int call_number(const char *call, uint32_t arch)
{
	for (unsigned i = 0; i < sizeof(i386_sockets) / sizeof(i386_sockets[0]); i++)
		if (arch == SCMP_ARCH_X86 && strcmp(call, i386_sockets[i].call) == 0)
			return i386_sockets[i].nr;
	return seccomp_syscall_resolve_name_arch(arch, call);
}

static int call_slot(const char *call, bool compat)
{
	uint32_t arch = compat ? arch_compat() : seccomp_arch_native();
	int nr = arch ? call_number(call, arch) : -1;

	if (strcmp(call, CONNECT_INET) == 0)
		return compat ? -ENOSYS : CONNECT_INET_SLOT;
	/* libseccomp gives negative numbers to calls that an architecture does not have. */
	if (nr < 0 || nr >= SYSCALL_MAX)
		return -ENOSYS;
	return compat ? SYSCALL_MAX + nr : nr;
}

const char *syscall_event(unsigned i)
{
	return i < WANTS ? wants[i].event : NULL;
}

int syscall_slot(const char *event, unsigned n)
{
	for (unsigned i = 0; i < WANTS; i++) {
		if (strcmp(wants[i].event, event) != 0)
			continue;
		if (n / 2 >= CALLS_MAX || !wants[i].calls[n / 2])
			return -ENOENT;
		return call_slot(wants[i].calls[n / 2], n % 2);
	}
	return -ENOENT;
}
