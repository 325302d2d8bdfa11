// SPDX-License-Identifier: Apache-2.0
// The hash chain over spooled blocks, with OpenSSL's SHA-256.
#include "lib/chain.h"

#include <endian.h>
#include <errno.h>
#include <openssl/evp.h>

/* The digest is looked up here, once: by a table, a lock and its name, which costs as much as 200
 * bytes of it. */
struct chain *chain_new(void)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	if (md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(md);
		return NULL;
	}
	return (struct chain *)md;
}

struct chain *chain_free(struct chain *c)
{
	EVP_MD_CTX_free((EVP_MD_CTX *)c);
	return NULL;
}

void chain_freep(struct chain **c)
{
	*c = chain_free(*c);
}

int chain_next(struct chain *c, uint8_t hash[CHAIN_SIZE], uint32_t class, uint64_t seq,
	       const void *block, size_t size)
{
	EVP_MD_CTX *md = (EVP_MD_CTX *)c;
	uint32_t class_be = htobe32(class);
	uint64_t seq_be = htobe64(seq);

	if (EVP_DigestInit_ex(md, NULL, NULL) != 1 || EVP_DigestUpdate(md, hash, CHAIN_SIZE) != 1 ||
	    EVP_DigestUpdate(md, &class_be, sizeof(class_be)) != 1 ||
	    EVP_DigestUpdate(md, &seq_be, sizeof(seq_be)) != 1 ||
	    EVP_DigestUpdate(md, block, size) != 1 || EVP_DigestFinal_ex(md, hash, NULL) != 1)
		return -EIO;
	return 0;
}
