// SPDX-License-Identifier: Apache-2.0
// Listens for sensors and holds their sessions: at most so many, one a host.
#pragma once

struct loop;
struct receive;
struct store;
struct tls;

struct receive_opts {
	struct loop *loop;
	struct tls *tls;
	struct store *store;
	const char *dir;    /* of the authority */
	const char *listen; /* ADDRESS:PORT */
	unsigned sessions_max;
};

/* Logs why not. */
int receive_new(const struct receive_opts *opts, struct receive **ret_receive);
struct receive *receive_free(struct receive *r); /* closes all; accepts NULL, returns NULL */
