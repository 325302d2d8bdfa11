// SPDX-License-Identifier: Apache-2.0
// The keys of the sensor's configuration and its command line.
#include "sensor/options.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/clean.h"
#include "lib/conf.h"
#include "lib/digest.h"
#include "lib/hostport.h"
#include "lib/log.h"
#include "lib/profile.h"
#include "lib/resolved.h"
#include "lib/version.h"
#include "lib/watchname.h"
#include "sensor/profiles.h"
#include "sensor/rules.h"
#include "sensor/treewatch.h"
#include "sensor/watch.h"

#define CONFIG	"/etc/rollcall/sensor.yaml"
#define CONTROL "/run/rollcall/control"
#define PINS	"/sys/fs/bpf/rollcall"

static int parse_watch(const struct conf_key *key, void *field, const char *text, char *why)
{
	struct watch *w = *(struct watch **)field;
	struct watchname name;
	const char *what;
	int r = watchname_parse(text, &name, &what);

	(void)key;
	if (r < 0)
		snprintf(why, CONF_WHY, "%s, for example postgresql:hr.public.staff", what);
	else
		r = watch_add(w, &name);
	if (r == -ENOSPC)
		snprintf(why, CONF_WHY, "at most %d tables can be watched", WATCH_TABLES_MAX);
	return r;
}

static int parse_path(const struct conf_key *key, void *field, const char *text, char *why)
{
	if (text[0] != '/') {
		snprintf(why, CONF_WHY, "write an absolute path, which begins with /");
		return -EINVAL;
	}
	return conf_text(key, field, text, why);
}

static int parse_path_or_none(const struct conf_key *key, void *field, const char *text, char *why)
{
	return *text ? parse_path(key, field, text, why) : conf_text(key, field, text, why);
}

