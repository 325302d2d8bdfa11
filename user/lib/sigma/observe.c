// SPDX-License-Identifier: Apache-2.0
// Documents of observed rules.
#include "lib/sigma/observe.h"

#include <errno.h>
#include <string.h>

#include "lib/doc.h"
#include "lib/sigma/diag.h"
#include "lib/sigma/rule.h"

int observe_is(const struct doc_node *root)
{
	return doc_get(root, "observe") != NULL;
}

static int one_mark(struct diag *d, const struct doc_node *n, struct rule *rules)
{
	const char *name = doc_text(n);

	for (struct rule *r = rules; r && name; r = r->next)
		if (r->kind != RULE_FILTER && rule_is(r, name)) {
			r->observes = true;
			return 0;
		}
	return diag_mistake(d, n, "no rule has the id or name '%.80s'", name ? name : "");
}

int observe_mark(struct diag *d, const struct doc_node *root, struct rule *rules)
{
	const struct doc_node *list = doc_get(root, "observe");
	int r = 0;

	for (const struct doc_node *n = root->first; n; n = n->next)
		if (n != list && strcmp(n->key->text ? n->key->text : "", "title") != 0 &&
		    strcmp(n->key->text ? n->key->text : "", "description") != 0)
			return diag_mistake(d, n->key,
					    "a document of observed rules has the keys title, "
					    "description and observe");
	if (list->type != DOC_LIST)
		return diag_mistake(d, list, "observe: a list of rules is expected, by id or name");
	for (const struct doc_node *n = list->first; n; n = n->next)
		r = one_mark(d, n, rules) < 0 ? -EINVAL : r;
	return r;
}
