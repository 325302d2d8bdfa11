// SPDX-License-Identifier: Apache-2.0
// rollcall-sensor: options, then the processes. The stages of the probe process are in pipeline.c.
#include <errno.h>
#include <malloc.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>

#include "lib/clean.h"
#include "lib/log.h"
#include "lib/spool.h"
#include "sensor/host.h"
#include "sensor/options.h"
#include "sensor/sensor.h"
#include "sensor/stream.h"
#include "sensor/supervise.h"

struct roles {
	const struct options *options;
	struct host *host;
	const struct passwd *user; /* of the stream process */
};

static int sensor_role(void *ctx)
{
	const struct roles *r = ctx;

	return sensor_run(r->options, r->host);
}

static int stream_role(void *ctx)
{
	const struct roles *r = ctx;

	return stream_run(&(struct stream_opts){
		.host = r->host->name,
		.boot_id = r->host->boot_id,
		.aggregator = r->options->aggregator,
		.bundle = r->options->bundle,
		.spool = r->options->spool,
		.inbox = *r->options->policy_key ? r->options->inbox : "",
		.uid = r->user->pw_uid,
		.gid = r->user->pw_gid,
	});
}

/* One process that prints, or two and their supervisor. */
static int run(struct roles *r)
{
	const struct supervise_role roles[] = {
		{"sensor", sensor_role, r, true},
		{"sensor-stream", stream_role, r, false},
	};
	const struct options *o = r->options;
	int e;

	if (!*o->aggregator)
		return sensor_role(r);
	r->user = getpwnam(o->stream_user);
	if (!r->user)
		return log_error(-ENOENT,
				 "user '%s' of the stream process (systemd-sysusers makes it; "
				 "aggregator.user names another)",
				 o->stream_user);
	e = spool_prepare(o->spool, r->user->pw_gid);
	if (e < 0)
		return log_error(e, "spool '%s'", o->spool);
	return supervise(roles, sizeof(roles) / sizeof(roles[0]));
}

int main(int argc, char **argv)
{
	_cleanup_(options_fini) struct options options;
	struct host host;
	int r;

	log_open("rollcall-sensor", LOG_LEVEL_INFO);
	/* Threads are there at the start only; their arenas would stay, half empty. */
	mallopt(M_ARENA_MAX, 1);
	/* Asks for the rules to be read again; before the sensor can, they have not been read. */
	signal(SIGHUP, SIG_IGN);
	r = options_init(&options, argc, argv);
	if (r)
		return r == 1 ? 0 : r == -EINVAL ? 2 : 1;
	if (options.debug)
		log_open("rollcall-sensor", LOG_LEVEL_DEBUG);
	r = host_init(&host, options.host);
	if (r < 0)
		return log_error(r, "cannot read this host's name and boot id"), 1;
	return run(&(struct roles){&options, &host, NULL}) != 0;
}