/* What a unix socket's address has room for, with the NUL. */
static int parse_socket(const struct conf_key *key, void *field, const char *text, char *why)
{
	if (strlen(text) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		snprintf(why, CONF_WHY, "a socket's path has at most %zu bytes",
			 sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
		return -EINVAL;
	}
	return parse_path_or_none(key, field, text, why);
}

static int parse_address(const struct conf_key *key, void *field, const char *text, char *why)
{
	struct hostport h;

	if (*text && hostport_parse(text, &h) < 0) {
		snprintf(why, CONF_WHY, "%s", HOSTPORT_HELP);
		return -EINVAL;
	}
	return conf_text(key, field, text, why);
}

static int parse_tree(const struct conf_key *key, void *field, const char *text, char *why)
{
	int r = treewatch_add(*(struct treewatch **)field, key->name, text);

	if (r == -EINVAL)
		snprintf(why, CONF_WHY, "write an absolute path, for example /var/www");
	if (r == -ENOSPC)
		snprintf(why, CONF_WHY, "at most %d paths can be watched", TREEWATCH_PATHS_MAX);
	return r;
}

#define FIELD(f) offsetof(struct options, f)

static const struct conf_key keys[] = {
	{"host", conf_text, FIELD(host), "", "Name of this host in events; \"\": the system's.",
	 false, 0, 0},
	{"profile", conf_text, FIELD(profile_name), "",
	 "What product is on this host (`rollcall setup` proposes one): a name of " PROFILE_DIR
	 ", or a path.",
	 false, 0, 0},
	{"watch", parse_watch, FIELD(watch), NULL,
	 "Tables to watch, for example [postgresql:hr.public.staff, mariadb:mdm.staff].", true, 0,
	 0},
	{"resolved", parse_path_or_none, FIELD(resolved), "",
	 "What `rollcall setup database` wrote; \"\": " RESOLVED_PATH ", when it is there.", false,
	 0, 0},
	{"control", parse_socket, FIELD(control), "",
	 "Control socket; \"\": " CONTROL ", when there is an aggregator.", false, 0, 0},
	{"pins", parse_path_or_none, FIELD(pins), "",
	 "Directory below /sys/fs/bpf where the probes outlive a killed sensor; \"\": one "
	 "below " PINS ", when there is an aggregator.",
	 false, 0, 0},
	{"database.rows_read", conf_bool, FIELD(rows_read), "true",
	 "Take from PostgreSQL's own counts how many rows of watched tables a statement read.",
	 false, 0, 0},
	{"files.web_roots", parse_tree, FIELD(trees), NULL,
	 "Directories whose files are served, for example [/var/www].", true, 0, 0},
	{"files.secrets", parse_tree, FIELD(trees), NULL,
	 "Directories or files with passwords and keys.", true, 0, 0},
	{"files.logs", parse_tree, FIELD(trees), NULL,
	 "Directories with logs, for example [/var/log].", true, 0, 0},
	{"files.config", parse_tree, FIELD(trees), NULL,
	 "Directories or files that configure the server.", true, 0, 0},
	{"processes.watch", parse_tree, FIELD(trees), NULL,
	 "Programs whose descendants' files are told wherever they are.", true, 0, 0},
	{"policy.rules", parse_path_or_none, FIELD(rules), "",
	 "Sigma rules, a file or a directory; \"\": " RULES_PATH ", when it is there.", false, 0,
	 0},
	{"policy.key", parse_path_or_none, FIELD(policy_key), "",
	 "Public key (Ed25519, PEM) of signed policies; \"\": none is taken.", false, 0, 0},
	{"policy.inbox", parse_path, FIELD(inbox), "/var/lib/rollcall/inbox",
	 "Directory where signed policies arrive, as NAME.bundle.", false, 0, 0},
	{"policy.accepted", parse_path, FIELD(accepted), "/var/lib/rollcall/policy.bundle",
	 "Where the signed policy that was taken last is kept.", false, 0, 0},
	{"thresholds.result_rows", conf_u64, FIELD(thresholds.result_rows), "200",
	 "Rows of one result that are a finding (0: off)", false, 0, 0},
	{"thresholds.result_fraction", conf_fraction, FIELD(thresholds.result_fraction), "0.1",
	 "... if they are this part of the table, when its size is known.", false, 0, 0},
	{"thresholds.rows_10m", conf_u64, FIELD(thresholds.window_rows[WINDOW_10M]), "500",
	 "Rows that one principal reads in 10 minutes (0: off)", false, 0, 0},
	{"thresholds.rows_1h", conf_u64, FIELD(thresholds.window_rows[WINDOW_1H]), "1000",
	 "... in one hour", false, 0, 0},
	{"thresholds.rows_24h", conf_u64, FIELD(thresholds.window_rows[WINDOW_24H]), "5000",
	 "... in one day", false, 0, 0},
	{"thresholds.rows_7d", conf_u64, FIELD(thresholds.window_rows[WINDOW_7D]), "20000",
	 "... in one week.", false, 0, 0},
	{"thresholds.row_bytes", conf_size, FIELD(thresholds.row_bytes), "64KiB",
	 "A single row this large may hold the whole table (0B: off).", false, 0, 0},
	{"thresholds.page_coverage", conf_fraction, FIELD(thresholds.page_coverage), "0.5",
	 "Part of a table's rows that was read for a result of few, large rows (0: off).", false, 0,
	 0},
	{"thresholds.side_channel_bytes", conf_size, FIELD(thresholds.side_channel_bytes), "64KiB",
	 "Bytes in notices, errors and notifications of a session (0B: off).", false, 0, 0},
	{"thresholds.first_seen_rows", conf_u64, FIELD(thresholds.first_seen_rows), "20",
	 "More rows than this in the first read of a principal (0: off).", false, 0, 0},
	{"thresholds.server_copy", conf_bool, FIELD(thresholds.server_copy), "true",
	 "Is a copy of a watched table inside the server a finding?", false, 0, 0},
	{"thresholds.point_reads", conf_bool, FIELD(thresholds.point_reads), "false",
	 "Do look-ups of a single row count towards the sums?", false, 0, 0},
	{"baseline.file", parse_path_or_none, FIELD(baseline_file), "",
	 "What was learnt to be usual; \"\": beside the spool, when there is an aggregator.", false,
	 0, 0},
	{"baseline.warm_up_hours", conf_u32, FIELD(warm_up_hours), "168",
	 "Of a service or table that is newly watched: nothing is told to be new.", false, 0,
	 87600},
	{"baseline.rows_factor", conf_u32, FIELD(rows_factor), "6",
	 "Deviations above the median of its past hours, that a principal's rows may be (0: any).",
	 false, 0, 1000},
	{"baseline.rows_min", conf_u64, FIELD(rows_min), "100",
	 "Rows in an hour that are never unusual.", false, 0, 0},
	{"limits.sessions", conf_u32, FIELD(sessions), "16384",
	 "Database sessions known at a time.", false, 64, 1 << 20},
	{"limits.principals", conf_u32, FIELD(principals), "2048",
	 "Principals with sums of their own.", false, 16, 1 << 20},
	{"limits.processes", conf_u32, FIELD(processes), "32768", "Processes known at a time.",
	 false, 1024, 1 << 22},
	{"limits.baseline", conf_u32, FIELD(baseline_max), "32768",
	 "Programs, peers, principals and statements known to be usual.", false, 4096, 1 << 20},
	{"limits.bulk_events", conf_u32, FIELD(bulk_events), "250000",
	 "Events of files and network of one session in a second (0: no limit).", false, 0,
	 UINT32_MAX},
	{"limits.events", conf_u32, FIELD(events), "0",
	 "The same of all sessions together (0: no limit).", false, 0, UINT32_MAX},
	{"limits.cpu_percent", conf_u32, FIELD(cpu_percent), "80",
	 "CPU time of the sensor, in percent of one core (0: no limit).", false, 0, 100},
	{"limits.memory", conf_size, FIELD(memory), "256MiB",
	 "Resident memory of the sensor (0B: no limit).", false, 0, 0},
	{"spool.directory", parse_path, FIELD(spool), "/var/lib/rollcall/spool",
	 "Where events wait for the aggregator.", false, 0, 0},
	{"spool.max_bytes", conf_size, FIELD(spool_bytes), "1GiB", "Most that the spool may take.",
	 false, 1 << 20, 1ull << 40},
	{"aggregator.address", parse_address, FIELD(aggregator), "",
	 "HOST:PORT or [IPV6]:PORT; \"\": nothing is spooled or sent.", false, 0, 0},
	{"aggregator.bundle", parse_path, FIELD(bundle), "/etc/rollcall/bundle",
	 "What `rollcall-aggregator enroll` made for this host.", false, 0, 0},
	{"aggregator.user", conf_text, FIELD(stream_user), "rollcall",
	 "Who the process that has the network runs as.", false, 0, 0},
	{0},
};

static const char help[] =
	"Usage: rollcall-sensor [--stdout] [--config FILE] [--watch TABLE]... [options]\n"
	"Counts the rows that leave watched database tables and tells who read them.\n"
	"\n"
	"  --stdout           print every event and finding, one JSON object a line\n"
	"  --watch TABLE      watch a table: postgresql:hr.public.staff, mariadb:mdm.staff\n"
	"                     (repeatable; besides those of the file)\n"
	"  --profile NAME     what product is on this host, as `rollcall setup` proposes it\n"
	"  --config FILE      configuration (default " CONFIG ", when it is\n"
	"                     there)\n"
	"  --check-config     only tell the mistakes in the configuration\n"
	"  --dump-config      print the configuration in effect, every key explained\n"
	"  --aggregator ADDR  keep events in the spool and send them to HOST:PORT\n"
	"  --bundle DIR       what `rollcall-aggregator enroll` made for this host\n"
	"  --spool DIR        where events wait for the aggregator\n"
	"  --stream-user USER who the process that has the network runs as\n"
	"  --control PATH     where `rollcall status` and `rollcall watch` ask\n"
	"  --pins DIR         where the probes outlive a killed sensor, below /sys/fs/bpf\n"
	"  --resolved FILE    what `rollcall setup database` wrote\n"
	"  --rules PATH       Sigma rules, a file or a directory\n"
	"  --host NAME        name of this host in events\n"
	"  --debug            also log what libbpf and the verifier say\n"
	"  --help, --version\n"
	"\n"
	"Run as root. Exit status: 0 stopped by a signal, 1 failure or a mistake in the\n"
	"configuration, 2 wrong usage.\n";

/* Options that are a key of the configuration. */
static const struct {
	int letter;
	const char *key;
} settings[] = {
	{'w', "watch"},
	{'a', "aggregator.address"},
	{'b', "aggregator.bundle"},
	{'S', "spool.directory"},
	{'u', "aggregator.user"},
	{'c', "control"},
	{'r', "resolved"},
	{'R', "policy.rules"},
	{'n', "host"},
	{'p', "profile"},
	{'P', "pins"},
};

enum task { RUN, CHECK, DUMP };

struct line {
	enum task task;
	const char *config;
};

static const struct option options[] = {
	{"stdout", no_argument, NULL, 's'},
	{"watch", required_argument, NULL, 'w'},
	{"profile", required_argument, NULL, 'p'},
	{"config", required_argument, NULL, 'C'},
	{"check-config", no_argument, NULL, 'k'},
	{"dump-config", no_argument, NULL, 'D'},
	{"aggregator", required_argument, NULL, 'a'},
	{"bundle", required_argument, NULL, 'b'},
	{"spool", required_argument, NULL, 'S'},
	{"stream-user", required_argument, NULL, 'u'},
	{"control", required_argument, NULL, 'c'},
	{"pins", required_argument, NULL, 'P'},
	{"resolved", required_argument, NULL, 'r'},
	{"rules", required_argument, NULL, 'R'},
	{"host", required_argument, NULL, 'n'},
	{"debug", no_argument, NULL, 'd'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'v'},
	{NULL, 0, NULL, 0},
};

/* First pass: everything but the settings, which come after the file. 1: done. */
static int line_read(struct options *o, int argc, char **argv, struct line *l)
{
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h' || c == 'v')
			return fputs(c == 'h' ? help : "rollcall-sensor " ROLLCALL_VERSION "\n",
				     stdout) < 0
				       ? -EIO
				       : 1;
		if (c == '?')
			return -EINVAL;
		if (c == 'C')
			l->config = optarg;
		o->print |= c == 's';
		o->debug |= c == 'd';
		l->task = c == 'k' ? CHECK : c == 'D' ? DUMP : l->task;
	}
	if (optind < argc)
		return log_error(0, "unexpected argument '%s' (see --help)", argv[optind]), -EINVAL;
	return 0;
}

