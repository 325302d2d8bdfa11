// SPDX-License-Identifier: Apache-2.0
// The least that a sensor with a program at the exit of system calls can take for files that are
// opened and closed, until it is ended: each of these calls of the host puts a record of the size
// of ours into a ring, the same bytes each time, and for each an event of the size of ours, the
// same bytes each time, is spooled. Nobody is asked who it was, what file it is and where, whether
// it is of interest, what a record says, or what a rule thinks of it. Says when it is there.
//
// Usage: least SPOOL; SPOOL is a directory that is not there yet.
#include <asm/ptrace.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "lib/clean.h"
#include "lib/ring.h"
#include "lib/spool.h"
#include "sensor/pace.h"
#include "transport.pb-c.h"

/* Of a file whose path has some 40 bytes. */
#define RECORD	   152
#define EVENT	   100
#define PROCESS	   430
#define RING_BYTES (1u << 24)
#define SPOOL_MAX  (1ull << 30)

#if defined(__x86_64__)
#define CALL_OFFSET offsetof(struct pt_regs, orig_rax)
#else
#define CALL_OFFSET offsetof(struct user_pt_regs, regs[8])
#endif

struct least {
	struct spool *spool;
	struct spool_process process;
	int error;
};

static int told_load(int ring, int record)
{
	const struct bpf_insn told[] = {
		{BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_6, BPF_REG_1, 0, 0}, /* struct pt_regs */
		{BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_6, BPF_REG_6, CALL_OFFSET, 0},
		{BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_6, 0, 1, SYS_openat},
		{BPF_JMP | BPF_JNE | BPF_K, BPF_REG_6, 0, 7, SYS_close},
		{BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, ring},
		{0},
		{BPF_LD | BPF_IMM | BPF_DW, BPF_REG_2, BPF_PSEUDO_MAP_VALUE, 0, record},
		{0},
		{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, RECORD},
		{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_4, 0, 0, BPF_RB_NO_WAKEUP},
		{BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ringbuf_output},
		{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0},
		{BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_RAW_TP);
	int type = libbpf_find_vmlinux_btf_id("sys_exit", BPF_TRACE_RAW_TP);

	if (type < 0)
		return type;
	opts.attach_btf_id = (__u32)type;
	return bpf_prog_load(BPF_PROG_TYPE_TRACING, "least", "GPL", told,
			     sizeof(told) / sizeof(told[0]), &opts);
}

static void told_spool(void *ctx, const void *record, size_t size)
{
	struct least *l = ctx;
	uint8_t *room;
	int r = spool_claim(l->spool, ROLLCALL__CLASS__bulk, EVENT, &l->process, &room);

	(void)size;
	if (r == 0)
		memcpy(room, record, EVENT);
	else
		l->error = r;
}

static int look(struct ring *ring, struct least *l)
{
	int r = ring_consume(ring);

	ring_publish(ring);
	if (r >= 0 && l->error)
		r = l->error;
	return r < 0 ? r : spool_flush(l->spool);
}

static int die(const char *what, int error)
{
	fprintf(stderr, "least: %s: %s\n", what, strerror(-error));
	return 1;
}

int main(int argc, char **argv)
{
	static const uint8_t process[PROCESS];
	const struct timespec wait = {.tv_nsec = PACE_BUSY_MS * 1000000};
	struct least l = {.process = {.data = process, .size = sizeof(process)}};
	struct ring *ring = NULL;
	int map, record, prog, r;

	if (argc != 2)
		return 2;
	r = spool_prepare(argv[1], 0);
	if (r == 0)
		r = spool_open(&(struct spool_opts){argv[1], "0a1b2c3d-0000-0000-0000-000000000000",
						    SPOOL_MAX, 1},
			       &l.spool);
	if (r < 0)
		return die(argv[1], r);
	map = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "least", 0, 0, RING_BYTES, NULL);
	record = bpf_map_create(BPF_MAP_TYPE_ARRAY, "least", sizeof(int), RECORD, 1, NULL);
	if (map < 0 || record < 0)
		return die("maps", -errno);
	r = ring_new(map, RING_BYTES, told_spool, &l, &ring);
	if (r < 0)
		return die("ring", r);
	prog = told_load(map, record);
	if (prog < 0 || bpf_raw_tracepoint_open(NULL, prog) < 0)
		return die("the program cannot be attached", -errno);
	puts("attached");
	fflush(stdout);
	while (r >= 0) {
		nanosleep(&wait, NULL);
		r = look(ring, &l);
	}
	return die(argv[1], r);
}
