// SPDX-License-Identifier: Apache-2.0
// The certificate authority. ECDSA P-256, X.509 v3; keys are files of mode 0600.
#include "aggregator/ca.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clean.h"
#include "lib/log.h"

#define CA_DAYS 3653
#define PATH	4096

static void key_freep(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

static void cert_freep(X509 **c)
{
	X509_free(*c);
}

bool ca_name_valid(const char *name)
{
	size_t n =
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return n > 0 && n <= CA_NAME_MAX && !name[n] && *name != '.' && *name != '-';
}

static int file_create(const char *dir, const char *name, mode_t mode, FILE **ret_file)
{
	char path[PATH];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return log_error(-errno, "cannot write '%s'", path);
	fchmod(fd, mode);
	*ret_file = fdopen(fd, "w");
	return *ret_file ? 0 : -ENOMEM;
}

static int key_write(const char *dir, const char *name, EVP_PKEY *key)
{
	_cleanup_(fclosep) FILE *f = NULL;
	int r = file_create(dir, name, 0600, &f);

	if (r < 0)
		return r;
	return PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 && fflush(f) == 0
		       ? 0
		       : log_error(-EIO, "cannot write '%s/%s'", dir, name);
}

static int cert_write(const char *dir, const char *name, X509 *cert)
{
	_cleanup_(fclosep) FILE *f = NULL;
	int r = file_create(dir, name, 0644, &f);

	if (r < 0)
		return r;
	return PEM_write_X509(f, cert) == 1 && fflush(f) == 0
		       ? 0
		       : log_error(-EIO, "cannot write '%s/%s'", dir, name);
}

/* The authority's own certificate and key. */
static int authority_read(const char *dir, X509 **ret_cert, EVP_PKEY **ret_key)
{
	_cleanup_(fclosep) FILE *c = NULL, *k = NULL;
	char path[PATH];

	snprintf(path, sizeof(path), "%s/ca.pem", dir);
	c = fopen(path, "re");
	if (!c)
		return log_error(-errno, "'%s' (rollcall-aggregator init makes it)", path);
	snprintf(path, sizeof(path), "%s/ca.key", dir);
	k = fopen(path, "re");
	if (!k)
		return log_error(-errno, "'%s'", path);
	*ret_cert = PEM_read_X509(c, NULL, NULL, NULL);
	*ret_key = PEM_read_PrivateKey(k, NULL, NULL, NULL);
	return *ret_cert && *ret_key
		       ? 0
		       : log_error(-EBADMSG, "'%s': not a certificate authority", dir);
}

/* ---- making a certificate ---- */

struct request {
	const char *name;  /* common name */
	const char *usage; /* extended key usage; NULL: an authority */
	const char *alt;   /* subjectAltName */
	int days;
};

static bool extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *e;
	X509V3_CTX ctx;
	bool good;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	good = e && X509_add_ext(cert, e, -1) == 1;
	X509_EXTENSION_free(e);
	return good;
}

static bool extensions(X509 *cert, X509 *issuer, const struct request *q)
{
	bool ca = !q->usage;

	return extension(cert, issuer, NID_basic_constraints,
			 ca ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
	       extension(cert, issuer, NID_key_usage,
			 ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
	       (ca || extension(cert, issuer, NID_ext_key_usage, q->usage)) &&
	       extension(cert, issuer, NID_subject_key_identifier, "hash") &&
	       (ca || extension(cert, issuer, NID_authority_key_identifier, "keyid:always")) &&
	       (!q->alt || extension(cert, issuer, NID_subject_alt_name, q->alt));
}

static bool serial_set(X509 *cert)
{
	unsigned char bytes[16];
	BIGNUM *n;
	bool good;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive, always 16 bytes */
	n = BN_bin2bn(bytes, sizeof(bytes), NULL);
	good = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
	BN_free(n);
	return good;
}

/* `issuer` NULL: signs itself. */
static int certify(const struct request *q, X509 *issuer, EVP_PKEY *issuer_key, X509 **ret_cert,
		   EVP_PKEY **ret_key)
{
	_cleanup_(key_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	_cleanup_(cert_freep) X509 *cert = X509_new();
	X509_NAME *name = cert ? X509_get_subject_name(cert) : NULL;

	if (!key || !cert || X509_set_version(cert, 2) != 1 || !serial_set(cert) ||
	    /* Clocks differ: good an hour before now. */
	    !X509_gmtime_adj(X509_getm_notBefore(cert), -3600) ||
	    !X509_time_adj_ex(X509_getm_notAfter(cert), q->days, 0, NULL) ||
	    X509_set_pubkey(cert, key) != 1 ||
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)q->name,
				       -1, -1, 0) != 1 ||
	    X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : name) != 1 ||
	    !extensions(cert, issuer ? issuer : cert, q) ||
	    X509_sign(cert, issuer_key ? issuer_key : key, EVP_sha256()) == 0)
		return log_error(-EIO, "cannot make a certificate for '%s'", q->name);
	*ret_cert = take_ptr(cert);
	*ret_key = take_ptr(key);
	return 0;
}

