// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,pins,uprobe,choice,guard,ladder,syscall,trial,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// A name that is gone when a call returns: the file that truncate(2) cuts is the memory that its
// name was in. Where the kernel's own functions are seen the event is told; where names are read
// from user memory at the call's return, it is counted that one could not be.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
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
	return tree_close();
}
