// SPDX-License-Identifier: Apache-2.0
// Prepared statements and portals of one session, by the names that the client gave them.
#pragma once

#include "sensor/derive/script.h"

#define NAMED_MAX 1024

struct named {
	struct named *next;
	char name[64];
	struct script *script; /* NULL: prepared before the sensor saw the session */
	unsigned nth;
};

/* Takes a reference to the script. The oldest of NAMED_MAX goes. */
void named_set(struct named **list, const char *name, struct script *script, unsigned nth);
void named_drop(struct named **list, const char *name);
void named_clear(struct named **list);
struct named *named_find(struct named *list, const char *name);
/* The query that the name stands for, or NULL. */
const struct query *named_query(struct named *list, const char *name);