/* ---- commands ---- */

static int alt_names(const struct ca_init_opts *opts, char *alt, size_t size)
{
	unsigned char address[sizeof(struct in6_addr)];
	size_t used = 0;

	for (unsigned i = 0; i < opts->n_names; i++) {
		const char *n = opts->names[i];
		bool ip =
			inet_pton(AF_INET, n, address) == 1 || inet_pton(AF_INET6, n, address) == 1;
		int k;

		if (!ip && !ca_name_valid(n))
			return log_error(-EINVAL, "'%s' is not a host name or address", n);
		k = snprintf(alt + used, size - used, "%s%s:%s", i ? "," : "", ip ? "IP" : "DNS",
			     n);
		if (k < 0 || (size_t)k >= size - used)
			return log_error(-EINVAL, "too many names");
		used += (size_t)k;
	}
	return 0;
}

static int directory(const char *path)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return log_error(-errno, "cannot make directory '%s'", path);
	return 0;
}

int ca_init(const struct ca_init_opts *opts)
{
	_cleanup_(key_freep) EVP_PKEY *ca_key = NULL, *key = NULL;
	_cleanup_(cert_freep) X509 *ca = NULL, *cert = NULL;
	char path[PATH], alt[2048];
	int r;

	snprintf(path, sizeof(path), "%s/ca.key", opts->dir);
	if (access(path, F_OK) == 0)
		return log_error(-EEXIST, "'%s' is there already; nothing was changed", path);
	r = alt_names(opts, alt, sizeof(alt));
	if (r == 0)
		r = directory(opts->dir);
	snprintf(path, sizeof(path), "%s/hosts", opts->dir);
	if (r == 0)
		r = directory(path);
	if (r == 0)
		r = certify(&(struct request){"Rollcall authority", NULL, NULL, CA_DAYS}, NULL,
			    NULL, &ca, &ca_key);
	if (r == 0)
		r = certify(&(struct request){opts->names[0], "serverAuth", alt, opts->days}, ca,
			    ca_key, &cert, &key);
	if (r == 0)
		r = cert_write(opts->dir, "ca.pem", ca);
	if (r == 0)
		r = cert_write(opts->dir, "cert.pem", cert);
	if (r == 0)
		r = key_write(opts->dir, "key.pem", key);
	/* Last: its presence says that the rest is complete. */
	return r < 0 ? r : key_write(opts->dir, "ca.key", ca_key);
}

static int serial_keep(const char *dir, const char *host, X509 *cert)
{
	_cleanup_(fclosep) FILE *f = NULL;
	BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
	char *hex = n ? BN_bn2hex(n) : NULL, path[PATH];
	int r;

	snprintf(path, sizeof(path), "%s/hosts", dir);
	r = hex ? file_create(path, host, 0644, &f) : -ENOMEM;
	if (r == 0 && (fprintf(f, "%s\n", hex) < 0 || fflush(f) != 0))
		r = log_error(-EIO, "cannot write '%s/%s'", path, host);
	OPENSSL_free(hex);
	BN_free(n);
	return r;
}

int ca_enroll(const char *dir, const char *host, const char *out, int days)
{
	_cleanup_(key_freep) EVP_PKEY *ca_key = NULL, *key = NULL;
	_cleanup_(cert_freep) X509 *ca = NULL, *cert = NULL;
	char alt[CA_NAME_MAX + 8];
	int r;

	if (!ca_name_valid(host))
		return log_error(-EINVAL,
				 "'%s' is not a host name (at most %d of letters, digits, "
				 "dots, hyphens and underscores)",
				 host, CA_NAME_MAX);
	r = authority_read(dir, &ca, &ca_key);
	snprintf(alt, sizeof(alt), "DNS:%s", host);
	if (r == 0)
		r = directory(out);
	if (r == 0)
		r = certify(&(struct request){host, "clientAuth", alt, days}, ca, ca_key, &cert,
			    &key);
	if (r == 0)
		r = cert_write(out, "ca.pem", ca);
	if (r == 0)
		r = cert_write(out, "cert.pem", cert);
	if (r == 0)
		r = key_write(out, "key.pem", key);
	return r < 0 ? r : serial_keep(dir, host, cert);
}

int ca_revoke(const char *dir, const char *host)
{
	char path[PATH];

	if (!ca_name_valid(host))
		return log_error(-EINVAL, "'%s' is not a host name", host);
	snprintf(path, sizeof(path), "%s/hosts/%s", dir, host);
	if (unlink(path) < 0)
		return errno == ENOENT ? log_error(-ENOENT, "host '%s' is not enrolled", host)
				       : log_error(-errno, "cannot remove '%s'", path);
	return 0;
}

bool ca_enrolled(const char *dir, const char *host, const char *serial)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[PATH], line[80];

	if (!ca_name_valid(host))
		return false;
	snprintf(path, sizeof(path), "%s/hosts/%s", dir, host);
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return strcmp(line, serial) == 0;
}
