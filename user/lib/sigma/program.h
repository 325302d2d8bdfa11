// SPDX-License-Identifier: Apache-2.0
// Compiled rules: made once by compile.c, from then on only read, by match.c. What rules have in
// common is there once: a test of a field ("atom"), a scan of a field for every literal.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sigma/cidr.h"
#include "lib/sigma/expr.h"
#include "lib/sigma/item.h"
#include "lib/sigma/pattern.h"

struct arena;
struct automaton;
struct diag;
struct regex;
struct rule;

struct program_list {
	uint32_t *v;
	uint32_t n, room;
};

/* One test of one field, true or false for an event. */
struct program_atom {
	enum item_kind kind;
	uint32_t field;
	bool cased;
	bool trigger; /* every pattern (the regex) has a literal: it cannot hold unless the scan
			 says so */
	bool any_before, any_after; /* ITEM_FIELD */
	struct pattern *loose;	    /* ITEM_STRING: patterns without a literal */
	uint32_t n_loose, shortest; /* literal, bytes */
	struct regex *regex;	    /* ITEM_REGEX */
	struct cidr net;	    /* ITEM_CIDR */
	enum item_op op;	    /* ITEM_COMPARE */
	enum when_part part;
	double number;
	uint32_t other;		   /* ITEM_FIELD: its field */
	struct program_list rules; /* that can only match when this or another trigger holds */
};

/* A literal of a field's automaton, and what must hold where it is found. */
struct program_literal {
	uint32_t atom;
	uint32_t len;
	bool begins, ends;
	bool cased;
	const struct pattern *verify; /* NULL: found is enough, or the atom's regex */
};

struct program_field {
	const char *name; /* as rules write it; "": every field */
	struct automaton *automaton;
	struct program_literal *literals;
	uint32_t n_literals, room;
	uint32_t first; /* of all literals, counted over the fields */
};

struct program_rule {
	const struct rule *rule;
	const struct expr *expr; /* leaves are atoms */
	uint32_t source;
};

/* Of one log source; 0 is that of rules for every event. */
struct program_source {
	struct program_list scans;  /* fields that hold triggers of its rules */
	struct program_list always; /* rules without triggers */
};

struct program {
	struct arena *arena;
	struct program_field *fields;
	uint32_t n_fields, fields_room;
	struct program_atom *atoms;
	uint32_t n_atoms, atoms_room;
	struct program_rule *rules;
	uint32_t n_rules, rules_room;
	struct program_source *sources;
	uint32_t n_sources, n_literals;
	struct program_name *names[1024]; /* of atoms and fields, while it is made */
};

struct program *program_new(uint32_t sources);
struct program *program_free(struct program *p); /* accepts NULL, returns NULL */

/*
 * A detection rule and the filters that apply to it. -EINVAL: mistakes told; the rule is not in
 * the program.
 */
int program_add(struct program *p, struct diag *d, const struct rule *rule, uint32_t source,
		const struct rule *const *filters, size_t n_filters);
/* Once, after the last was added. */
int program_finish(struct program *p);

/* The number of a field; a new one when no rule has named it before. -ENOMEM. */
int program_field(struct program *p, const char *name, uint32_t *ret_field);
