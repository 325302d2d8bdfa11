// links: tests/kernel/support/check.c
// SPDX-License-Identifier: Apache-2.0
// The reading end of a kernel ring: records of all lengths, written by a BPF program into rings of
// several sizes and read back, many times around; a full ring; a producer that never rests; what of
// a large ring is resident.
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "lib/ring.h"

#define RECORD_MIN 16
#define RECORD_MAX (1 << 17)
#define ROUNDS	   3 /* around the ring */

static struct {
	const char *test;
	int map, data, program;
	struct ring *ring;
	uint64_t written, read, bad, length[1 << 14];
} t;

#define LOAD(to, map, kind)                                                                        \
	{.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = to, .src_reg = kind, .imm = map},           \
	{                                                                                          \
	}
#define MOVE(to, from)                                                                             \
	{                                                                                          \
		.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = to, .src_reg = from                \
	}
#define FETCH(to, from, at)                                                                        \
	{                                                                                          \
		.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = to, .src_reg = from, .off = at      \
	}
#define STORE(to, from, at)                                                                        \
	{                                                                                          \
		.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = to, .src_reg = from, .off = at      \
	}

/*
 * Writes a record of args[0] bytes, the first and the last eight of them args[1]; returns what
 * bpf_ringbuf_output() says.
 */
static int program_load(void)
{
	const struct bpf_insn insns[] = {
		FETCH(BPF_REG_7, BPF_REG_1, 0),
		FETCH(BPF_REG_8, BPF_REG_1, 8),
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = -1},
		{.code = BPF_JMP | BPF_JGT | BPF_K, .dst_reg = 7, .off = 12, .imm = RECORD_MAX},
		{.code = BPF_JMP | BPF_JLT | BPF_K, .dst_reg = 7, .off = 11, .imm = RECORD_MIN},
		LOAD(BPF_REG_2, t.data, BPF_PSEUDO_MAP_VALUE),
		STORE(BPF_REG_2, BPF_REG_8, 0),
		MOVE(BPF_REG_1, BPF_REG_2),
		{.code = BPF_ALU64 | BPF_ADD | BPF_X, .dst_reg = 1, .src_reg = 7},
		STORE(BPF_REG_1, BPF_REG_8, -8),
		LOAD(BPF_REG_1, t.map, BPF_PSEUDO_MAP_FD),
		MOVE(BPF_REG_3, BPF_REG_7),
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_4},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ringbuf_output},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "ring_test", "GPL", insns,
			     sizeof(insns) / sizeof(*insns), NULL);
}

static bool record_write(uint64_t length)
{
	uint64_t args[2] = {length, t.written};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));

	if (bpf_prog_test_run_opts(t.program, &opts) < 0 || opts.retval)
		return false;
	t.length[t.written++ % (1 << 14)] = length;
	return true;
}

static void record_read(void *ctx, const void *record, size_t size)
{
	const uint8_t *bytes = record;
	uint64_t first = 0, last = 0;

	(void)ctx;
	if (size >= sizeof(first)) {
		memcpy(&first, bytes, sizeof(first));
		memcpy(&last, bytes + size - sizeof(last), sizeof(last));
	}
	t.bad += first != t.read || last != t.read || size != t.length[t.read % (1 << 14)];
	t.read++;
}

/* Of what this process has mapped of BPF maps, in KiB. */
static uint64_t resident(void)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	char line[512];
	uint64_t sum = 0, kb;
	bool ours = false;

	while (f && fgets(line, sizeof(line), f)) {
		if (strchr(line, '-') && strchr(line, '-') < strchr(line, ' '))
			ours = strstr(line, "bpf-map");
		if (ours && sscanf(line, "Rss: %lu kB", &kb) == 1)
			sum += kb;
	}
	if (f)
		fclose(f);
	return sum;
}

static uint64_t length_next(void)
{
	uint64_t length = (uint64_t)random();

	return RECORD_MIN + length % (length % 8 ? 700 : RECORD_MAX - RECORD_MIN);
}

static void ring_make(const char *test, uint32_t size, ring_fn fn)
{
	t.test = test;
	t.written = t.read = t.bad = 0;
	t.map = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring_test", 0, 0, size, NULL);
	t.data = bpf_map_create(BPF_MAP_TYPE_ARRAY, "ring_data", 4, RECORD_MAX + 8, 1, NULL);
	t.program = program_load();
	check(test, "program", t.map >= 0 && t.data >= 0 && t.program >= 0);
	check_number(test, "open", (uint64_t)ring_new(t.map, size, fn, NULL, &t.ring), 0);
	check_number(test, "empty", (uint64_t)ring_consume(t.ring), 0);
}

static void ring_end(const char *test)
{
	t.ring = ring_free(t.ring);
	check_number(test, "nothing stays mapped", resident(), 0);
	close(t.program);
	close(t.data);
	close(t.map);
}

/* Fills it until it refuses, and reads all, `ROUNDS` times around. */
static void ring_check(const char *test, uint32_t size)
{
	uint64_t bytes = 0, most = 0, before = 0;
	bool refused = false;

	ring_make(test, size, record_read);
	while (bytes < (uint64_t)ROUNDS * size) {
		uint64_t length = length_next();

		if (length + 8 < size && record_write(length)) {
			bytes += length;
			continue;
		}
		refused |= length + 8 < size;
		check_number(test, "records", (uint64_t)ring_consume(t.ring), t.written - before);
		before = t.written;
		ring_publish(t.ring);
		most = resident() > most ? resident() : most;
	}
	ring_consume(t.ring);
	ring_publish(t.ring);
	check(test, "was full", refused);
	check_number(test, "all read", t.read, t.written);
	check_number(test, "damaged", t.bad, 0);
	check(test, "little is resident", most <= 300);
	ring_end(test);
}

/* Writes as fast as it is read, so that the ring is never empty. A test ends at some time. */
static void record_answer(void *ctx, const void *record, size_t size)
{
	record_read(ctx, record, size);
	if (t.written < 1000)
		record_write(RECORD_MIN);
}

/* Who reads has other things to do. */
static void flood_check(const char *test)
{
	ring_make(test, 1 << 20, record_answer);
	check(test, "one is there", record_write(RECORD_MIN));
	check_number(test, "what was there", (uint64_t)ring_consume(t.ring), 1);
	check_number(test, "what came meanwhile", (uint64_t)ring_consume(t.ring), 1);
	check_number(test, "damaged", t.bad, 0);
	ring_end(test);
}

int main(void)
{
	ring_check("one page", 4096);
	ring_check("as the window", 256 << 10);
	ring_check("16 MiB", 1 << 24);
	flood_check("read while written");
	return check_close();
}
