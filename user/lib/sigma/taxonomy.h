// SPDX-License-Identifier: Apache-2.0
// What Sigma calls our events and their fields: data only. fields.c resolves it against
// event.proto, `rollcall policy fields` prints it.
#pragma once

/* A log source of rules, and an event that is of it. */
struct taxonomy_source {
	const char *category; /* several events may be of one */
	const char *ecs;      /* the category or service that ECS rules write; "" */
	const char *kind;     /* of event.proto */
	const char *only;     /* a bool of it that must be true ("!": false); "" */
};

/*
 * A field. The path is of event.proto: "process." and "event." are the event's own, anything else
 * begins in the kind's message; "parent*" is every ancestor. At its end: "+" a list as one text,
 * words joined by a space; "/" a text as a list of its words; "^" what is after the last slash;
 * "@" a time; "&4" is that bit set? "=text" is a constant; "principal()" is computed
 * (lib/principal.h).
 */
struct taxonomy_field {
	const char *of;	  /* a category, a kind (before its category), "file_*", "" every event */
	const char *name; /* in rules with taxonomy "sigma" */
	const char *ecs;  /* in rules with taxonomy "ecs"; both are taken everywhere; "" */
	const char *path;
};

/* Both end with a NULL. */
extern const struct taxonomy_source taxonomy_sources[];
extern const struct taxonomy_field taxonomy_fields[];
