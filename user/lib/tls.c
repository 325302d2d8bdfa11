// SPDX-License-Identifier: Apache-2.0
// TLS 1.3 with certificates on both sides, on OpenSSL 3.
#include "lib/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clean.h"

struct tls {
	SSL_CTX *ctx;
	bool server;
};

static int failed(const char *what, const char *file, char *why, size_t size)
{
	unsigned long e = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(e);

	snprintf(why, size, "%s '%s': %s", what, file, reason ? reason : "not usable");
	ERR_clear_error();
	return -EBADMSG;
}

static int files_load(SSL_CTX *ctx, const struct tls_files *f, char *why, size_t size)
{
	ERR_clear_error();
	if (SSL_CTX_load_verify_file(ctx, f->ca) != 1)
		return failed("CA certificate", f->ca, why, size);
	if (SSL_CTX_use_certificate_chain_file(ctx, f->cert) != 1)
		return failed("certificate", f->cert, why, size);
	if (SSL_CTX_use_PrivateKey_file(ctx, f->key, SSL_FILETYPE_PEM) != 1)
		return failed("private key", f->key, why, size);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return failed("private key", f->key, why, size);
	return 0;
}

int tls_new(bool server, const struct tls_files *files, struct tls **ret_tls, char *why,
	    size_t size)
{
	_cleanup_(tls_freep) struct tls *t = calloc(1, sizeof(*t));
	int r;

	snprintf(why, size, "out of memory");
	if (!t)
		return -ENOMEM;
	t->server = server;
	t->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	if (!t->ctx)
		return -ENOMEM;
	r = files_load(t->ctx, files, why, size);
	if (r < 0)
		return r;
	if (SSL_CTX_set_min_proto_version(t->ctx, TLS1_3_VERSION) != 1)
		return -EIO;
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	/* Each connection proves itself: nothing is resumed, nothing is sent early. */
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(t->ctx, 0);
	SSL_CTX_set_max_early_data(t->ctx, 0);
	*ret_tls = take_ptr(t);
	return 0;
}

struct tls *tls_free(struct tls *t)
{
	if (t)
		SSL_CTX_free(t->ctx);
	free(t);
	return NULL;
}

void tls_freep(struct tls **t)
{
	*t = tls_free(*t);
}

/* A certificate names an address in another field than a host. */
static bool host_expect(SSL *ssl, const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct ssl_st *tls_session(struct tls *t, const char *host)
{
	SSL *ssl = SSL_new(t->ctx);

	if (ssl && !t->server && !host_expect(ssl, host)) {
		SSL_free(ssl);
		return NULL;
	}
	return ssl;
}

int tls_peer_name(const struct ssl_st *ssl, char *ret_name, size_t size)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);
	int n = cert ? X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName,
						 ret_name, (int)size)
		     : -1;

	/* A NUL within the name would make it look like another. */
	return n < 0 || (size_t)n != strlen(ret_name) ? -ENOENT : 0;
}

int tls_peer_serial(const struct ssl_st *ssl, char *ret_serial, size_t size)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);
	BIGNUM *n = cert ? ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL) : NULL;
	char *hex = n ? BN_bn2hex(n) : NULL;
	int r = hex && strlen(hex) < size ? 0 : -ENOENT;

	if (r == 0)
		snprintf(ret_serial, size, "%s", hex);
	OPENSSL_free(hex);
	BN_free(n);
	return r;
}

void tls_reason(const struct ssl_st *ssl, unsigned long error, char *ret_reason, size_t size)
{
	long verified = SSL_get_verify_result(ssl);
	const char *text = error ? ERR_reason_error_string(error) : NULL;

	if (verified != X509_V_OK)
		text = X509_verify_cert_error_string(verified);
	snprintf(ret_reason, size, "%s", text ? text : "closed during the handshake");
}
