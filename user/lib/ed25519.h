// SPDX-License-Identifier: Apache-2.0
// Ed25519 signatures, with keys of PEM files as `openssl genpkey -algorithm ed25519` makes them.
// Called for signed policies: the command line signs, the sensor verifies.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ED25519_SIZE 64

struct ed25519;

/* A public key. -EINVAL: the file holds none of Ed25519; else why it cannot be opened. */
int ed25519_public(const char *path, struct ed25519 **ret_key);
/* A private key, which has the public one with it. */
int ed25519_private(const char *path, struct ed25519 **ret_key);
struct ed25519 *ed25519_free(struct ed25519 *k); /* accepts NULL, returns NULL */
void ed25519_freep(struct ed25519 **k);

/* 0, -ENOMEM, -EIO. */
int ed25519_sign(const struct ed25519 *k, const void *data, size_t size,
		 uint8_t ret_signature[ED25519_SIZE]);
/* 0; -EKEYREJECTED: it is not this key's signature of these bytes; -ENOMEM. */
int ed25519_verify(const struct ed25519 *k, const void *data, size_t size,
		   const uint8_t signature[ED25519_SIZE]);
