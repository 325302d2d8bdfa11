// SPDX-License-Identifier: Apache-2.0
// Many literals found in one pass over a text (Aho and Corasick), ASCII letters without case. One
// for each field, made by compile.c, run by match.c. Cost is a table look-up a byte, however many
// literals there are.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define AUTOMATON_STATES_MAX (1u << 22)

struct automaton;

struct automaton *automaton_new(void);
struct automaton *automaton_free(struct automaton *a); /* accepts NULL, returns NULL */

/* A folded literal of at least one byte. -E2BIG: too many; -ENOMEM. */
int automaton_add(struct automaton *a, const char *literal, size_t len, uint32_t id);
/* Once, after the last was added. */
int automaton_build(struct automaton *a);

/* `fn` for each literal that ends before `end`. */
typedef void (*automaton_fn)(void *ctx, uint32_t id, size_t end);
void automaton_scan(const struct automaton *a, const char *text, size_t len, automaton_fn fn,
		    void *ctx);
