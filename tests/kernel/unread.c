// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// User memory that is gone when a call returns. A name: the file that truncate(2) cuts is the
// memory that its name was in. An address: another thread takes away its page, again and again,
// while connect(2) fails. Where the kernel's own functions are seen the event is told whole; where
// user memory is read at the call's return, it is counted that something could not be.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/ends.h"
#include "kernel/support/tree.h"
#include "kernel/support/witness.h"

#define CHANGE ROLLCALL__EVENT__KIND_FILE_CHANGE
#define PAGE   4096

static bool with_name; /* of the file in itself; else it is elsewhere */

static int cut(void)
{
	const char *path = tree_at("www/a");
	int fd = open(path, O_RDWR | O_CLOEXEC);
	char *name = with_name ? mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : NULL;

	if (ftruncate(fd, PAGE) || name == MAP_FAILED)
		return 1;
	if (name)
		strcpy(name, path);
	return truncate(name ? name : path, 0) ? 2 : 0;
}

static void cut_check(const char *test, bool by_name, uint64_t unread, unsigned events)
{
	uint64_t before = witness_counted("file_change").unread;
	struct stat st;
	int status;
	pid_t pid;

	with_name = by_name;
	pid = witness_run(cut, &status);
	check_number(test, "child", (uint64_t)status, 0);
	check(test, "is cut", stat(tree_at("www/a"), &st) == 0 && st.st_size == 0);
	witness_settle();
	check_number(test, "events", witness_count(CHANGE, pid), events);
	check_number(test, "not readable", witness_counted("file_change").unread - before, unread);
}

/* ---- an address that another thread takes away ---- */

#define CONNECT	 ROLLCALL__EVENT__KIND_TCP_CONNECT
#define ATTEMPTS 200 /* of a child, so that there is room for the events */
#define CHILDREN 200
#define PORT	 9

static volatile bool taking;

/* The file still has it: who touches the page has it back. */
static void *take_away(void *page)
{
	while (taking)
		madvise(page, PAGE, MADV_DONTNEED);
	return NULL;
}

static int connect_unsent(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int file = memfd_create("address", MFD_CLOEXEC), fd, status = 0;
	void *page = ftruncate(file, PAGE)
			     ? MAP_FAILED
			     : mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	pthread_t thread;

	/* A namespace that has only itself: no route to anywhere. */
	if (page == MAP_FAILED || unshare(CLONE_NEWNET))
		return 1;
	a.sin_addr.s_addr = htonl(0xc6336401); /* 198.51.100.1, of nobody */
	memcpy(page, &a, sizeof(a));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	taking = true;
	if (fd < 0 || pthread_create(&thread, NULL, take_away, page))
		return 2;
	for (unsigned i = 0; i < ATTEMPTS && !status; i++)
		if (connect(fd, page, sizeof(a)) == 0 || errno != ENETUNREACH)
			status = 3;
	taking = false;
	pthread_join(thread, NULL);
	return status;
}

static void address_check(void)
{
	bool behind = strstr(witness_hook("tcp_unsent"), "sys_exit") != NULL;
	uint64_t unread = 0;

	/* The page is gone at some returns, when there is a core for each of the two. */
	for (unsigned i = 0; i < CHILDREN && (!i || (behind && !unread)); i++) {
		uint64_t before = witness_counted("tcp_connect").unread, without = 0;
		int status;
		pid_t pid = witness_run(connect_unsent, &status);

		check_number("address", "child", (uint64_t)status, 0);
		witness_settle();
		check_number("address", "events", witness_count(CONNECT, pid), ATTEMPTS);
		for (unsigned k = 0; k < witness_count(CONNECT, pid); k++)
			without +=
				witness_event(CONNECT, pid, k)->tcp_connect->remote->port != PORT;
		unread = witness_counted("tcp_connect").unread - before;
		check_number("address", "not readable = told without", unread, without);
	}
	check("address", "was gone at a return", !behind || unread);
	ends_coverage("tcp_unsent", "address that is gone at the return",
		      witness_hook("tcp_unsent"), !behind);
}

int main(void)
{
	bool names;

	if (!tree_open("unread"))
		return 1;
	tree_fill("unread");
	names = strstr(witness_hook("file_size"), "sys_exit") != NULL;
	cut_check("name elsewhere", false, 0, 2);
	cut_check("name in the file", true, names ? 1 : 0, names ? 1 : 2);
	ends_coverage("file_size", "name that is gone at the return", witness_hook("file_size"),
		      !names);
	address_check();
	return tree_close();
}