static const char *setting_key(int letter)
{
	for (unsigned i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (settings[i].letter == letter)
			return settings[i].key;
	return NULL;
}

static int settings_read(struct options *o, int argc, char **argv)
{
	char why[CONF_WHY];
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		const char *key = setting_key(c);
		int r = key ? conf_set(o->conf, key, optarg, why) : 0;

		if (r == -ENOMEM)
			return log_error(r, "cannot start");
		if (r < 0)
			return log_error(0, "--%s '%s': %s", key, optarg, why), -EINVAL;
	}
	return 0;
}

static void mistake(void *ctx, unsigned line, unsigned column, const char *text)
{
	log_error(0, "%s:%u:%u: %s", (const char *)ctx, line, column, text);
}

static int file_read(struct options *o, const char *given)
{
	const char *path = given ? given : CONFIG;
	int r;

	if (!given && access(path, F_OK) < 0)
		return 0;
	r = conf_load_file(o->conf, path, mistake, (void *)(uintptr_t)path);
	if (r == -EFBIG)
		return log_error(0, "%s: larger than 1 MiB", path), -EBADMSG;
	if (r < 0)
		return log_error(r, "cannot read '%s'", path), -EBADMSG;
	return r ? -EBADMSG : 0;
}

/* The rules are part of what is configured. */
static int check(const struct options *o)
{
	_cleanup_(rules_freep) struct rules *rules =
		rules_new(&(struct rules_opts){.path = o->rules, .placeholders = o->placeholders});

	if (!rules)
		return log_error(-ENOMEM, "cannot check");
	if (rules_read(rules) < 0)
		return -EBADMSG;
	return puts("no mistake was found") < 0 ? -EIO : 1;
}

