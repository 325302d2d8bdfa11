// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Raw and packet sockets made by a child in every way, and sockets that are of no interest.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/ends.h"
#include "kernel/support/way.h"
#include "kernel/support/witness.h"

#define RAW ROLLCALL__EVENT__KIND_RAW_SOCKET

static int make_plain(int family, int type, int protocol)
{
	return socket(family, type, protocol);
}

static int make_i386(int family, int type, int protocol)
{
	return (int)way_i386(359, (long[6]){family, type, protocol});
}

static int make_socketcall(int family, int type, int protocol)
{
	return (int)way_socketcall(1, (long[6]){family, type, protocol});
}

static int make_uring(int family, int type, int protocol)
{
	return (int)way_uring(&(struct io_uring_sqe){
		.opcode = IORING_OP_SOCKET,
		.fd = family,
		.off = (uint64_t)type,
		.len = (uint32_t)protocol,
	});
}

static int make_denied(int family, int type, int protocol)
{
	return setuid(65534) || socket(family, type, protocol) >= 0 || errno != EPERM ? -1 : 0;
}

static bool always(void)
{
	return true;
}

/* In 5.19 and later. */
static bool uring_makes(void)
{
	return way_has_uring() && make_uring(AF_INET, SOCK_STREAM, 0) >= 0;
}

static const struct test {
	const char *name;
	int (*make)(int family, int type, int protocol);
	bool (*possible)(void);
	int family, type, protocol;
	int told; /* protocol as the event has it; -1: no event */
	bool fallback_blind;
} tests[] = {
	{"raw, IPv4", make_plain, always, AF_INET, SOCK_RAW, IPPROTO_ICMP, IPPROTO_ICMP, false},
	{"raw, IPv4, own headers", make_plain, always, AF_INET, SOCK_RAW, IPPROTO_RAW, IPPROTO_RAW,
	 false},
	{"raw, IPv6", make_plain, always, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, IPPROTO_ICMPV6,
	 false},
	{"packet, raw", make_plain, always, AF_PACKET, SOCK_RAW, 0x0300, ETH_P_ALL, false},
	{"packet, cooked", make_plain, always, AF_PACKET, SOCK_DGRAM, 0x0008, ETH_P_IP, false},
	{"packet, not bound", make_plain, always, AF_PACKET, SOCK_RAW, 0, 0, false},
	{"raw, with flags", make_plain, always, AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
	 IPPROTO_TCP, IPPROTO_TCP, false},
	{"socket, 32-bit", make_i386, way_has_i386, AF_INET, SOCK_RAW, IPPROTO_UDP, IPPROTO_UDP,
	 false},
	{"socketcall(2)", make_socketcall, way_has_i386, AF_PACKET, SOCK_RAW, 0x0300, ETH_P_ALL,
	 false},
	{"io_uring", make_uring, uring_makes, AF_INET, SOCK_RAW, IPPROTO_ICMP, IPPROTO_ICMP, true},
	{"TCP", make_plain, always, AF_INET, SOCK_STREAM, 0, -1, false},
	{"UDP", make_plain, always, AF_INET6, SOCK_DGRAM, 0, -1, false},
	{"netlink", make_plain, always, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, -1, false},
	{"unix", make_plain, always, AF_UNIX, SOCK_RAW, 0, -1, false},
	{"denied", make_denied, always, AF_PACKET, SOCK_RAW, 0x0300, -1, false},
};

static const struct test *test;

static int child(void)
{
	return test->make(test->family, test->type, test->protocol) < 0;
}

static void event_check(const Rollcall__Event *ev, pid_t pid)
{
	check(test->name, "event", ev != NULL);
	if (!ev)
		return;
	ends_check_task(test->name, ev->raw_socket->task, pid);
	check_number(test->name, "family", ev->raw_socket->family, (uint64_t)test->family);
	check_number(test->name, "type", ev->raw_socket->type, (uint64_t)(test->type & 0xf));
	check_number(test->name, "protocol", ev->raw_socket->protocol, (uint64_t)test->told);
}

int main(void)
{
	int status;
	bool seen;
	pid_t pid;

	if (!witness_open("raw_socket"))
		return 1;
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
		test = &tests[i];
		if (!test->possible())
			continue;
		pid = witness_run(child, &status);
		check_number(test->name, "child", (uint64_t)status, 0);
		seen = test->told >= 0 &&
		       !(test->fallback_blind && strstr(witness_hook("raw_socket"), "sys_exit"));
		if (seen)
			event_check(witness_wait(RAW, pid, 1), pid);
		check_number(test->name, "events", witness_count(RAW, pid), seen);
		if (test->told >= 0)
			ends_coverage("raw_socket", test->name, witness_hook("raw_socket"), seen);
	}
	return witness_close();
}
