// SPDX-License-Identifier: Apache-2.0
// An empty program on the exit of every system call, until it is ended: what no sensor that has one
// there, as ours where the kernel takes neither fentry nor BPF LSM, can be below. Says when it is
// there.
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "empty", "GPL", nothing,
			       sizeof(nothing) / sizeof(nothing[0]), NULL);

	if (fd < 0 || bpf_raw_tracepoint_open("sys_exit", fd) < 0) {
		perror("the empty program cannot be attached");
		return 1;
	}
	puts("attached");
	fflush(stdout);
	while (1)
		pause();
}
