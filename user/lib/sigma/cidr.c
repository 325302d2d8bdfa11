// SPDX-License-Identifier: Apache-2.0
// Networks.
#include "lib/sigma/cidr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define V4_BITS 96 /* before an IPv4 address that is written as IPv6 */

static bool address_parse(const char *text, uint8_t *out, bool *ret_v4)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	*ret_v4 = inet_pton(AF_INET, text, out + 12) == 1;
	if (*ret_v4)
		memcpy(out, mapped, sizeof(mapped));
	return *ret_v4 || inet_pton(AF_INET6, text, out) == 1;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 &&
	       (!rest || ((a[whole] ^ b[whole]) & (0xff << (8 - rest) & 0xff)) == 0);
}

int cidr_parse(const char *text, struct cidr *ret_net, const char **ret_why)
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN] = "";
	uint8_t rest[16] = {};
	struct cidr net;
	bool v4;

	*ret_why = "write a network, for example 10.0.0.0/8 or fd00::/8";
	if (!slash || (size_t)(slash - text) >= sizeof(address) ||
	    slash[1 + strspn(slash + 1, "0123456789")] || !slash[1] || strlen(slash + 1) > 3)
		return -EINVAL;
	memcpy(address, text, (size_t)(slash - text));
	if (!address_parse(address, net.address, &v4))
		return -EINVAL;
	net.bits = (unsigned)atoi(slash + 1);
	if (net.bits > (v4 ? 32 : 128))
		return -EINVAL;
	net.bits += v4 ? V4_BITS : 0;
	memcpy(rest, net.address, net.bits / 8);
	if (net.bits % 8)
		rest[net.bits / 8] =
			net.address[net.bits / 8] & (uint8_t)(0xff << (8 - net.bits % 8));
	if (memcmp(rest, net.address, sizeof(rest)) != 0) {
		*ret_why = "bits beyond the network's are set";
		return -EINVAL;
	}
	*ret_net = net;
	return 0;
}

bool cidr_match(const struct cidr *net, const char *text, size_t len)
{
	char address[INET6_ADDRSTRLEN];
	uint8_t bytes[16];
	bool v4;

	if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	/* ::/0 has every address of IPv6 and none of IPv4. */
	return address_parse(address, bytes, &v4) && (!v4 || net->bits >= V4_BITS) &&
	       same_bits(bytes, net->address, net->bits);
}
