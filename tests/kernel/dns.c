// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// A child asks, this process answers, on port 53 of a network namespace of the test's own: each
// field of both events against the bytes that really went.
#include <arpa/nameser.h>
#include <errno.h>
#include <net/if.h>
#include <resolv.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/ends.h"
#include "kernel/support/way.h"
#include "kernel/support/witness.h"

#define DNS    ROLLCALL__EVENT__KIND_DNS
#define PORT   53
#define ROOM   4096
#define HEADER 12
#define ID     0x1234

struct packet {
	uint8_t bytes[ROOM];
	size_t n;
};

static const struct test {
	const char *name;
	const char *server; /* address */
	const char *client; /* the same as the child knows it */
	int (*ask)(void);
	bool (*possible)(void);
	const char *asked, *type;
	unsigned records; /* A records in the answer */
	bool alias;	  /* behind a CNAME */
	uint8_t rcode;
	bool question_malformed;
	bool answer_truncated;
} * test;

static struct packet question;
static union address server;
static socklen_t server_size;

/* ---- ways to ask; 0 when an answer came ---- */

/* "\3www..." and so on; the name as it goes over the wire, then type and class. */
static void question_make(const char *wire, size_t n)
{
	static const uint8_t header[HEADER] = {ID >> 8, ID & 0xff, 1, 0, 0, 1};

	memcpy(question.bytes, header, HEADER);
	memcpy(question.bytes + HEADER, wire, n);
	question.n = HEADER + n;
}

#define ASK(s) question_make(s, sizeof(s) - 1)

static int answered(int fd)
{
	uint8_t got[ROOM];

	return recv(fd, got, sizeof(got), 0) <= 0;
}

static int asking_socket(void)
{
	int fd = socket(server.any.sa_family, SOCK_DGRAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){10, 0}, sizeof(struct timeval));
	return fd;
}

static int ask_sendto(void)
{
	int fd = asking_socket();

	ASK("\3www\7example\3org\0\0\1\0\1");
	sendto(fd, question.bytes, question.n, 0, &server.any, server_size);
	return answered(fd);
}

static int ask_write(void)
{
	int fd = asking_socket();

	ASK("\4_ftp\4\0\xff.a\0\0\x21\0\1");
	if (connect(fd, &server.any, server_size) ||
	    write(fd, question.bytes, question.n) != (ssize_t)question.n)
		return 1;
	return read(fd, question.bytes, ROOM) <= 0;
}

static int ask_uring(void)
{
	int fd = asking_socket();

	ASK("\3www\7example\3org\0\0\1\0\1");
	if (connect(fd, &server.any, server_size) ||
	    way_uring(&(struct io_uring_sqe){.opcode = IORING_OP_SEND,
					     .fd = fd,
					     .addr = (uint64_t)question.bytes,
					     .len = (uint32_t)question.n}) <= 0)
		return 1;
	return way_uring(&(struct io_uring_sqe){.opcode = IORING_OP_RECV,
						.fd = fd,
						.addr = (uint64_t)question.bytes,
						.len = ROOM}) <= 0;
}

static int ask_i386(void)
{
	int fd = asking_socket();

	ASK("\3www\7example\3org\0\0\1\0\1");
	way_i386(369, (long[6]){fd, way_low(question.bytes, question.n), (long)question.n, 0,
				way_low(&server, server_size), server_size});
	return answered(fd);
}

/* Not DNS at all: a tunnel. */
static int ask_garbage(void)
{
	int fd = asking_socket();

	memset(question.bytes, 0xee, 300);
	sendto(fd, question.bytes, 300, 0, &server.any, server_size);
	return answered(fd);
}

/* The C library's resolver. */
static int ask_resolver(void)
{
	static struct __res_state res;
	uint8_t got[ROOM];

	res_ninit(&res);
	res.nscount = 1;
	res.nsaddr_list[0] = server.v4;
	res.options &= ~(RES_DNSRCH | RES_DEFNAMES);
	return res_nquery(&res, "intranet.example.org", ns_c_in, ns_t_a, got, sizeof(got)) <= 0 &&
	       test->rcode == 0;
}

