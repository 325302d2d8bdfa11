// SPDX-License-Identifier: Apache-2.0
// Log sources: their keys.
#include "lib/sigma/logsource.h"

#include <errno.h>
#include <string.h>

#include "lib/doc.h"
#include "lib/sigma/diag.h"
#include "lib/sigma/rule.h"

static const char *const keys[] = {"category", "product", "service", "definition"};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static const char *key_name(const void *ctx, unsigned i)
{
	(void)ctx;
	return i < KEYS ? keys[i] : NULL;
}

/* Sigma allows more keys; one that is nearly one of these is a mistake. */
static int key_take(struct diag *d, const struct doc_node *n, struct rule_source *s)
{
	const char **const fields[KEYS] = {&s->category, &s->product, &s->service};
	const char *key = doc_text(n->key), *near;

	for (size_t i = 0; key && i < KEYS; i++) {
		if (strcmp(key, keys[i]) != 0)
			continue;
		if (!doc_text(n))
			return diag_mistake(d, n, "%s: a text is expected here", key);
		if (fields[i])
			*fields[i] = n->text;
		return 0;
	}
	near = key ? diag_near(key, key_name, NULL) : key_name(NULL, 0);
	if (near)
		return diag_mistake(d, n->key, "logsource: unknown key '%.60s'; did you mean '%s'?",
				    key ? key : "", near);
	diag_note(d, n->key, "logsource: '%.60s' is not read", key);
	return 0;
}

int logsource_parse(struct diag *d, const struct doc_node *n, struct rule_source *ret_source)
{
	struct rule_source s = {.at = n, .category = "", .product = "", .service = ""};
	int r = 0;

	for (const struct doc_node *k = n->type == DOC_MAP ? n->first : NULL; k && r == 0;
	     k = k->next)
		r = key_take(d, k, &s);
	if (r == 0 && !*s.category && !*s.product && !*s.service)
		return diag_mistake(d, n,
				    "logsource: category, product or service is expected here");
	if (r == 0)
		*ret_source = s;
	return r;
}
