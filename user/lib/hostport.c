// SPDX-License-Identifier: Apache-2.0
// Addresses of peers. A name is not looked up here.
#include "lib/hostport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"
#define NAME   DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_."

int hostport_parse(const char *text, struct hostport *ret)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0, digits = colon ? strlen(colon + 1) : 0;
	bool brackets = len > 2 && text[0] == '[' && text[len - 1] == ']';
	struct hostport h = {};
	struct in6_addr in6;
	long port;

	if (brackets) {
		text++;
		len -= 2;
	}
	if (!len || len >= sizeof(h.host) || !digits || digits > 5 ||
	    strspn(colon + 1, DIGITS) != digits)
		return -EINVAL;
	memcpy(h.host, text, len);
	port = strtol(colon + 1, NULL, 10);
	if (port < 1 || port > UINT16_MAX)
		return -EINVAL;
	if (brackets ? inet_pton(AF_INET6, h.host, &in6) != 1 : strspn(h.host, NAME) != len)
		return -EINVAL;
	h.port = (uint16_t)port;
	*ret = h;
	return 0;
}