static bool always(void)
{
	return true;
}

static const struct test tests[] = {
	{"sendto(2), IPv4", "127.0.0.1", "127.0.0.1", ask_sendto, always, "www.example.org", "A", 2,
	 true, 0, false, false},
	{"sendto(2), IPv6", "::1", "::1", ask_sendto, always, "www.example.org", "A", 1, false, 0,
	 false, false},
	{"sendto(2), v4-mapped", "127.0.0.1", "::ffff:127.0.0.1", ask_sendto, always,
	 "www.example.org", "A", 1, false, 0, false, false},
	{"connect(2), write(2)", "::1", "::1", ask_write, always, "_ftp.\\000\\255\\046a", "SRV", 0,
	 false, 0, false, false},
	{"the C library's resolver", "127.0.0.1", "127.0.0.1", ask_resolver, always,
	 "intranet.example.org", "A", 3, true, 0, false, false},
	{"no such name", "127.0.0.1", "127.0.0.1", ask_resolver, always, "intranet.example.org",
	 "A", 0, false, 3, false, false},
	{"sendto, 32-bit", "127.0.0.1", "127.0.0.1", ask_i386, way_has_i386, "www.example.org", "A",
	 1, false, 0, false, false},
	{"io_uring", "127.0.0.1", "127.0.0.1", ask_uring, way_has_uring, "www.example.org", "A", 1,
	 false, 0, false, false},
	{"a long answer", "127.0.0.1", "127.0.0.1", ask_sendto, always, "www.example.org", "A", 80,
	 false, 0, false, true},
	{"no DNS at all", "127.0.0.1", "127.0.0.1", ask_garbage, always, "", "", 0, false, 0, true,
	 false},
};

/* ---- the server ---- */

static void put(struct packet *p, const void *bytes, size_t n)
{
	memcpy(p->bytes + p->n, bytes, n);
	p->n += n;
}

/* Behind the question, which is told again. */
static void answer_make(struct packet *p, const struct packet *asked, char *addresses)
{
	const uint8_t *end = memchr(asked->bytes + HEADER, 0, asked->n - HEADER);
	uint8_t records = (uint8_t)(test->records + test->alias);
	char *text = addresses;

	*p = (struct packet){};
	*text = '\0';
	if (test->question_malformed) {
		put(p, "not DNS either", 14);
		return;
	}
	if (test->ask == ask_write) /* a label of it holds a 0 */
		end = asked->bytes + HEADER + 10;
	put(p, asked->bytes, 2);
	put(p, (uint8_t[]){0x81, (uint8_t)(0x80 | test->rcode), 0, 1, 0, records, 0, 0, 0, 0}, 10);
	put(p, asked->bytes + HEADER, (size_t)(end - asked->bytes) + 5 - HEADER);
	if (test->alias)
		put(p, "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\5\2cn\xc0\x0c", 17);
	for (unsigned i = 0; i < test->records; i++) {
		put(p, "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\1\2", 15);
		put(p, &(uint8_t){(uint8_t)i}, 1);
		text += sprintf(text, "%s10.1.2.%u", i ? " " : "", i);
	}
}

static int serve_open(void)
{
	union address a;
	socklen_t n = ends_address(&a, test->server, PORT);
	int fd = socket(a.any.sa_family, SOCK_DGRAM, 0);

	check(test->name, "bind", bind(fd, &a.any, n) == 0);
	return fd;
}

/* ---- checks ---- */

