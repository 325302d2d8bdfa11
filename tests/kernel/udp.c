// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Datagrams of a child to this process, sent in every way there is: the first to a peer is told,
// with what the receiver sees of it, and no other.
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/ends.h"
#include "kernel/support/way.h"
#include "kernel/support/witness.h"

#define UDP  ROLLCALL__EVENT__KIND_UDP_SEND
#define SIZE 77

static char data[SIZE];

static struct {
	int (*send)(int fd);
	union address to;
	socklen_t n;
	int fd[2]; /* receivers */
} t;

/* Shared with children. */
static struct {
	pid_t pid;
	uint16_t port;
} * waits;

static struct msghdr message(struct iovec *v)
{
	*v = (struct iovec){data, SIZE};
	return (struct msghdr){
		.msg_name = &t.to, .msg_namelen = t.n, .msg_iov = v, .msg_iovlen = 1};
}

/* ---- ways to send; bytes or negative ---- */

static int send_sendto(int fd)
{
	return (int)sendto(fd, data, SIZE, 0, &t.to.any, t.n);
}

static int send_connected(int fd)
{
	return connect(fd, &t.to.any, t.n) ? -errno : (int)send(fd, data, SIZE, 0);
}

static int send_write(int fd)
{
	return connect(fd, &t.to.any, t.n) ? -errno : (int)write(fd, data, SIZE);
}

static int send_sendmsg(int fd)
{
	struct iovec v;
	struct msghdr m = message(&v);

	return (int)sendmsg(fd, &m, 0);
}

static int send_sendmmsg(int fd)
{
	struct iovec v;
	struct mmsghdr m = {.msg_hdr = message(&v)};

	return sendmmsg(fd, &m, 1, 0) == 1 ? (int)m.msg_len : -1;
}

/* In two calls that make one packet. */
static int send_corked(int fd)
{
	if (sendto(fd, data, SIZE - 7, MSG_MORE, &t.to.any, t.n) != SIZE - 7)
		return -1;
	return (int)sendto(fd, data, 7, 0, &t.to.any, t.n) + SIZE - 7;
}

static int send_i386(int fd)
{
	return (int)way_i386(369,
			     (long[6]){fd, way_low(data, SIZE), SIZE, 0, way_low(&t.to, t.n), t.n});
}

static int send_socketcall(int fd)
{
	return (int)way_socketcall(
		11, (long[6]){fd, way_low(data, SIZE), SIZE, 0, way_low(&t.to, t.n), t.n});
}

static int send_uring(int fd)
{
	struct iovec v;
	struct msghdr m = message(&v);

	return (int)way_uring(&(struct io_uring_sqe){
		.opcode = IORING_OP_SENDMSG, .fd = fd, .addr = (uint64_t)&m, .len = 1});
}

static bool always(void)
{
	return true;
}

static const struct test {
	const char *name, *server, *client;
	int (*send)(int fd);
	bool (*possible)(void);
} tests[] = {
	{"sendto(2), IPv4", "127.0.0.1", "127.0.0.1", send_sendto, always},
	{"sendto(2), IPv6", "::1", "::1", send_sendto, always},
	{"sendto(2), v4-mapped", "127.0.0.1", "::ffff:127.0.0.1", send_sendto, always},
	{"connect(2), send(2)", "127.0.0.1", "127.0.0.1", send_connected, always},
	{"connect(2), write(2)", "::1", "::1", send_write, always},
	{"sendmsg(2)", "127.0.0.1", "127.0.0.1", send_sendmsg, always},
	{"sendmmsg(2)", "::1", "::1", send_sendmmsg, always},
	{"MSG_MORE", "127.0.0.1", "127.0.0.1", send_corked, always},
	{"sendto, 32-bit", "127.0.0.1", "127.0.0.1", send_i386, way_has_i386},
	{"sendto, socketcall(2)", "127.0.0.1", "127.0.0.1", send_socketcall, way_has_i386},
	{"io_uring", "127.0.0.1", "127.0.0.1", send_uring, way_has_uring},
};

