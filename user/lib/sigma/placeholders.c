// SPDX-License-Identifier: Apache-2.0
// Placeholders of a policy.
#include "lib/sigma/placeholders.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/doc.h"
#include "lib/sigma/diag.h"

int placeholders_are(const struct doc_node *root)
{
	return doc_get(root, "placeholders") != NULL;
}

static int one_read(struct placeholders *p, struct arena *a, struct diag *d,
		    const struct doc_node *n)
{
	const char *name = doc_text(n->key);
	struct placeholder *new;

	if (!name || !*name)
		return diag_mistake(d, n->key, "a placeholder's name is expected here");
	if (placeholders_find(p, name, strlen(name)))
		return diag_mistake(d, n->key, "placeholder '%.80s' was given before", name);
	if (n->type != DOC_LIST || !n->first)
		return diag_mistake(d, n, "%.80s: a list of values is expected here", name);
	for (const struct doc_node *v = n->first; v; v = v->next)
		if (!doc_text(v))
			return diag_mistake(d, v, "%.80s: a value is expected here", name);
	new = arena_alloc(a, sizeof(*new));
	if (!new)
		return -ENOMEM;
	*new = (struct placeholder){p->first, name, n};
	p->first = new;
	return 0;
}

int placeholders_read(struct placeholders *p, struct arena *a, struct diag *d,
		      const struct doc_node *root)
{
	const struct doc_node *map = doc_get(root, "placeholders");
	int r = 0;

	for (const struct doc_node *n = root->first; n && r == 0; n = n->next)
		if (n != map && strcmp(n->key->text ? n->key->text : "", "title") != 0 &&
		    strcmp(n->key->text ? n->key->text : "", "description") != 0)
			r = diag_mistake(d, n->key,
					 "a document of placeholders has the keys "
					 "title, description and placeholders");
	if (r == 0 && map->type != DOC_MAP)
		r = diag_mistake(d, map, "names and lists of values are expected here");
	for (const struct doc_node *n = map->first; n && r == 0; n = n->next)
		r = one_read(p, a, d, n);
	return r;
}

const struct placeholder *placeholders_find(const struct placeholders *p, const char *name,
					    size_t len)
{
	for (const struct placeholder *i = p->first; i; i = i->next)
		if (strlen(i->name) == len && memcmp(i->name, name, len) == 0)
			return i;
	return NULL;
}

const char *placeholders_name(const void *ctx, unsigned i)
{
	const struct placeholder *p = ((const struct placeholders *)ctx)->first;

	while (p && i--)
		p = p->next;
	return p ? p->name : NULL;
}
