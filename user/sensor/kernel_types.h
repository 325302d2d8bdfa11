// SPDX-License-Identifier: Apache-2.0
// The kernel's types (BTF), some 126,000, for all who look for one while the probes are loaded:
// trial.c, and libbpf. Called by trial.c.
#pragma once

struct bpf_object;
struct btf;

/*
 * The types, where of structs, unions and enums those alone have names that `obj` names, too.
 * Negative errno.
 */
int kernel_types_read(const struct bpf_object *obj, struct btf **ret);

/* Gives them to libbpf, for the next object that it loads. */
void kernel_types_leave(struct btf *types);
