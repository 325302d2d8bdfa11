// SPDX-License-Identifier: Apache-2.0
// Addresses as text. Called by the pipeline and, for the addresses in answers, by dns.c.
#include "lib/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/kind.h"

char *endpoint_text(struct arena *a, const uint8_t raw[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	char text[INET6_ADDRSTRLEN];

	if (memcmp(raw, mapped, sizeof(mapped)) == 0)
		return arena_strdup(a, inet_ntop(AF_INET, raw + 12, text, sizeof(text)));
	return arena_printf(a, "[%s]", inet_ntop(AF_INET6, raw, text, sizeof(text)));
}

static int fill_one(struct arena *a, Rollcall__Endpoint *e)
{
	char *text;

	if (e->raw.len != 16)
		return 0;
	text = endpoint_text(a, e->raw.data);
	if (!text)
		return -ENOMEM;
	e->address = text;
	e->raw = (ProtobufCBinaryData){};
	return 0;
}

int endpoint_fill(struct arena *a, Rollcall__Event *ev)
{
	const struct kind *k = kind_of(ev->kind_case);
	const ProtobufCMessage *msg = k && k->has_endpoints ? kind_message(k, ev) : NULL;
	int r = 0;

	for (unsigned i = 0; msg && i < msg->descriptor->n_fields && r == 0; i++) {
		const ProtobufCFieldDescriptor *f = &msg->descriptor->fields[i];
		const void *at = (const char *)msg + f->offset;

		if (f->descriptor == &rollcall__endpoint__descriptor &&
		    f->label != PROTOBUF_C_LABEL_REPEATED && *(void *const *)at)
			r = fill_one(a, *(Rollcall__Endpoint *const *)at);
	}
	return r;
}
