// SPDX-License-Identifier: Apache-2.0
// `rollcall policy apply`: rules are checked, installed and put in force, or nothing has changed.
#include "cli/policy_apply.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/policy_install.h"
#include "cli/policy_load.h"
#include "cli/sensor_client.h"
#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/event.h"
#include "lib/log.h"
#include "lib/sigma/fileset.h"
#include "lib/sigma/policy.h"

#define RULES "/etc/rollcall/rules"

static const char usage[] =
	"Usage: rollcall policy apply [PATH] [--json] [--rules PATH] [--control PATH]\n"
	"\n"
	"Has the sensor read its rules again, without a restart and without a missed event. With\n"
	"PATH, a directory (or a file, where the sensor reads a file), these rules are installed\n"
	"first, in the place of all that were; the old ones are kept beside them as NAME.before.\n"
	"Where a rule has a mistake it is told, and nothing has changed.\n"
	"\n"
	"  --json          one JSON object\n"
	"  --rules PATH    where to install when no sensor runs (default " RULES ")\n"
	"  --control PATH  the sensor's control socket (default " SENSOR_CONTROL ")\n"
	"\n"
	"Exit status: 0 done, 1 refused or failed, 2 wrong usage.\n";

struct apply {
	const char *control, *rules, *path; /* path: NULL: what is installed */
	bool json, there;
	struct arena *arena;
	struct fileset *files;
	struct stat st; /* of path */
};

static int ask(struct apply *a, Rollcall__Ask what, const char *path,
	       const Rollcall__PolicyAnswer **ret_answer)
{
	Rollcall__Request request;
	_cleanup_(closep) int fd = -1;
	ProtobufCMessage *m;
	enum frame_type type;
	int r;

	rollcall__request__init(&request);
	request.ask = what;
	if (path)
		request.path = (char *)(uintptr_t)path;
	fd = sensor_request(a->control, &request);
	if (fd < 0)
		return fd;
	r = sensor_answer(fd, a->arena, &type, &m);
	if (r < 0 || type != FRAME_POLICY_ANSWER)
		return log_error(r < 0 ? r : -EBADMSG, "the sensor's answer cannot be read");
	*ret_answer = (const Rollcall__PolicyAnswer *)m;
	return 0;
}

static int answer_print(const struct apply *a, const Rollcall__PolicyAnswer *m)
{
	if (a->json) {
		event_message_json(stdout, &m->base);
		putchar('\n');
		return m->done ? 0 : -EBADMSG;
	}
	for (size_t i = 0; i < m->n_mistakes; i++)
		puts(m->mistakes[i]);
	if (!m->done && !m->n_mistakes)
		printf("%s\n", m->reason);
	if (!m->done)
		return log_error(0, "refused: the rules of before stay in force"), -EBADMSG;
	printf("in force: %" PRIu32 " rules added, %" PRIu32 " removed, %" PRIu32
	       " changed\n%s  %s\n",
	       m->added, m->removed, m->changed, m->sha256, m->path);
	return 0;
}

/* By the sensor, which has the last word and a log; by ourselves where none runs. */
static int check(struct apply *a)
{
	_cleanup_(policy_freep) struct policy *p = NULL;
	const Rollcall__PolicyAnswer *answer;
	_cleanup_(freep) char *path = NULL;
	int r;

	if (a->there) {
		path = realpath(a->path, NULL);
		r = path ? ask(a, ROLLCALL__ASK__policy_check, path, &answer) : -errno;
		if (r == 0)
			a->rules = answer->path;
		return r < 0 ? r : answer->done ? 0 : answer_print(a, answer);
	}
	r = policy_load(&(struct policy_load_opts){.to = stdout, .files = a->files},
			(char *[]){NULL}, &p);
	return r < 0 ? log_error(r == -EBADMSG ? 0 : r, "refused: nothing was installed"), r : 0;
}

/* The answer says whether it is in force. */
static int in_force(struct apply *a)
{
	const Rollcall__PolicyAnswer *answer;
	int r = ask(a, ROLLCALL__ASK__policy_apply, NULL, &answer);

	return r < 0 ? r : answer_print(a, answer);
}

static int install(struct apply *a)
{
	struct policy_install i;
	int r;

	if (stat(a->path, &a->st) < 0)
		return log_error(-errno, "cannot read '%s'", a->path);
	r = policy_load_files(a->files, a->path, true);
	if (r < 0)
		return r;
	r = check(a);
	if (r == 0)
		r = policy_install(a->files, a->rules, !S_ISDIR(a->st.st_mode), &i);
	if (r < 0)
		return r;
	if (a->there)
		r = in_force(a);
	else
		printf("installed in %s; no sensor runs: it reads them when it starts\n", a->rules);
	if (r < 0) {
		policy_install_undo(&i);
		return r;
	}
	policy_install_keep(&i);
	return 0;
}

static int args_parse(int argc, char **argv, struct apply *a)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"rules", required_argument, NULL, 'r'},
		{"control", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			return fputs(usage, stdout) < 0 ? -EIO : 1;
		if (c == '?')
			return -EINVAL;
		a->json |= c == 'j';
		a->rules = c == 'r' ? optarg : a->rules;
		a->control = c == 'c' ? optarg : a->control;
	}
	a->path = argv[optind];
	return argc - optind > 1 ? log_error(-EINVAL, "one PATH (see --help)") : 0;
}

int policy_apply(int argc, char **argv)
{
	_cleanup_(fileset_freep) struct fileset *files = fileset_new();
	_cleanup_(arena_freep) struct arena *arena = arena_new(64 * 1024);
	struct apply a = {.control = SENSOR_CONTROL, .rules = RULES};
	int r = args_parse(argc, argv, &a);

	if (r)
		return r == 1 ? 0 : 2;
	if (!files || !arena)
		return log_error(-ENOMEM, "policy"), 1;
	a.files = files;
	a.arena = arena;
	a.there = sensor_is_there(a.control);
	r = a.path ? install(&a) : in_force(&a);
	return r < 0;
}
