// links: user/sensor/hostnames.c
// SPDX-License-Identifier: Apache-2.0
// Names of peers: from the answers before a connection, the last one for an address, for a day, and
// no more of them than there is room for.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "lib/arena.h"
#include "sensor/hostnames.h"

#define SECOND 1000000000ull

static struct hostnames *names;
static struct arena *arena;

static int begin(void **state)
{
	(void)state;
	names = hostnames_new();
	arena = arena_new(4096);
	return names && arena ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	hostnames_free(names);
	arena_free(arena);
	return 0;
}

static void event(Rollcall__Event *ev, uint64_t seconds, Rollcall__Event__KindCase kind)
{
	rollcall__event__init(ev);
	ev->time = seconds * SECOND;
	ev->kind_case = kind;
}

static void answers(uint64_t seconds, const char *name, const char *addresses, unsigned rcode)
{
	Rollcall__Event ev;
	Rollcall__Dns dns;

	event(&ev, seconds, ROLLCALL__EVENT__KIND_DNS);
	rollcall__dns__init(&dns);
	dns.response = true;
	dns.name = (char *)(uintptr_t)name;
	dns.addresses = (char *)(uintptr_t)addresses;
	dns.rcode = rcode;
	ev.dns = &dns;
	hostnames_event(names, arena, &ev);
}

static const char *connects(uint64_t seconds, const char *address)
{
	Rollcall__Event ev;
	Rollcall__TcpConnect c;
	Rollcall__Endpoint remote;

	event(&ev, seconds, ROLLCALL__EVENT__KIND_TCP_CONNECT);
	rollcall__tcp_connect__init(&c);
	rollcall__endpoint__init(&remote);
	remote.address = (char *)(uintptr_t)address;
	c.remote = &remote;
	ev.tcp_connect = &c;
	hostnames_event(names, arena, &ev);
	return c.remote_name;
}

static void last_answer(void **state)
{
	(void)state;
	assert_string_equal(connects(1, "10.0.0.1"), "");
	answers(2, "pool.example", "10.0.0.1 10.0.0.2 [fd00::1]", 0);
	assert_string_equal(connects(3, "10.0.0.1"), "pool.example");
	assert_string_equal(connects(3, "10.0.0.2"), "pool.example");
	assert_string_equal(connects(3, "[fd00::1]"), "pool.example");
	assert_string_equal(connects(3, "10.0.0.3"), "");
	assert_string_equal(connects(3, "10.0.0"), "");
	answers(4, "cdn.example", "10.0.0.1", 0);
	assert_string_equal(connects(5, "10.0.0.1"), "cdn.example");
	assert_string_equal(connects(5, "10.0.0.2"), "pool.example");
	answers(6, "none.example", "10.0.0.1", 3);
	assert_string_equal(connects(7, "10.0.0.1"), "cdn.example");
	assert_string_equal(connects(4 + HOSTNAMES_SECONDS - 1, "10.0.0.1"), "cdn.example");
	assert_string_equal(connects(4 + HOSTNAMES_SECONDS, "10.0.0.1"), "");
}

static void udp(void **state)
{
	Rollcall__Event ev;
	Rollcall__UdpSend u;
	Rollcall__Endpoint remote;

	(void)state;
	answers(1, "x.example", "10.0.0.1", 0);
	event(&ev, 2, ROLLCALL__EVENT__KIND_UDP_SEND);
	rollcall__udp_send__init(&u);
	rollcall__endpoint__init(&remote);
	remote.address = (char *)(uintptr_t) "10.0.0.1";
	u.remote = &remote;
	ev.udp_send = &u;
	hostnames_event(names, arena, &ev);
	assert_string_equal(u.remote_name, "x.example");
}

static void bounded(void **state)
{
	char address[32];

	(void)state;
	answers(1, "kept.example", "10.9.9.9", 0);
	for (unsigned i = 0; i < HOSTNAMES_MAX; i++) {
		snprintf(address, sizeof(address), "10.0.%u.%u", i / 256, i % 256);
		answers(2, "flood.example", address, 0);
		if (i == HOSTNAMES_MAX / 2)
			answers(2, "kept.example", "10.9.9.9", 0);
	}
	assert_string_equal(connects(3, "10.9.9.9"), "kept.example");
	assert_string_equal(connects(3, "10.0.0.0"), "");
	assert_string_equal(connects(3, "10.0.15.255"), "flood.example");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(last_answer, begin, end),
		cmocka_unit_test_setup_teardown(udp, begin, end),
		cmocka_unit_test_setup_teardown(bounded, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
