// SPDX-License-Identifier: Apache-2.0
// rollcall: the command line. A table of commands; each has its own file.
#include <stdio.h>
#include <string.h>

#include "cli/cmd_baseline.h"
#include "cli/cmd_findings.h"
#include "cli/cmd_hosts.h"
#include "cli/cmd_policy.h"
#include "cli/cmd_record.h"
#include "cli/cmd_setup.h"
#include "cli/cmd_show.h"
#include "cli/cmd_status.h"
#include "cli/cmd_top.h"
#include "cli/cmd_watch.h"
#include "lib/log.h"
#include "lib/version.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv); /* exit status, or negative errno */
	const char *help;
} commands[] = {
	{"status", cmd_status, "the sensor of this host: probes, losses, spool, connection"},
	{"top", cmd_top, "what each probe costs: calls, time a call, share of a CPU"},
	{"watch", cmd_watch, "live events, with filters"},
	{"record", cmd_record, "keep every event of the sensor for a while, to try rules on"},
	{"findings", cmd_findings, "what was found, on the aggregator's machine"},
	{"show", cmd_show, "one finding, from process ancestors to rows"},
	{"hosts", cmd_hosts, "the hosts that the aggregator knows"},
	{"policy", cmd_policy, "check Sigma rules, try them against a recording"},
	{"baseline", cmd_baseline, "what the sensor learnt to be usual: look, forget, carry over"},
	{"setup", cmd_setup,
	 "propose a product profile; setup database: resolve the watched tables"},
};

static int usage(FILE *out)
{
	fputs("Usage: rollcall COMMAND [options]\n\n", out);
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
	fputs("\n`rollcall COMMAND --help` tells more. Exit status: 0 done, 1 failed, 2 wrong "
	      "usage.\n",
	      out);
	return out == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
	int r;

	log_open("rollcall", LOG_LEVEL_INFO);
	if (argc < 2)
		return usage(stderr);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return usage(stdout);
	if (strcmp(argv[1], "--version") == 0)
		return puts("rollcall " ROLLCALL_VERSION) < 0;
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		r = commands[i].run(argc - 1, argv + 1);
		return r < 0 ? 1 : r;
	}
	log_error(0, "no command '%s' (rollcall --help lists them)", argv[1]);
	return 2;
}
