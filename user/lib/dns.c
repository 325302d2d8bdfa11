// SPDX-License-Identifier: Apache-2.0
// A small, strict reader of DNS messages: one question, then the answer section. Compression may
// only point backwards, so that it ends. Called by the pipeline.
#include "lib/dns.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/endpoint.h"

#define HEADER	    12
#define NAME_MAX    255 /* on the wire */
#define TEXT_MAX    (4 * NAME_MAX + 1)
#define LABEL_MAX   63
#define ANSWERS_MAX 64
#define FLAG_QR	    0x8000
#define FLAG_TC	    0x0200
#define CLASS_IN    1

enum { TYPE_A = 1, TYPE_AAAA = 28 };

static const struct {
	uint16_t type;
	uint8_t name_at; /* its data holds a name there, plus one; 0: none */
	const char *text;
} types[] = {
	{TYPE_A, 0, "A"}, {2, 1, "NS"},	   {5, 1, "CNAME"},   {6, 0, "SOA"},   {10, 0, "NULL"},
	{12, 1, "PTR"},	  {15, 3, "MX"},   {16, 0, "TXT"},    {28, 0, "AAAA"}, {33, 7, "SRV"},
	{35, 0, "NAPTR"}, {43, 0, "DS"},   {48, 0, "DNSKEY"}, {64, 0, "SVCB"}, {65, 0, "HTTPS"},
	{252, 0, "AXFR"}, {255, 0, "ANY"}, {256, 0, "URI"},
};
#define TYPES (sizeof(types) / sizeof(types[0]))

struct reader {
	const uint8_t *data;
	size_t size; /* of what is there */
	size_t at;
	bool cut; /* there was more */
};

/* Past the end of a cut message is no malformed one. */
static int end_reached(const struct reader *r)
{
	return r->cut ? -ENODATA : -EBADMSG;
}

static int read_u16(struct reader *r, uint16_t *ret)
{
	if (r->size - r->at < 2)
		return end_reached(r);
	*ret = (uint16_t)(r->data[r->at] << 8 | r->data[r->at + 1]);
	r->at += 2;
	return 0;
}

static int skip(struct reader *r, size_t n)
{
	if (r->size - r->at < n)
		return end_reached(r);
	r->at += n;
	return 0;
}

/* RFC 4343: any byte may be in a label; the unusual ones are told as \DDD. */
static size_t label_text(char *to, const uint8_t *label, size_t n)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t c = label[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    c == '-' || c == '_') {
			to[used++] = (char)c;
			continue;
		}
		to[used++] = '\\';
		to[used++] = (char)('0' + c / 100);
		to[used++] = (char)('0' + c / 10 % 10);
		to[used++] = (char)('0' + c % 10);
	}
	return used;
}

/* A name; the root is ".". Leaves the reader behind it, not behind what it points to. */
static int read_name(struct reader *r, char text[TEXT_MAX])
{
	size_t pos = r->at, limit = r->at, wire = 0, used = 0;
	bool jumped = false;
	uint8_t n;

	for (;; pos += n) {
		if (pos >= r->size)
			return end_reached(r);
		n = r->data[pos++];
		if (n >= 0xc0) {
			if (pos >= r->size)
				return end_reached(r);
			if (!jumped)
				r->at = pos + 1;
			jumped = true;
			pos = (size_t)(n & 0x3f) << 8 | r->data[pos];
			if (pos >= limit || pos < HEADER) /* backwards only */
				return -EBADMSG;
			limit = pos;
			n = 0;
			continue;
		}
		wire += n + 1u;
		if (n > LABEL_MAX || wire > NAME_MAX)
			return -EBADMSG;
		if (!n)
			break;
		if (r->size - pos < n)
			return end_reached(r);
		if (used)
			text[used++] = '.';
		used += label_text(text + used, r->data + pos, n);
	}
	if (!used)
		text[used++] = '.';
	text[used] = '\0';
	if (!jumped)
		r->at = pos;
	return 0;
}

static char *type_text(struct arena *a, uint16_t type)
{
	for (size_t i = 0; i < TYPES; i++)
		if (types[i].type == type)
			return arena_strdup(a, types[i].text);
	return arena_printf(a, "TYPE%u", type);
}

/* Where in the data of that type a name is, or -1. */
static int type_name(uint16_t type)
{
	for (size_t i = 0; i < TYPES; i++)
		if (types[i].type == type)
			return types[i].name_at - 1;
	return -1;
}

