// SPDX-License-Identifier: Apache-2.0
// Prepared statements and portals of one session, by the names that the client gave them.
#include "sensor/derive/named.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void named_drop(struct named **list, const char *name)
{
	for (struct named **p = list; *p; p = &(*p)->next) {
		if (strcmp((*p)->name, name) == 0) {
			struct named *gone = *p;

			*p = gone->next;
			script_unref(gone->script);
			free(gone);
			return;
		}
	}
}

void named_clear(struct named **list)
{
	while (*list)
		named_drop(list, (*list)->name);
}

void named_set(struct named **list, const char *name, struct script *script, unsigned nth)
{
	struct named *n;
	unsigned count = 0;

	named_drop(list, name);
	n = calloc(1, sizeof(*n));
	if (!n)
		return;
	snprintf(n->name, sizeof(n->name), "%s", name);
	n->script = script_ref(script);
	n->nth = nth;
	n->next = *list;
	*list = n;
	/* A client may open without end and never close: the oldest goes. */
	for (struct named **p = list; *p; p = &(*p)->next)
		if (++count == NAMED_MAX && (*p)->next)
			named_drop(p, (*p)->next->name);
}

struct named *named_find(struct named *list, const char *name)
{
	while (list && strcmp(list->name, name) != 0)
		list = list->next;
	return list;
}

const struct query *named_query(struct named *list, const char *name)
{
	struct named *n = named_find(list, name);

	return n ? script_query(n->script, n->nth) : NULL;
}
