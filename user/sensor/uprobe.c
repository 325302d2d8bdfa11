// SPDX-License-Identifier: Apache-2.0
// libbpf attaches only what it has loaded itself. The kernel's side: a perf event of the type
// "uprobe", whose link holds it.
#include "sensor/uprobe.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/clean.h"

#define UPROBES "/sys/bus/event_source/devices/uprobe/"

static int number_read(const char *path, const char *format, unsigned *ret)
{
	_cleanup_(fclosep) FILE *f = fopen(path, "re");

	if (!f)
		return -errno;
	return fscanf(f, format, ret) == 1 ? 0 : -EBADMSG;
}

int uprobe_open(const char *path, uint64_t offset, bool at_return)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr), .uprobe_path = (uintptr_t)path, .probe_offset = offset};
	unsigned bit = 0;
	int r = number_read(UPROBES "type", "%u", &attr.type), fd;

	if (r == 0 && at_return)
		r = number_read(UPROBES "format/retprobe", "config:%u", &bit);
	if (r < 0)
		return r;
	if (at_return)
		attr.config = 1ull << bit;
	/* Of every process: any one CPU will do. */
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int uprobe_attach(int program, int event, uint64_t cookie)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .perf_event.bpf_cookie = cookie);
	int fd = bpf_link_create(program, event, BPF_PERF_EVENT, &opts), r = -errno;

	close(event);
	return fd < 0 ? r : fd;
}
