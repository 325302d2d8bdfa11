// SPDX-License-Identifier: Apache-2.0
// The ladder of hooks of each event. Programs are named <event>__<hook>: the names are the list,
// there is no other. A rung that needs more than one program has parts, <event>__<hook>_<part>, and
// is taken when the kernel accepts all of them. Knows names only; probe.c loads and attaches.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define LADDER_EVENTS_MAX 128

struct ladder_event {
	char name[48];
	const char *program; /* in use, borrowed, without its parts; NULL: none could be attached */
	int error;	     /* of the last one tried */
};

struct ladder {
	struct ladder_event events[LADDER_EVENTS_MAX];
	unsigned n;
};

/*
 * The rank of a program's hook, 0 the best; -1 when it is not one of a ladder (uprobe, iter).
 * Copies the event's name to `event` when that is not NULL.
 */
int ladder_rank(const char *program, char *event, size_t size);

/* The event of that name, made when there is none; NULL when there are too many. */
struct ladder_event *ladder_event(struct ladder *l, const char *name);

/* 0 when the kernel takes the program; -EPERM when it refuses all of that hook; negative errno. */
typedef int (*ladder_trial_fn)(void *ctx, const char *program);

/*
 * Chooses for each event the best of `programs` (n names, borrowed) that `trial` accepts. The last
 * of a ladder is taken without a trial. Forgets what was chosen before.
 */
void ladder_choose(struct ladder *l, const char *const *programs, size_t n, ladder_trial_fn trial,
		   void *ctx);

/* Is it in use for its event, itself or as a part? */
bool ladder_chosen(struct ladder *l, const char *program);

/* Is any program of that hook ("sys_exit") in use? */
bool ladder_uses(const struct ladder *l, const char *hook);