static void common_check(const Rollcall__Dns *e, pid_t pid, const union address *client,
			 const struct packet *p, bool malformed)
{
	const char *name = test->name;
	union address a;

	ends_address(&a, test->server, PORT);
	ends_check_task(name, e->task, pid);
	ends_check(name, "local", e->local, client);
	ends_check(name, "remote", e->remote, &a);
	check_number(name, "length", e->length, p->n);
	check_number(name, "query id", e->query_id, (uint64_t)(p->bytes[0] << 8 | p->bytes[1]));
	check_number(name, "malformed", e->malformed, malformed);
	check_number(name, "message", e->message.len, 0);
	if (malformed)
		return;
	check_string(name, "name", e->name, test->asked);
	check_string(name, "type", e->type, test->type);
}

static void question_check(const Rollcall__Event *ev, pid_t pid, const union address *client,
			   const struct packet *p)
{
	const Rollcall__Dns *e;

	check(test->name, "question", ev != NULL);
	if (!ev)
		return;
	e = ev->dns;
	common_check(e, pid, client, p, test->question_malformed);
	check_number(test->name, "response", e->response, test->question_malformed);
	check_number(test->name, "truncated", e->truncated, test->question_malformed); /* 0xee */
	check_string(test->name, "addresses", e->addresses, "");
}

static void answer_check(const Rollcall__Event *ev, pid_t pid, const union address *client,
			 const struct packet *p, const char *addresses)
{
	const Rollcall__Dns *e;
	char alias[64];

	check(test->name, "answer", ev != NULL);
	if (!ev)
		return;
	e = ev->dns;
	common_check(e, pid, client, p, false);
	check_number(test->name, "response", e->response, 1);
	check_number(test->name, "rcode", e->rcode, test->rcode);
	check_number(test->name, "answers", e->answers, test->records + test->alias);
	check_number(test->name, "truncated", e->truncated, test->answer_truncated);
	if (test->answer_truncated)
		check(test->name, "addresses",
		      *e->addresses && strlen(e->addresses) < strlen(addresses) &&
			      strncmp(e->addresses, addresses, strlen(e->addresses)) == 0);
	else
		check_string(test->name, "addresses", e->addresses, addresses);
	snprintf(alias, sizeof(alias), "cn.%s", test->asked);
	check_string(test->name, "names", e->names, test->alias ? alias : "");
}

static void way_check(void)
{
	static struct packet asked, answer;
	static char addresses[ROOM];
	union address client = {};
	socklen_t n = sizeof(client);
	int fd = serve_open(), status;
	pid_t pid;

	witness_settle();
	witness_reset();
	server_size = ends_address(&server, test->client, PORT);
	pid = witness_fork(test->ask);
	asked.n = (size_t)recvfrom(fd, asked.bytes, ROOM, 0, &client.any, &n);
	answer_make(&answer, &asked, addresses);
	/* Twice: nobody asked for the second. */
	for (int i = 0; i < 2; i++)
		sendto(fd, answer.bytes, answer.n, 0, &client.any, n);
	waitpid(pid, &status, 0);
	check_number(test->name, "child", (uint64_t)status, 0);
	witness_settle();
	question_check(witness_event(DNS, pid, 0), pid, &client, &asked);
	if (!test->question_malformed)
		answer_check(witness_event(DNS, pid, 1), pid, &client, &answer, addresses);
	check_number(test->name, "events", witness_count(DNS, pid),
		     test->question_malformed ? 1 : 2);
	check_number(test->name, "server's events", witness_count(DNS, getpid()), 0);
	ends_coverage("dns, question", test->name, witness_hook("udp_send"), true);
	if (!test->question_malformed)
		ends_coverage("dns, answer", test->name, witness_hook("dns_answer"), true);
	close(fd);
}

/* Nobody else on this machine has this port 53. */
static bool namespace_enter(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd;
	bool ok;

	if (unshare(CLONE_NEWNET))
		return false;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	ok = ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
	close(fd);
	return ok;
}

int main(void)
{
	if (!namespace_enter()) {
		perror("dns: network namespace");
		return 1;
	}
	if (!witness_open("dns"))
		return 1;
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
		test = &tests[i];
		if (test->possible())
			way_check();
	}
	return witness_close();
}
