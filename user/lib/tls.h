// SPDX-License-Identifier: Apache-2.0
// TLS 1.3 with certificates on both sides, nothing older and nothing optional. The only file
// that sets up OpenSSL sessions; link.c moves their bytes.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct ssl_st;
struct tls;

/* PEM files; all are read at once, so privileges may be dropped afterwards. */
struct tls_files {
	const char *ca;	  /* who signs the peers */
	const char *cert; /* ours */
	const char *key;
};

/* On failure `why` (size bytes) names the file or what is wrong with it. */
int tls_new(bool server, const struct tls_files *files, struct tls **ret_tls, char *why,
	    size_t size);
struct tls *tls_free(struct tls *t); /* accepts NULL, returns NULL */
void tls_freep(struct tls **t);

/* A session. Client: `host` is the name or address that the server's certificate must have. */
struct ssl_st *tls_session(struct tls *t, const char *host);

/* Common name of the peer's certificate, once the handshake is over. -ENOENT: it has none. */
int tls_peer_name(const struct ssl_st *ssl, char *ret_name, size_t size);
/* Serial number of the peer's certificate in hexadecimal. */
int tls_peer_serial(const struct ssl_st *ssl, char *ret_serial, size_t size);

/* Why a session failed, for people: the certificate's fault, or the library's last word. */
void tls_reason(const struct ssl_st *ssl, unsigned long error, char *ret_reason, size_t size);