/* The spool's own directory is read by the process that has the network. */
static int baseline_place(struct options *o)
{
	const char *slash = strrchr(o->spool, '/');

	if (*o->baseline_file || !*o->aggregator)
		return 0;
	if (asprintf(&o->baseline_beside, "%.*s/baseline", (int)(slash - o->spool), o->spool) < 0)
		return log_error(-ENOMEM, "cannot start");
	o->baseline_file = o->baseline_beside;
	return 0;
}

/* Of its own for each spool: two sensors may run on a host. */
static int pins_place(struct options *o)
{
	char digest[DIGEST_HEX];

	if (*o->pins || !*o->aggregator)
		return 0;
	if (digest_hex(o->spool, strlen(o->spool), digest) < 0 ||
	    asprintf(&o->pins_of_spool, PINS "/%.16s", digest) < 0)
		return log_error(-ENOMEM, "cannot start");
	o->pins = o->pins_of_spool;
	return 0;
}

/*
 * Who removes what is kept there is told as who changes the configuration; not where no file is
 * watched at all: nothing that looks at files is loaded then.
 */
static int pins_watch(struct options *o)
{
	if (*o->pins && !treewatch_empty(o->trees) &&
	    treewatch_add(o->trees, "files.config", o->pins) < 0)
		return log_error(0, "more than %d paths cannot be watched", TREEWATCH_PATHS_MAX),
		       -ENOSPC;
	return 0;
}

