// SPDX-License-Identifier: Apache-2.0
// Rules as messages.
#include "sensor/derive/rule.h"

#include "lib/arena.h"

Rollcall__Rule *rule_message(struct arena *a, const struct rule *rule)
{
	Rollcall__Rule *m = arena_alloc(a, sizeof(*m));

	if (!m)
		return NULL;
	rollcall__rule__init(m);
	m->id = arena_strdup(a, rule->id);
	m->title = arena_strdup(a, rule->title);
	m->level = arena_strdup(a, rule->level);
	m->attack_version = arena_strdup(a, "16");
	m->attack = arena_alloc(a, 3 * sizeof(*m->attack));
	if (!m->id || !m->title || !m->level || !m->attack_version || !m->attack)
		return NULL;
	for (unsigned i = 0; i < 3 && rule->attack[i]; i++)
		m->attack[m->n_attack++] = arena_strdup(a, rule->attack[i]);
	return m;
}