static int receiver(const char *address, uint16_t *ret_port)
{
	union address a;
	socklen_t n = ends_address(&a, address, 0);
	int fd = socket(a.any.sa_family, SOCK_DGRAM, 0);

	check(address, "bind", bind(fd, &a.any, n) == 0);
	a = ends_local(fd);
	*ret_port = ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
	return fd;
}

/* Twice, from two sockets: the second time is of no interest. */
static int client(void)
{
	for (int i = 0; i < 2; i++)
		if (t.send(socket(t.to.any.sa_family, SOCK_DGRAM, 0)) != SIZE)
			return 1;
	return 0;
}

static void event_check(const char *name, const Rollcall__Event *ev, pid_t pid, int fd)
{
	union address local = ends_local(fd), from = {};
	socklen_t n = sizeof(from);
	char got[2 * SIZE];
	const Rollcall__UdpSend *e;

	check(name, "udp event", ev != NULL);
	check_number(name, "datagram", (uint64_t)recvfrom(fd, got, sizeof(got), 0, &from.any, &n),
		     SIZE);
	if (!ev)
		return;
	e = ev->udp_send;
	ends_check_task(name, e->task, pid);
	ends_check(name, "local", e->local, &from);
	ends_check(name, "remote", e->remote, &local);
	check_number(name, "bytes", e->bytes, SIZE);
}

static void way_check(const struct test *test)
{
	uint16_t port;
	int status, fd = receiver(test->server, &port);
	pid_t pid;

	t.send = test->send;
	t.n = ends_address(&t.to, test->client, port);
	pid = witness_run(client, &status);
	check_number(test->name, "child", (uint64_t)status, 0);
	event_check(test->name, witness_wait(UDP, pid, 1), pid, fd);
	check_number(test->name, "events", witness_count(UDP, pid), 1);
	ends_coverage("udp_send", test->name, witness_hook("udp_send"), true);
	close(fd);
}

/* One socket, two peers. */
static int client_two(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	for (int i = 0; i < 4; i++) {
		union address to = ends_local(t.fd[i % 2]);

		if (sendto(fd, data, SIZE, 0, &to.any, sizeof(to.v4)) != SIZE)
			return 1;
	}
	return 0;
}

static void peers_check(void)
{
	uint16_t port;
	int status;
	pid_t pid;

	for (int i = 0; i < 2; i++)
		t.fd[i] = receiver("127.0.0.1", &port);
	pid = witness_run(client_two, &status);
	for (unsigned i = 0; i < 2; i++)
		event_check("two peers", witness_wait(UDP, pid, i + 1), pid, t.fd[i]);
	check_number("two peers", "events", witness_count(UDP, pid), 2);
}

/* The parent's socket, used by the child after the parent used it. */
static int client_inherited(void)
{
	return send_sendto(t.fd[0]) != SIZE;
}

static void inherited_check(void)
{
	uint16_t port;
	int status, fd = receiver("127.0.0.1", &port);
	char got[SIZE];
	bool seen;
	pid_t pid;

	t.fd[0] = socket(AF_INET, SOCK_DGRAM, 0);
	t.n = ends_address(&t.to, "127.0.0.1", port);
	check("inherited", "own", send_sendto(t.fd[0]) == SIZE && read(fd, got, SIZE) == SIZE);
	pid = witness_run(client_inherited, &status);
	witness_settle();
	/* Where only the end of a send can be hooked, the first of another process is its owner's.
	 */
	seen = strstr(witness_hook("udp_sender"), "fentry");
	if (seen)
		event_check("inherited", witness_wait(UDP, pid, 1), pid, fd);
	check_number("inherited", "events", witness_count(UDP, pid), seen);
	ends_coverage("udp_send", "first on a socket that another process used",
		      witness_hook("udp_sender"), seen);
}

/* ---- a packet that waits for its neighbour's address, and is sent in an interrupt ---- */

struct frame {
	struct ethhdr eth;
	union {
		struct ether_arp arp;
		struct {
			struct iphdr ip;
			struct udphdr udp;
		} datagram;
		char room[2048];
	} body;
} __attribute__((packed));

