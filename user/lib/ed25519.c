// SPDX-License-Identifier: Apache-2.0
// Ed25519, with OpenSSL.
#include "lib/ed25519.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdbool.h>

#include "lib/clean.h"

static EVP_PKEY *pkey(const struct ed25519 *k)
{
	return (EVP_PKEY *)(uintptr_t)k;
}

struct ed25519 *ed25519_free(struct ed25519 *k)
{
	EVP_PKEY_free(pkey(k));
	return NULL;
}

void ed25519_freep(struct ed25519 **k)
{
	*k = ed25519_free(*k);
}

static void context_free(EVP_MD_CTX **md)
{
	EVP_MD_CTX_free(*md);
}

static int key_read(const char *path, bool private, struct ed25519 **ret_key)
{
	_cleanup_(fclosep) FILE *f = fopen(path, "re");
	EVP_PKEY *k;

	if (!f)
		return -errno;
	k = private ? PEM_read_PrivateKey(f, NULL, NULL, NULL)
		    : PEM_read_PUBKEY(f, NULL, NULL, NULL);
	ERR_clear_error();
	if (!k || EVP_PKEY_get_id(k) != EVP_PKEY_ED25519) {
		EVP_PKEY_free(k);
		return -EINVAL;
	}
	*ret_key = (struct ed25519 *)k;
	return 0;
}

int ed25519_public(const char *path, struct ed25519 **ret_key)
{
	return key_read(path, false, ret_key);
}

int ed25519_private(const char *path, struct ed25519 **ret_key)
{
	return key_read(path, true, ret_key);
}

int ed25519_sign(const struct ed25519 *k, const void *data, size_t size,
		 uint8_t ret_signature[ED25519_SIZE])
{
	_cleanup_(context_free) EVP_MD_CTX *md = EVP_MD_CTX_new();
	size_t n = ED25519_SIZE;

	if (!md)
		return -ENOMEM;
	if (EVP_DigestSignInit(md, NULL, NULL, NULL, pkey(k)) != 1 ||
	    EVP_DigestSign(md, ret_signature, &n, data, size) != 1 || n != ED25519_SIZE) {
		ERR_clear_error();
		return -EIO;
	}
	return 0;
}

int ed25519_verify(const struct ed25519 *k, const void *data, size_t size,
		   const uint8_t signature[ED25519_SIZE])
{
	_cleanup_(context_free) EVP_MD_CTX *md = EVP_MD_CTX_new();
	int r;

	if (!md)
		return -ENOMEM;
	r = EVP_DigestVerifyInit(md, NULL, NULL, NULL, pkey(k));
	if (r == 1)
		r = EVP_DigestVerify(md, signature, ED25519_SIZE, data, size);
	ERR_clear_error();
	return r == 1 ? 0 : -EKEYREJECTED;
}
