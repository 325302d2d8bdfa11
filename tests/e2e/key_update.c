// SPDX-License-Identifier: Apache-2.0
// A PostgreSQL client that changes the TLS keys of both directions before and in the middle of a
// result. Prints the rows it got. Usage: key_update CONNINFO
#include <libpq-fe.h>
#include <openssl/ssl.h>
#include <stdio.h>

/* Asks the server to change its key, too (RFC 8446, 4.6.3). */
static int change_keys(PGconn *c)
{
	SSL *ssl = PQsslStruct(c, "OpenSSL");

	return ssl && SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1 &&
	       SSL_do_handshake(ssl) == 1;
}

int main(int argc, char **argv)
{
	PGconn *c = argc == 2 ? PQconnectdb(argv[1]) : NULL;
	unsigned long rows = 0;
	PGresult *r;

	if (!c || PQstatus(c) != CONNECTION_OK || !change_keys(c) ||
	    !PQsendQuery(c, "select name, mobile from staff") || !PQsetSingleRowMode(c)) {
		fprintf(stderr, "key_update: %s\n", PQerrorMessage(c));
		return 1;
	}
	while ((r = PQgetResult(c))) {
		rows += (unsigned long)PQntuples(r);
		PQclear(r);
		if (rows % 1000 == 500 && !change_keys(c))
			return 1;
	}
	printf("%lu\n", rows);
	PQfinish(c);
	return 0;
}