static int list_add(struct arena *a, char **list, const char *item)
{
	char *longer = item ? arena_printf(a, "%s%s%s", *list, **list ? " " : "", item) : NULL;

	if (!longer)
		return -ENOMEM;
	*list = longer;
	return 0;
}

static int read_question(struct arena *a, struct reader *r, Rollcall__Dns *dns)
{
	char name[TEXT_MAX];
	uint16_t type = 0, class = 0;
	int e = read_name(r, name);

	if (e == 0)
		e = read_u16(r, &type);
	if (e == 0)
		e = read_u16(r, &class);
	if (e < 0)
		return e;
	dns->name = arena_strdup(a, name);
	dns->type = type_text(a, type);
	return dns->name && dns->type ? 0 : -ENOMEM;
}

/* An address. */
static int read_address(struct arena *a, struct reader *r, uint16_t type, size_t n,
			Rollcall__Dns *dns)
{
	uint8_t raw[16] = {[10] = 0xff, [11] = 0xff};
	size_t want = type == TYPE_A ? 4 : 16;

	if (n != want)
		return -EBADMSG;
	memcpy(raw + 16 - want, r->data + r->at, want);
	return list_add(a, &dns->addresses, endpoint_text(a, raw));
}

/* The data of one record, n bytes that are there. */
static int read_data(struct arena *a, struct reader *r, uint16_t type, size_t n, Rollcall__Dns *dns)
{
	struct reader data = {r->data, r->at + n, r->at, false};
	int e, name_at = type_name(type);
	char name[TEXT_MAX];

	if (type == TYPE_A || type == TYPE_AAAA)
		return read_address(a, r, type, n, dns);
	if (name_at < 0)
		return 0;
	e = skip(&data, (size_t)name_at);
	if (e == 0)
		e = read_name(&data, name);
	if (e == 0 && data.at != data.size)
		e = -EBADMSG;
	return e < 0 ? e : list_add(a, &dns->names, name);
}

static int read_answer(struct arena *a, struct reader *r, Rollcall__Dns *dns)
{
	uint16_t type = 0, class = 0, n = 0;
	char owner[TEXT_MAX];
	int e = read_name(r, owner);

	if (e == 0)
		e = read_u16(r, &type);
	if (e == 0)
		e = read_u16(r, &class);
	if (e == 0)
		e = skip(r, 4); /* time to live */
	if (e == 0)
		e = read_u16(r, &n);
	if (e < 0)
		return e;
	if (r->size - r->at < n)
		return end_reached(r);
	if (class == CLASS_IN)
		e = read_data(a, r, type, n, dns);
	r->at += n;
	return e;
}

static int read_message(struct arena *a, struct reader *r, Rollcall__Dns *dns)
{
	uint16_t id = 0, flags = 0, questions = 0, answers = 0, unused;
	int e = read_u16(r, &id);

	if (e == 0)
		e = read_u16(r, &flags);
	if (e == 0)
		e = read_u16(r, &questions);
	if (e == 0)
		e = read_u16(r, &answers);
	for (int i = 0; i < 2 && e == 0; i++)
		e = read_u16(r, &unused);
	if (e < 0)
		return e;
	dns->query_id = id;
	dns->response = (flags & FLAG_QR) != 0;
	dns->rcode = flags & 0xf;
	dns->answers = answers;
	dns->truncated = (flags & FLAG_TC) != 0;
	/* RFC 9619: exactly one; an error may come without it. */
	if (questions != 1)
		return dns->response && !questions && dns->rcode ? 0 : -EBADMSG;
	e = read_question(a, r, dns);
	for (unsigned i = 0; i < answers && e == 0; i++) {
		if (i == ANSWERS_MAX)
			return -ENODATA;
		e = read_answer(a, r, dns);
	}
	return e;
}

int dns_fill(struct arena *a, Rollcall__Dns *dns)
{
	struct reader r = {dns->message.data, dns->message.len, 0, dns->length > dns->message.len};
	int e = read_message(a, &r, dns);

	dns->message = (ProtobufCBinaryData){};
	if (e == -ENOMEM)
		return e;
	dns->malformed = e == -EBADMSG;
	if (e == -ENODATA)
		dns->truncated = true;
	return 0;
}
