// SPDX-License-Identifier: Apache-2.0
// Networks of the modifier cidr, IPv4 and IPv6 in one form.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cidr {
	uint8_t address[16]; /* IPv4 as v4-mapped */
	unsigned bits;
};

/* -EINVAL: `*ret_why` says what would be right. */
int cidr_parse(const char *text, struct cidr *ret_net, const char **ret_why);
/* Is this address ("10.0.0.1", "::1", "[::1]") in it? What is no address is in none. */
bool cidr_match(const struct cidr *net, const char *text, size_t len);
