// SPDX-License-Identifier: Apache-2.0
// SHA-256, with OpenSSL.
#include "lib/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

int digest_hex(const void *data, size_t size, char ret_hex[DIGEST_HEX])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned n;

	if (EVP_Digest(data, size, hash, &n, EVP_sha256(), NULL) != 1)
		return -EIO;
	for (unsigned i = 0; i < n; i++)
		snprintf(ret_hex + 2 * i, 3, "%02x", hash[i]);
	return 0;
}
