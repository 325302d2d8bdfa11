// SPDX-License-Identifier: Apache-2.0
// rollcall-aggregator: a table of commands. The only one that stays is `serve`.
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aggregator/ca.h"
#include "aggregator/orders.h"
#include "aggregator/receive.h"
#include "aggregator/store.h"
#include "lib/clean.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/tls.h"
#include "lib/version.h"

#define DIRECTORY "/var/lib/rollcall-aggregator"
#define NAMES_MAX 16

struct args {
	const char *dir, *listen, *out;
	const char *names[NAMES_MAX];
	unsigned n_names;
	int days;
	const char *operand, *host;
};

static const char help[] =
	"Usage: rollcall-aggregator COMMAND [options]\n"
	"Receives events from sensors over mutual TLS and stores them.\n"
	"\n"
	"  init [--name NAME]...     make the authority and the aggregator's certificate; NAME is\n"
	"                            each host name or address that sensors will connect to\n"
	"                            (default: this host's name and 127.0.0.1)\n"
	"  enroll HOST [--out DIR]   make the bundle of a host (default DIR: ./HOST.bundle); copy "
	"it\n"
	"                            to the host as /etc/rollcall/bundle. Voids an older bundle\n"
	"  revoke HOST               refuse the host from now on\n"
	"  policy BUNDLE [--host HOST]\n"
	"                            send a signed policy (rollcall policy sign makes it) to all "
	"hosts,\n"
	"                            or to one, which then gets no other\n"
	"  serve [--listen ADDR]     receive and store until SIGTERM (default 0.0.0.0:4750)\n"
	"\n"
	"  --dir DIR                 where everything is kept (default " DIRECTORY ")\n"
	"  --days N                  how long a new certificate is good (default 730)\n"
	"  --help, --version\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage.\n";

/* ---- commands: 0 or negative errno, and logged ---- */

static int cmd_init(const struct args *args)
{
	char hostname[CA_NAME_MAX + 1] = "localhost";
	const char *defaults[] = {hostname, "127.0.0.1"};
	struct ca_init_opts opts = {args->dir, args->names, args->n_names, args->days};
	int r;

	if (!opts.n_names) {
		gethostname(hostname, sizeof(hostname) - 1);
		opts.names = defaults;
		opts.n_names = 2;
	}
	r = ca_init(&opts);
	if (r < 0)
		return r;
	printf("Made an authority in %s. Next: rollcall-aggregator enroll HOST\n", args->dir);
	return 0;
}

static int cmd_enroll(const struct args *args)
{
	char out[CA_NAME_MAX + 16];
	const char *dir = args->out;
	int r;

	snprintf(out, sizeof(out), "%.64s.bundle", args->operand);
	if (!dir)
		dir = out;
	r = ca_enroll(args->dir, args->operand, dir, args->days);
	if (r < 0)
		return r;
	printf("Made %s (ca.pem, cert.pem, key.pem). Copy it to %s as /etc/rollcall/bundle; keep "
	       "key.pem secret.\n",
	       dir, args->operand);
	return 0;
}

static int cmd_revoke(const struct args *args)
{
	int r = ca_revoke(args->dir, args->operand);

	if (r == 0)
		printf("%s is refused from its next connection on.\n", args->operand);
	return r;
}

static int cmd_policy(const struct args *args)
{
	int r = orders_put(args->dir, args->host, args->operand);

	if (r == 0)
		printf("%s: sent to %s within seconds, or when it connects. Each sensor verifies "
		       "it by its policy.key and tells in a policy_change event.\n",
		       args->operand, args->host ? args->host : "every host");
	return r;
}

static void on_stop(void *ctx)
{
	loop_stop(ctx);
}

static int serve_tls(const struct args *args, struct tls **ret_tls)
{
	char ca[4096], cert[4096], key[4096], why[512];
	int r;

	snprintf(ca, sizeof(ca), "%s/ca.pem", args->dir);
	snprintf(cert, sizeof(cert), "%s/cert.pem", args->dir);
	snprintf(key, sizeof(key), "%s/key.pem", args->dir);
	r = tls_new(true, &(struct tls_files){ca, cert, key}, ret_tls, why, sizeof(why));
	return r < 0 ? log_error(r, "%s (rollcall-aggregator init makes it)", why) : 0;
}

