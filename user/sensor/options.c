// SPDX-License-Identifier: Apache-2.0
// The command line of rollcall-sensor.
#include "sensor/options.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>

#include "lib/log.h"
#include "lib/resolved.h"
#include "lib/version.h"
#include "lib/watchname.h"
#include "sensor/watch.h"

#define CONTROL "/run/rollcall/control"

static const char help[] =
	"Usage: rollcall-sensor [--stdout] [--aggregator HOST:PORT] --watch TABLE... [options]\n"
	"Counts the rows that leave watched database tables and tells who read them.\n"
	"\n"
	"  --stdout           print every event and finding, one JSON object a line\n"
	"  --watch TABLE      watch a table: postgresql:hr.public.staff, mariadb:mdm.staff\n"
	"                     (repeatable)\n"
	"  --aggregator ADDR  keep events in the spool and send them to HOST:PORT\n"
	"  --bundle DIR       what `rollcall-aggregator enroll` made for this host\n"
	"                     (default /etc/rollcall/bundle)\n"
	"  --spool DIR        where events wait for the aggregator\n"
	"                     (default /var/lib/rollcall/spool)\n"
	"  --stream-user USER who the process that has the network runs as (default rollcall)\n"
	"  --control PATH     where `rollcall status` and `rollcall watch` ask\n"
	"                     (default " CONTROL ", with --aggregator)\n"
	"  --resolved FILE    what `rollcall setup database` wrote\n"
	"                     (default " RESOLVED_PATH ", when it is there)\n"
	"  --host NAME        name of this host in events (default: the system's)\n"
	"  --debug            also log what libbpf and the verifier say\n"
	"  --help             this text\n"
	"  --version          the version\n"
	"\n"
	"Run as root. Exit status: 0 stopped by a signal, 1 failure, 2 wrong usage.\n";

static int watch_option(struct options *o, const char *text)
{
	struct watchname name;
	const char *why;
	int r = watchname_parse(text, &name, &why);

	if (r < 0) {
		log_error(0, "--watch '%s': %s; write SYSTEM:DATABASE.TABLE, for example "
			     "postgresql:hr.public.staff or mariadb:mdm.staff",
			  text, why);
		return r;
	}
	return watch_add(o->watch, &name);
}

/* Options that are a text. */
static const struct text_option {
	int letter;
	size_t offset;
} texts[] = {
	{ 'a', offsetof(struct options, aggregator) }, { 'b', offsetof(struct options, bundle) },
	{ 'S', offsetof(struct options, spool) },      { 'u', offsetof(struct options, stream_user) },
	{ 'c', offsetof(struct options, control) },    { 'r', offsetof(struct options, resolved) },
	{ 'n', offsetof(struct options, host) },
};

static int text_option(struct options *o, int letter, const char *text)
{
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].letter != letter)
			continue;
		*(const char **)(void *)((char *)o + texts[i].offset) = text;
		return 0;
	}
	return -EINVAL;
}

static int options_check(struct options *o)
{
	if (!o->print && !o->aggregator)
		return log_error(-EINVAL, "nothing to do without --stdout or --aggregator (see --help)");
	if (o->aggregator && !o->control)
		o->control = CONTROL;
	return 0;
}

int options_parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "stdout", no_argument, NULL, 's' },	       { "watch", required_argument, NULL, 'w' },
		{ "aggregator", required_argument, NULL, 'a' }, { "bundle", required_argument, NULL, 'b' },
		{ "spool", required_argument, NULL, 'S' },     { "stream-user", required_argument, NULL, 'u' },
		{ "control", required_argument, NULL, 'c' },   { "resolved", required_argument, NULL, 'r' },
		{ "host", required_argument, NULL, 'n' },      { "debug", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },	       { "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int c, r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h' || c == 'v')
			return fputs(c == 'h' ? help : "rollcall-sensor " ROLLCALL_VERSION "\n",
				     stdout) < 0 ? -EIO : 1;
		if (c == 's')
			o->print = true;
		else if (c == 'd')
			o->debug = true;
		else {
			r = c == 'w' ? watch_option(o, optarg) : text_option(o, c, optarg);
			if (r < 0)
				return r;
		}
	}
	if (optind < argc) {
		log_error(0, "unexpected argument '%s' (see --help)", argv[optind]);
		return -EINVAL;
	}
	return options_check(o);
}
