// SPDX-License-Identifier: Apache-2.0
// Logins as the MariaDB manual has them: "Connecting", "Handshake response packet";
// "COM_CHANGE_USER".
#include "sensor/derive/login.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "sensor/derive/session.h"

enum {
	CONNECT_WITH_DB = 1 << 3,
	PROTOCOL_41 = 1 << 9,
	SSL = 1 << 11,
	SECURE_CONNECTION = 1 << 15,
	PLUGIN_AUTH = 1 << 19,
	CONNECT_ATTRS = 1 << 20,
	PLUGIN_AUTH_LENENC = 1 << 21,
};

#define RESPONSE_FIXED	   32 /* capabilities, packet size, character set, filler */
#define RESPONSE_FIXED_OLD 5  /* before PROTOCOL_41: two bytes, three */

struct reader {
	const unsigned char *at, *end;
	bool bad;
};

static void skip(struct reader *r, uint64_t n)
{
	if (n > (size_t)(r->end - r->at))
		r->bad = true;
	else
		r->at += n;
}

/* Up to a NUL, which the last string of a packet may lack. */
static void string(struct reader *r, char *ret, size_t size)
{
	size_t left = (size_t)(r->end - r->at), n = strnlen((const char *)r->at, left);

	snprintf(ret, size, "%.*s", (int)(n < size ? n : size), (const char *)r->at);
	r->at += n < left ? n + 1 : n;
}

static uint64_t lenenc(struct reader *r)
{
	unsigned first = r->at < r->end ? *r->at : 0, size;
	uint64_t n = 0;

	skip(r, 1);
	if (first < 0xfb)
		return first;
	size = first == 0xfc ? 2 : first == 0xfd ? 3 : 8;
	if ((size_t)(r->end - r->at) < size) {
		r->bad = true;
		return 0;
	}
	memcpy(&n, r->at, size);
	r->at += size;
	return n;
}

static void lenenc_string(struct reader *r, char *ret, size_t size)
{
	uint64_t n = lenenc(r);
	const unsigned char *from = r->at;

	skip(r, n);
	if (!r->bad)
		snprintf(ret, size, "%.*s", (int)(n < size ? n : size), (const char *)from);
}

static void authentication(struct reader *r, uint32_t capabilities)
{
	char unused[4];

	if (capabilities & PLUGIN_AUTH_LENENC)
		skip(r, lenenc(r));
	else if (capabilities & SECURE_CONNECTION)
		skip(r, r->at < r->end ? *r->at + 1u : 0);
	else
		string(r, unused, sizeof(unused));
}

/* Names and values; of interest is what the client calls itself. */
static void attributes(struct reader *r, struct login *l)
{
	uint64_t n = lenenc(r);

	if (r->bad || n > (size_t)(r->end - r->at))
		return;
	r->end = r->at + n;
	while (!r->bad && r->at < r->end) {
		char name[32] = "", value[sizeof(l->program)] = "";

		lenenc_string(r, name, sizeof(name));
		lenenc_string(r, value, sizeof(value));
		if (!r->bad && strcmp(name, "program_name") == 0)
			memcpy(l->program, value, sizeof(value));
	}
}

int login_response(const char *body, size_t len, struct login *ret)
{
	struct reader r = {(const unsigned char *)body, (const unsigned char *)body + len, false};
	struct login found = {};
	char unused[4];

	if (len < RESPONSE_FIXED_OLD)
		return -EBADMSG;
	found.capabilities = r.at[0] | (uint32_t)r.at[1] << 8;
	if (found.capabilities & PROTOCOL_41)
		memcpy(&found.capabilities, r.at, sizeof(found.capabilities));
	skip(&r, found.capabilities & PROTOCOL_41 ? RESPONSE_FIXED : RESPONSE_FIXED_OLD);
	if (r.bad)
		return -EBADMSG;
	if (r.at == r.end)
		return found.capabilities & SSL ? -EAGAIN : -EBADMSG;
	string(&r, found.user, sizeof(found.user));
	authentication(&r, found.capabilities);
	if (!r.bad && found.capabilities & CONNECT_WITH_DB)
		string(&r, found.database, sizeof(found.database));
	if (!r.bad && found.capabilities & PLUGIN_AUTH)
		string(&r, unused, sizeof(unused));
	if (!r.bad && found.capabilities & CONNECT_ATTRS)
		attributes(&r, &found);
	*ret = found;
	return 0;
}

int login_change(const char *body, size_t len, struct login *login)
{
	struct reader r = {(const unsigned char *)body, (const unsigned char *)body + len, false};
	uint32_t capabilities = login->capabilities ? login->capabilities : SECURE_CONNECTION;

	string(&r, login->user, sizeof(login->user));
	/* Its length is one byte here, whatever else was agreed on. */
	authentication(&r, capabilities & ~(uint32_t)PLUGIN_AUTH_LENENC);
	if (r.bad)
		return -EBADMSG;
	string(&r, login->database, sizeof(login->database));
	return 0;
}

void login_apply(const struct login *login, struct principal *who)
{
	memcpy(who->user, login->user, sizeof(who->user));
	memcpy(who->database, login->database, sizeof(who->database));
	if (login->program[0])
		memcpy(who->program, login->program, sizeof(who->program));
}
