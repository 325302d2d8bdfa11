// SPDX-License-Identifier: Apache-2.0
// Which programs of the object are in use on this kernel: of each event's ladder the first rung
// that it takes, and what is on no ladder.
#pragma once

#include <stdbool.h>

#include "sensor/ladder.h"

#define REFUSED_MAX  16
#define PROGRAMS_MAX 256

struct bpf_object;

struct choice {
	struct ladder ladder;
	bool unwatched; /* events that tell of nothing but watched files and programs are left out
			 */
	struct refused {
		char program[64];
		int error;
	} refused[REFUSED_MAX];
	unsigned n_refused;
};

/*
 * Chooses among the programs of `obj` that were not refused; an event that has nothing left says
 * why. `trial` is asked about each hook; NULL: the kernel. Names in the ladder are borrowed from
 * `obj`. 0 or negative errno, logged.
 */
int choice_make(struct choice *c, struct bpf_object *obj, ladder_trial_fn trial, void *ctx);

/*
 * Takes from the choice those of the suspects, by their place in the object, that the kernel does
 * not load by themselves, which tells its reasons. How many.
 */
unsigned choice_refuse(struct choice *c, struct bpf_object *obj, const bool *suspect);

/* Is it to be loaded? */
bool choice_has(struct choice *c, const char *program);

/* Is it one that is loaded beside the rung in use, for what that does not see? */
bool choice_beside(struct choice *c, const char *program);

/* Was it refused, or another program of its rung: a rung is taken whole. */
bool choice_refused(const struct choice *c, const char *program);