/* What maps of the kernel are filled by. */
static int identity_make(struct options *o)
{
	size_t size;
	FILE *f = open_memstream(&o->identity, &size);
	int r = f ? conf_dump(o->conf, f) : -ENOMEM;

	for (unsigned i = 0; r == 0 && i < watch_count(o->watch); i++)
		fprintf(f, "%s\n", watch_table_name(o->watch, i));
	if (r == 0)
		r = treewatch_print(o->trees, f);
	if (f && fclose(f) != 0)
		r = -ENOMEM;
	return r < 0 ? log_error(r, "cannot start") : 0;
}

int options_init(struct options *o, int argc, char **argv)
{
	struct line l = {};
	int r;

	memset(o, 0, sizeof(*o));
	o->watch = watch_new();
	o->trees = treewatch_new();
	o->conf = o->watch && o->trees ? conf_new(keys, o) : NULL;
	if (!o->conf)
		return log_error(-ENOMEM, "cannot start");
	r = line_read(o, argc, argv, &l);
	if (r)
		return r;
	r = file_read(o, l.config);
	if (r == 0)
		r = settings_read(o, argc, argv);
	if (r < 0)
		return r;
	if (l.task == DUMP)
		return conf_dump(o->conf, stdout) < 0 ? -EIO : 1;
	r = profiles_use(o->profile_name, o->watch, o->trees, &o->profile);
	if (r < 0)
		return r;
	o->placeholders = profile_placeholders(o->profile);
	if (!o->placeholders)
		return log_error(-ENOMEM, "cannot start");
	if (l.task == CHECK)
		return check(o);
	if (!o->print && !*o->aggregator)
		return log_error(0, "nothing to do without --stdout or an aggregator (see --help)"),
		       -EINVAL;
	if (*o->aggregator && !*o->control)
		o->control = CONTROL;
	r = baseline_place(o);
	if (r == 0)
		r = pins_place(o);
	if (r == 0)
		r = pins_watch(o);
	return r < 0 ? r : identity_make(o);
}

void options_fini(struct options *o)
{
	free(o->placeholders);
	free(o->baseline_beside);
	free(o->pins_of_spool);
	free(o->identity);
	profile_free(o->profile);
	conf_free(o->conf);
	watch_free(o->watch);
	treewatch_free(o->trees);
}
