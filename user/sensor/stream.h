// SPDX-License-Identifier: Apache-2.0
// The stream process: reads the spool, sends it to the aggregator over mutual TLS, remembers what
// was acknowledged. Has the network and no privilege; cannot touch BPF, the spool's files or
// anything but its own directory; may put signed policies into the inbox.
#pragma once

#include <sys/types.h>

struct stream_opts {
	const char *host; /* this host's name: the certificate's */
	const char *boot_id;
	const char *aggregator; /* HOST:PORT, [ADDRESS]:PORT */
	const char *bundle;	/* directory of ca.pem, cert.pem, key.pem */
	const char *spool;	/* directory; its subdirectory "stream" is ours */
	const char *inbox;	/* directory of signed policies; "": none are taken */
	uid_t uid;		/* to run as */
	gid_t gid;
};

/* Runs until SIGTERM. 0, or negative errno when it could not begin (logged). */
int stream_run(const struct stream_opts *opts);
