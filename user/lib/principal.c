// SPDX-License-Identifier: Apache-2.0
// The principal of a database event.
#include "lib/principal.h"

#include <string.h>

#include "lib/arena.h"

char *principal_of(struct arena *a, const Rollcall__Db *db)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(
		&rollcall__system__descriptor, (int)db->system);
	const Rollcall__Client *c = db->client;
	const char *exe = c ? c->exe : "", *user = c ? c->user : "";
	const char *from = *exe || !c ? exe : c->address;
	size_t len = strlen(from);

	/* A remote client's port changes with every connection. */
	if (!*exe && strrchr(from, ':'))
		len = (size_t)(strrchr(from, ':') - from);
	return arena_printf(a, "%s:%s@%s via %.*s%s%s", v ? v->name : "", db->user, db->name,
			    (int)len, from, *user ? " as " : "", user);
}
