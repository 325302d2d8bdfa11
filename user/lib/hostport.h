// SPDX-License-Identifier: Apache-2.0
// The address of a peer to call: HOST:PORT, ADDRESS:PORT or [ADDRESS]:PORT. Called by the
// configuration, which refuses others, and by who connects.
#pragma once

#include <stdint.h>

#define HOSTPORT_HELP                                                                              \
	"write HOST:PORT or [IPV6]:PORT, for example soc.example.org:4750; port 1 to 65535"

struct hostport {
	char host[254]; /* a name of the DNS has at most 253 characters; no brackets */
	uint16_t port;
};

/* 0 or -EINVAL. */
int hostport_parse(const char *text, struct hostport *ret);
