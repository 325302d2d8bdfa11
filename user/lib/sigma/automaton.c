// SPDX-License-Identifier: Apache-2.0
// Aho and Corasick's automaton as a dense table: a row a state, a column a class of bytes that no
// literal tells apart.
#include "lib/sigma/automaton.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define REPORTS (1u << 31) /* in the table: that state ends a literal */

struct state {
	uint32_t child, sibling; /* of the tree of literals; 0: none */
	uint32_t fail;		 /* the longest other tail that is a state */
	uint32_t output;	 /* the literal that ends here: its first entry + 1 */
	uint32_t reports;	 /* the nearest state on the way of fails that has an output */
	uint8_t byte;
};

struct output {
	uint32_t id;
	uint32_t next; /* entry + 1 */
};

struct automaton {
	struct state *states;
	struct output *outputs;
	uint32_t n_states, states_room, n_outputs, outputs_room;
	uint32_t *table; /* row of the next state, times the classes, and REPORTS */
	uint32_t classes;
	uint8_t class_of[256]; /* 0: in no literal */
	bool begins[256];      /* a literal */
};

static int grow(void **p, uint32_t n, uint32_t *room, size_t size)
{
	uint32_t more = *room ? 2 * *room : 256;
	void *q;

	if (n < *room)
		return 0;
	q = realloc(*p, more * size);
	if (!q)
		return -ENOMEM;
	*p = q;
	*room = more;
	return 0;
}

struct automaton *automaton_new(void)
{
	struct automaton *a = calloc(1, sizeof(*a));

	if (!a || grow((void **)&a->states, 0, &a->states_room, sizeof(*a->states)) < 0)
		return automaton_free(a);
	a->states[0] = (struct state){};
	a->n_states = 1;
	return a;
}

struct automaton *automaton_free(struct automaton *a)
{
	if (!a)
		return NULL;
	free(a->states);
	free(a->outputs);
	free(a->table);
	free(a);
	return NULL;
}

static uint32_t child_of(const struct automaton *a, uint32_t state, uint8_t byte)
{
	uint32_t c = a->states[state].child;

	while (c && a->states[c].byte != byte)
		c = a->states[c].sibling;
	return c;
}

static int child_add(struct automaton *a, uint32_t state, uint8_t byte, uint32_t *ret_child)
{
	int r = grow((void **)&a->states, a->n_states, &a->states_room, sizeof(*a->states));

	if (r < 0)
		return r;
	if (a->n_states == AUTOMATON_STATES_MAX)
		return -E2BIG;
	a->states[a->n_states] = (struct state){.sibling = a->states[state].child, .byte = byte};
	a->states[state].child = a->n_states;
	*ret_child = a->n_states++;
	return 0;
}

int automaton_add(struct automaton *a, const char *literal, size_t len, uint32_t id)
{
	uint32_t s = 0;
	int r = grow((void **)&a->outputs, a->n_outputs, &a->outputs_room, sizeof(*a->outputs));

	for (size_t i = 0; r == 0 && i < len; i++) {
		uint8_t byte = (uint8_t)literal[i];
		uint32_t child = child_of(a, s, byte);

		if (!child)
			r = child_add(a, s, byte, &child);
		if (!a->class_of[byte])
			a->class_of[byte] = (uint8_t)++a->classes;
		s = child;
	}
	if (r < 0)
		return r;
	a->outputs[a->n_outputs] = (struct output){id, a->states[s].output};
	a->states[s].output = ++a->n_outputs;
	return 0;
}

/* One row: the children's states, and where there is none what the fail's row says. */
static void row_fill(struct automaton *a, uint32_t s, uint32_t *queue, uint32_t *end)
{
	uint32_t *row = a->table + (size_t)s * a->classes, fail = a->states[s].fail;

	if (s)
		memcpy(row, a->table + (size_t)fail * a->classes, a->classes * sizeof(*row));
	for (uint32_t c = a->states[s].child; c; c = a->states[c].sibling) {
		uint32_t *cell = &row[a->class_of[a->states[c].byte]];
		uint32_t behind = s ? (*cell & ~REPORTS) / a->classes : 0;

		a->states[c].fail = behind;
		a->states[c].reports =
			a->states[behind].output ? behind : a->states[behind].reports;
		*cell = c * a->classes |
			(a->states[c].output || a->states[c].reports ? REPORTS : 0);
		queue[(*end)++] = c;
	}
}

int automaton_build(struct automaton *a)
{
	uint32_t *queue = malloc(a->n_states * sizeof(*queue));
	uint32_t end = 1;

	/* Class 0 is of the bytes that are in no literal: at least the capital letters. */
	a->classes++;
	if ((uint64_t)a->n_states * a->classes >= REPORTS) {
		free(queue);
		return -E2BIG;
	}
	a->table = calloc((size_t)a->n_states * a->classes, sizeof(*a->table));
	if (!a->table || !queue) {
		free(queue);
		return -ENOMEM;
	}
	queue[0] = 0;
	for (uint32_t i = 0; i < end; i++)
		row_fill(a, queue[i], queue, &end);
	free(queue);
	/* Values that are ASCII are scanned as they are. */
	for (int c = 'A'; c <= 'Z'; c++)
		a->class_of[c] = a->class_of[c + 32];
	for (unsigned c = 0; c < 256; c++)
		a->begins[c] = a->table[a->class_of[c]];
	return 0;
}

/* Seldom needed, and not to take registers of the loop that calls it. */
static __attribute__((noinline)) void report(const struct automaton *a, uint32_t row, size_t end,
					     automaton_fn fn, void *ctx)
{
	uint32_t s = row / a->classes;

	for (s = a->states[s].output ? s : a->states[s].reports; s; s = a->states[s].reports)
		for (uint32_t o = a->states[s].output; o; o = a->outputs[o - 1].next)
			fn(ctx, a->outputs[o - 1].id, end);
}

void automaton_scan(const struct automaton *a, const char *text, size_t len, automaton_fn fn,
		    void *ctx)
{
	const uint8_t *p = (const uint8_t *)text, *end = p + len;
	const uint32_t *table = a->table;
	uint32_t row = 0;

	while (p < end) {
		/* Where no literal has begun, no byte has to wait for the one before. */
		while (!row && p < end && !a->begins[*p])
			p++;
		while (p < end) {
			row = table[row + a->class_of[*p++]];
			if (!row || row & REPORTS)
				break;
		}
		if (row & REPORTS) {
			row &= ~REPORTS;
			report(a, row, (size_t)(p - (const uint8_t *)text), fn, ctx);
		}
	}
}
