// SPDX-License-Identifier: Apache-2.0
// The principal of an event.
#include "lib/principal.h"

#include <string.h>

#include "lib/arena.h"
#include "lib/event.h"

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

char *principal_of_event(struct arena *a, const Rollcall__Event *ev)
{
	const ProtobufCMessage *msg = ev ? event_message(ev) : NULL;
	const ProtobufCFieldDescriptor *f =
		msg ? protobuf_c_message_descriptor_get_field_by_name(msg->descriptor, "db") : NULL;
	const Rollcall__Process *who = ev ? ev->process : NULL;
	const Rollcall__Db *db = NULL;

	if (f && f->descriptor == &rollcall__db__descriptor)
		db = *(Rollcall__Db *const *)(const void *)((const char *)msg + f->offset);
	if (db)
		return principal_of(a, db);
	return arena_printf(a, "%s as %s", who ? who->exe : "", who ? who->user : "");
}
