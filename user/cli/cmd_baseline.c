// SPDX-License-Identifier: Apache-2.0
// `rollcall baseline list|forget|export|import`. Reads the sensor's file. An edit goes through the
// sensor when it runs, which has a newer state than its file: it is left beside the file, and the
// sensor takes it within a second. When none runs, the file is changed at once.
#include "cli/cmd_baseline.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/out.h"
#include "lib/arena.h"
#include "lib/baseline.h"
#include "lib/baseline_file.h"
#include "lib/clean.h"
#include "lib/event.h"
#include "lib/event_read.h"
#include "lib/log.h"

#define EDIT_WAIT_MS 10000
#define EDIT_STEP_MS 50
#define ENTRIES_MAX  (1u << 20)
#define SECOND	     1000000000ull

static const char usage[] =
	"Usage: rollcall baseline list [--json] [WHICH]...\n"
	"       rollcall baseline forget WHICH...\n"
	"       rollcall baseline export [WHICH]... > FILE\n"
	"       rollcall baseline import [--replace] FILE\n"
	"\n"
	"What the sensor learnt to be usual of watched services and tables.\n"
	"\n"
	"  list     as it was last written: at most a minute ago when the sensor runs\n"
	"  forget   what is seen again is told as new; of a subject: it begins to warm up anew\n"
	"  export   JSON Lines, for another host or to be edited\n"
	"  import   adds what an export has; - is standard input\n"
	"\n"
	"WHICH, all of which must fit (patterns as of a shell: * and ?):\n"
	"  --what KIND   child, peer, principal, statement, rows, subject\n"
	"  --of NAME     the service's program, or the table\n"
	"  --by NAME     the program that executed or sent\n"
	"  --value NAME  program, address, principal or fingerprint\n"
	"  --all         everything\n"
	"\n"
	"  --replace     instead of what is known\n"
	"  --file PATH   default " BASELINE_PATH "\n"
	"  --json        one JSON object a line\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage.\n";

struct args {
	bool json, all, replace;
	const char *file;
	Rollcall__BaselineEntry which;
	struct arena *arena;
};

/* ---- reading ---- */

static int file_read(const struct args *args, Rollcall__Baseline **ret_baseline)
{
	int r = baseline_file_read(args->file, args->arena, ret_baseline);

	if (r == -ENOENT)
		return log_error(r, "no baseline '%s' (baseline.file of sensor.yaml says where)",
				 args->file);
	return r < 0 ? log_error(r == -EBADMSG ? 0 : r, "the baseline '%s' cannot be read%s",
				 args->file, r == -EBADMSG ? ": it is damaged" : ""),
	       r     : 0;
}

static const char *what_text(Rollcall__Known what)
{
	const ProtobufCEnumValue *v =
		protobuf_c_enum_descriptor_get_value(&rollcall__known__descriptor, (int)what);

	return v && what ? v->name : "?";
}

static int entry_print(struct out_table *t, const Rollcall__BaselineEntry *e)
{
	char first[40], last[40];
	const char *cells[] = {what_text(e->what), e->of, e->by, e->value};
	int r = 0;

	for (unsigned i = 0; i < 4 && r == 0; i++)
		r = out_table_cell(t, OUT_PLAIN, "%s", cells[i]);
	if (r == 0)
		r = out_table_cell(t, OUT_DIM, "%.19s",
				   out_time(e->first * SECOND, first, sizeof(first)));
	if (r == 0)
		r = out_table_cell(t, OUT_DIM, "%.19s",
				   out_time(e->last * SECOND, last, sizeof(last)));
	return r == 0 ? out_table_cell(t, OUT_PLAIN, "%llu", (unsigned long long)e->count) : r;
}

static int list(const struct args *args)
{
	static const char *const heads[] = {"WHAT",  "OF",   "BY",    "VALUE",
					    "FIRST", "LAST", "TIMES", NULL};
	_cleanup_(out_table_freep) struct out_table *t = out_table_new(heads);
	Rollcall__Baseline *m;
	struct out o;
	int r = t ? file_read(args, &m) : log_error(-ENOMEM, "baseline");

	for (size_t i = 0; r == 0 && i < m->n_entries; i++) {
		if (!baseline_matches(&args->which, m->entries[i]))
			continue;
		if (args->json) {
			event_message_json(stdout, &m->entries[i]->base);
			putchar('\n');
		} else {
			r = entry_print(t, m->entries[i]);
		}
	}
	if (r < 0 || args->json)
		return r;
	out_init(&o, stdout);
	out_table_print(t, &o);
	return 0;
}

/* ---- editing ---- */

static int edit_offline(const struct args *args, const Rollcall__Baseline *edit)
{
	_cleanup_(baseline_freep) struct baseline *b = baseline_new(ENTRIES_MAX);
	Rollcall__Baseline *m = NULL;
	int64_t n = b ? baseline_file_read(args->file, args->arena, &m) : -ENOMEM;
	int r;

	if (n == 0)
		n = baseline_take(b, m);
	if (n == -ENOENT || n >= 0)
		n = baseline_take(b, edit);
	if (n < 0)
		return log_error((int)n, "the baseline '%s' cannot be changed", args->file);
	m = baseline_message(b, args->arena);
	r = m ? baseline_file_write(args->file, m) : -ENOMEM;
	if (r < 0)
		return log_error(r, "the baseline '%s' cannot be written", args->file);
	printf("%lld entries forgotten, %zu taken\n", (long long)n, edit->n_entries);
	return 0;
}

