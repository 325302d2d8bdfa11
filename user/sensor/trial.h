// SPDX-License-Identifier: Apache-2.0
// Does this kernel take a hook, or a program? Called by probe.c while it chooses.
#pragma once

struct bpf_object;
struct trial;

/* Of the programs of `obj`, which is borrowed. 0 or negative errno. */
int trial_new(const struct bpf_object *obj, struct trial **ret);
struct trial *trial_free(struct trial *t); /* accepts NULL, returns NULL */
void trial_freep(struct trial **t);

/*
 * Puts an empty program where `program` would go: 0 or negative errno; -EPERM: the kernel refuses
 * programs of that kind.
 */
int trial_hook(void *trial, const char *program);

/* Loads the program itself, alone, in an object of its own. 0 or negative errno. */
int trial_program(const char *program);