static int cmd_serve(const struct args *args)
{
	_cleanup_(loop_freep) struct loop *loop = loop_new();
	_cleanup_(tls_freep) struct tls *tls = NULL;
	_cleanup_(store_freep) struct store *store = NULL;
	struct loop_watch *term = NULL, *quit = NULL;
	struct receive *receive = NULL;
	char path[4096];
	int r = loop ? serve_tls(args, &tls) : -ENOMEM;

	signal(SIGPIPE, SIG_IGN);
	snprintf(path, sizeof(path), "%s/store.db", args->dir);
	if (r == 0)
		r = store_open(path, &store);
	if (r == 0)
		r = receive_new(
			&(struct receive_opts){loop, tls, store, args->dir, args->listen, 1024},
			&receive);
	if (r < 0)
		return r;
	term = loop_signal(loop, SIGTERM, on_stop, loop);
	quit = loop_signal(loop, SIGINT, on_stop, loop);
	log_info("listening at %s", args->listen);
	r = term && quit ? loop_run(loop) : -ENOMEM;
	receive_free(receive);
	loop_watch_free(term);
	loop_watch_free(quit);
	return r;
}

static const struct command {
	const char *name;
	int (*run)(const struct args *args);
	const char *operand; /* NULL: it has none */
} commands[] = {
	{"init", cmd_init, NULL},	{"enroll", cmd_enroll, "HOST"},
	{"revoke", cmd_revoke, "HOST"}, {"policy", cmd_policy, "BUNDLE"},
	{"serve", cmd_serve, NULL},
};

static int days_parse(const char *text, int *ret_days)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end || end == text || n < 1 || n > 3650)
		return log_error(-EINVAL, "--days '%s': write a number from 1 to 3650", text);
	*ret_days = (int)n;
	return 0;
}

/* 0: run; 1: done; negative: told what is wrong. */
static int args_parse(int argc, char **argv, struct args *args)
{
	static const struct option options[] = {
		{"dir", required_argument, NULL, 'd'},
		{"listen", required_argument, NULL, 'l'},
		{"out", required_argument, NULL, 'o'},
		{"name", required_argument, NULL, 'n'},
		{"days", required_argument, NULL, 'D'},
		{"host", required_argument, NULL, 'H'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h' || c == 'v')
			return fputs(c == 'h' ? help : "rollcall-aggregator " ROLLCALL_VERSION "\n",
				     stdout) < 0
				       ? -EIO
				       : 1;
		if (c == 'd')
			args->dir = optarg;
		else if (c == 'l')
			args->listen = optarg;
		else if (c == 'o')
			args->out = optarg;
		else if (c == 'H')
			args->host = optarg;
		else if (c == 'n' && args->n_names < NAMES_MAX)
			args->names[args->n_names++] = optarg;
		else if (c != 'D' || days_parse(optarg, &args->days) < 0)
			return -EINVAL;
	}
	return 0;
}

static const struct command *command_find(int argc, char **argv, struct args *args)
{
	const char *name = optind < argc ? argv[optind++] : "";

	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, name) != 0)
			continue;
		if (commands[i].operand)
			args->operand = optind < argc ? argv[optind++] : NULL;
		if (commands[i].operand && !args->operand) {
			log_error(0, "%s: %s is missing (see --help)", name, commands[i].operand);
			return NULL;
		}
		if (optind < argc) {
			log_error(0, "%s: too many arguments (see --help)", name);
			return NULL;
		}
		return &commands[i];
	}
	log_error(0, "no command '%s' (see --help)", name);
	return NULL;
}

int main(int argc, char **argv)
{
	struct args args = {.dir = DIRECTORY, .listen = "0.0.0.0:4750", .days = 730};
	const struct command *command;
	int r;

	log_open("rollcall-aggregator", LOG_LEVEL_INFO);
	r = args_parse(argc, argv, &args);
	if (r)
		return r < 0 ? 2 : 0;
	command = command_find(argc, argv, &args);
	if (!command)
		return 2;
	return command->run(&args) < 0 ? 1 : 0;
}