static int edit_online(const struct args *args, const Rollcall__Baseline *edit)
{
	const struct timespec step = {.tv_nsec = EDIT_STEP_MS * 1000000};
	char path[PATH_MAX];
	int r;

	if ((size_t)snprintf(path, sizeof(path), "%s.edit", args->file) >= sizeof(path))
		return log_error(-ENAMETOOLONG, "baseline");
	if (access(path, F_OK) == 0)
		return log_error(-EBUSY, "another edit, '%s', waits for the sensor", path);
	r = baseline_file_write(path, edit);
	if (r < 0)
		return log_error(r, "the edit '%s' cannot be written", path);
	for (unsigned ms = 0; ms < EDIT_WAIT_MS; ms += EDIT_STEP_MS) {
		if (access(path, F_OK) < 0)
			return puts("taken by the sensor; its log tells how much") < 0 ? -EIO : 0;
		nanosleep(&step, NULL);
	}
	return log_error(-ETIMEDOUT, "the sensor has not taken the edit '%s'", path);
}

static int edit(const struct args *args, const Rollcall__Baseline *m)
{
	_cleanup_(closep) int lock = baseline_file_lock(args->file);

	if (lock == -EAGAIN)
		return edit_online(args, m);
	return lock < 0 ? log_error(lock, "the baseline '%s' cannot be locked", args->file)
			: edit_offline(args, m);
}

static int forget(struct args *args)
{
	Rollcall__Baseline m;
	Rollcall__BaselineEntry *which[] = {&args->which};

	rollcall__baseline__init(&m);
	m.forget = which;
	m.n_forget = 1;
	return edit(args, &m);
}

static int entries_read(const struct args *args, const char *path, FILE *f, Rollcall__Baseline *m)
{
	_cleanup_(freep) char *line = NULL;
	size_t room = 0;
	ssize_t len;
	char why[200];

	m->entries = arena_alloc(args->arena, ENTRIES_MAX * sizeof(*m->entries));
	while (m->entries && (len = getline(&line, &room, f)) > 0) {
		ProtobufCMessage *e;
		int r = event_read_message(args->arena, line, (size_t)len,
					   &rollcall__baseline_entry__descriptor, &e, why,
					   sizeof(why));

		if (r == 0 && m->n_entries == ENTRIES_MAX)
			return log_error(-E2BIG, "%s", path);
		if (r < 0)
			return log_error(r == -EBADMSG ? 0 : r, "%s:%zu: %s", path,
					 m->n_entries + 1, r == -EBADMSG ? why : "cannot be read"),
			       r;
		m->entries[m->n_entries++] = (Rollcall__BaselineEntry *)e;
	}
	return m->entries && !ferror(f) ? 0 : log_error(-EIO, "%s", path);
}

static int import(struct args *args, const char *path)
{
	bool input = strcmp(path, "-") == 0;
	_cleanup_(fclosep) FILE *f = input ? fdopen(dup(STDIN_FILENO), "r") : fopen(path, "re");
	Rollcall__Baseline m;
	int r;

	if (!f)
		return log_error(-errno, "cannot read '%s'", path);
	rollcall__baseline__init(&m);
	m.replace = args->replace;
	r = entries_read(args, path, f, &m);
	return r < 0 ? r : edit(args, &m);
}

/* ---- the command line ---- */

static int what_read(const char *text, Rollcall__Known *ret_what)
{
	const ProtobufCEnumValue *v =
		protobuf_c_enum_descriptor_get_value_by_name(&rollcall__known__descriptor, text);

	if (!v || !v->value)
		return log_error(0,
				 "--what '%s': child, peer, principal, statement, rows or "
				 "subject",
				 text),
		       -EINVAL;
	*ret_what = (Rollcall__Known)v->value;
	return 0;
}

static int args_read(struct args *args, int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},	{"all", no_argument, NULL, 'a'},
		{"replace", no_argument, NULL, 'r'},	{"file", required_argument, NULL, 'f'},
		{"what", required_argument, NULL, 'w'}, {"of", required_argument, NULL, 'o'},
		{"by", required_argument, NULL, 'b'},	{"value", required_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},	{},
	};
	Rollcall__BaselineEntry *which = &args->which;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		char **text = c == 'o' ? &which->of : c == 'b' ? &which->by : &which->value;

		if (c == 'h')
			return fputs(usage, stdout) < 0 ? -EIO : 1;
		if (c == '?' || (c == 'w' && what_read(optarg, &which->what) < 0))
			return -EINVAL;
		args->json |= c == 'j';
		args->all |= c == 'a';
		args->replace |= c == 'r';
		if (c == 'f')
			args->file = optarg;
		if (c == 'o' || c == 'b' || c == 'v')
			*text = optarg;
	}
	return 0;
}

static bool is_any(const Rollcall__BaselineEntry *which)
{
	return !which->what && !*which->of && !*which->by && !*which->value;
}

static int run(struct args *args, int argc, char **argv)
{
	const char *verb = argc ? argv[0] : "";

	if (argc == 1 && strcmp(verb, "export") == 0)
		args->json = true;
	if (argc == 1 && (strcmp(verb, "list") == 0 || strcmp(verb, "export") == 0))
		return list(args);
	if (argc == 1 && strcmp(verb, "forget") == 0 && args->all != !is_any(&args->which))
		return forget(args);
	if (argc == 2 && strcmp(verb, "import") == 0)
		return import(args, argv[1]);
	fputs(usage, stderr);
	return 2;
}

int cmd_baseline(int argc, char **argv)
{
	_cleanup_(arena_freep) struct arena *a = arena_new(256 * 1024);
	struct args args = {.file = BASELINE_PATH, .arena = a};
	int r;

	if (!a)
		return log_error(-ENOMEM, "baseline");
	rollcall__baseline_entry__init(&args.which);
	r = args_read(&args, argc, argv);
	if (r)
		return r == 1 ? 0 : r == -EINVAL ? 2 : r;
	return run(&args, argc - optind, argv + optind);
}
