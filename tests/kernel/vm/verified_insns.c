// SPDX-License-Identifier: Apache-2.0
// Prints for each BPF program how many instructions the verifier walked to accept it, and how many
// it has then: what is inlined, and what was found dead, counted. 0 when this kernel refuses it.
// Each is loaded by itself. Usage: verified_insns OBJECT
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#define INSN 8 /* bytes */

static void count(const char *path, const char *name)
{
	struct bpf_object *o = bpf_object__open_file(path, NULL);
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);
	struct bpf_program *p;

	bpf_object__for_each_program(p, o)
		bpf_program__set_autoload(p, strcmp(bpf_program__name(p), name) == 0);
	p = bpf_object__find_program_by_name(o, name);
	if (bpf_object__load(o) == 0)
		bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &size);
	printf("%s %u %u\n", name, info.verified_insns, info.xlated_prog_len / INSN);
	bpf_object__close(o);
}

int main(int argc, char **argv)
{
	struct bpf_object *o = argc == 2 ? bpf_object__open_file(argv[1], NULL) : NULL;
	struct bpf_program *p;

	if (!o)
		return 1;
	bpf_object__for_each_program(p, o)
		count(argv[1], bpf_program__name(p));
	bpf_object__close(o);
	return 0;
}