/* A network of one host, which this process plays. Its file, or negative. */
static int network_open(void)
{
	struct ifreq tap = {.ifr_flags = IFF_TAP | IFF_NO_PI, .ifr_name = "waits0"}, r = tap;
	int fd, s;
	union address a;

	/* It is of the network namespace that it was opened in. */
	if (unshare(CLONE_NEWNET))
		return -1;
	fd = open("/dev/net/tun", O_RDWR);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &tap))
		return -1;
	ends_address(&a, "10.77.0.1", 0);
	r.ifr_addr = a.any;
	if (ioctl(s, SIOCSIFADDR, &r))
		return -1;
	ends_address(&a, "255.255.255.0", 0);
	r.ifr_netmask = a.any;
	if (ioctl(s, SIOCSIFNETMASK, &r))
		return -1;
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(s, SIOCSIFFLAGS, &r))
		return -1;
	close(s);
	return fd;
}

/* Says that it is the address that was asked for. */
static bool arp_answer(int tap, struct frame *f)
{
	static const uint8_t mac[ETH_ALEN] = {2, 0, 0, 0, 0, 2};
	struct ether_arp asked = f->body.arp, arp = asked;

	memcpy(arp.arp_tpa, asked.arp_spa, 4);
	memcpy(arp.arp_spa, asked.arp_tpa, 4);
	memcpy(arp.arp_tha, asked.arp_sha, ETH_ALEN);
	memcpy(arp.arp_sha, mac, ETH_ALEN);
	arp.ea_hdr.ar_op = htons(ARPOP_REPLY);
	f->body.arp = arp;
	memcpy(f->eth.h_dest, asked.arp_sha, ETH_ALEN);
	memcpy(f->eth.h_source, mac, ETH_ALEN);
	return write(tap, f, sizeof(f->eth) + sizeof(arp)) > 0;
}

static int client_waits(void)
{
	return send_sendto(socket(AF_INET, SOCK_DGRAM, 0)) != SIZE;
}

/* 0: the datagram came, after its sender had ended; 77: there can be no such network here. */
static int network(void)
{
	int tap = network_open(), status;
	bool asked = false;
	struct frame f;
	ssize_t n;

	if (tap < 0)
		return 77;
	waits->pid = witness_fork(client_waits);
	waitpid(waits->pid, &status, 0);
	while ((n = read(tap, &f, sizeof(f))) > 0) {
		if (f.eth.h_proto == htons(ETH_P_ARP)) {
			asked = arp_answer(tap, &f);
			continue;
		}
		if (f.eth.h_proto != htons(ETH_P_IP) || f.body.datagram.ip.protocol != IPPROTO_UDP)
			continue;
		waits->port = ntohs(f.body.datagram.udp.source);
		return asked && status == 0 ? 0 : 1;
	}
	return 1;
}

static void waiting_check(void)
{
	const Rollcall__Event *ev;
	union address from;
	int status;

	t.n = ends_address(&t.to, "10.77.0.2", 4711);
	waits = mmap(NULL, sizeof(*waits), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	witness_run(network, &status);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		return;
	check_number("waiting", "network", (uint64_t)status, 0);
	ev = witness_wait(UDP, waits->pid, 1);
	check("waiting", "udp event", ev != NULL);
	if (!ev)
		return;
	ends_address(&from, "10.77.0.1", waits->port);
	ends_check("waiting", "local", ev->udp_send->local, &from);
	ends_check("waiting", "remote", ev->udp_send->remote, &t.to);
	check_number("waiting", "bytes", ev->udp_send->bytes, SIZE);
	check_number("waiting", "tgid", ev->udp_send->task->tgid, (uint64_t)waits->pid);
	ends_coverage("udp_send", "waits for its neighbour's address, its sender has ended",
		      witness_hook("udp_sender"), true);
}

int main(void)
{
	if (!witness_open("udp"))
		return 1;
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		if (tests[i].possible())
			way_check(&tests[i]);
	peers_check();
	inherited_check();
	waiting_check();
	return witness_close();
}
