// SPDX-License-Identifier: Apache-2.0
// rollcall: the command line. A table of commands; each has its own file.
#include <stdio.h>
#include <string.h>

#include "cli/cmd_setup.h"
#include "lib/log.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "setup", cmd_setup, "setup database: resolve the watched tables, once, as root" },
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
	log_open("rollcall", LOG_LEVEL_INFO);
	if (argc < 2)
		return usage(stderr);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return usage(stdout);
	if (strcmp(argv[1], "--version") == 0)
		return puts("rollcall 0.1") < 0;
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1) < 0 ? 1 : 0;
	log_error(0, "no command '%s' (rollcall --help lists them)", argv[1]);
	return 2;
}
