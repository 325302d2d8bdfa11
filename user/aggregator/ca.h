// SPDX-License-Identifier: Apache-2.0
// The aggregator's certificate authority: a directory with ca.pem, ca.key, cert.pem, key.pem
// (the aggregator's own) and hosts/NAME, the serial number of each enrolled host's certificate.
// Called by the commands init, enroll and revoke, and to ask whether a host is enrolled.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define CA_NAME_MAX 64 /* X.520: a common name has at most 64 characters */

/* A host's name: letters, digits, dot, hyphen, underscore; not empty, no leading dot or hyphen. */
bool ca_name_valid(const char *name);

struct ca_init_opts {
	const char *dir;
	const char *const *names; /* host names and addresses of the aggregator */
	unsigned n_names;
	int days; /* that the aggregator's certificate is good for */
};

/* On failure each logs what to do. -EEXIST: there is one already. */
int ca_init(const struct ca_init_opts *opts);
/* A new bundle (ca.pem, cert.pem, key.pem) in the directory `out`; an older one is void then. */
int ca_enroll(const char *dir, const char *host, const char *out, int days);
int ca_revoke(const char *dir, const char *host);

/* Is this serial number (hexadecimal) the one that the host was last enrolled with? */
bool ca_enrolled(const char *dir, const char *host, const char *serial);
