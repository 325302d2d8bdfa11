// SPDX-License-Identifier: Apache-2.0
// `rollcall show FINDING`: one finding whole, from the process's ancestors to the rows.
#include "cli/cmd_show.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/line.h"
#include "cli/out.h"
#include "cli/store_client.h"
#include "lib/clean.h"
#include "lib/event.h"
#include "lib/log.h"
#include "lib/store_read.h"

static const char usage[] =
	"Usage: rollcall show FINDING [--json] [--store FILE]\n"
	"\n"
	"Shows one finding: who read, through which chain of processes, with which statement, how\n"
	"many rows, and the events it rests on. FINDING is its id or the beginning of it.\n"
	"\n"
	"  --json          a JSON object: the finding and its evidence\n"
	"  --store FILE    default " STORE_PATH "\n"
	"\n"
	"Exit status: 0 done, 1 failed or no such finding, 2 wrong usage.\n";

struct show_args {
	const char *store, *id;
	bool json;
	unsigned n_evidence; /* printed */
	struct out out;
	struct store_read *s;
};

static void label(struct out *o, const char *name)
{
	out_printf(o, OUT_DIM, "  %-12s", name);
}

static void row(struct out *o, const char *name, const char *value)
{
	if (!*value)
		return;
	label(o, name);
	out_text(o, OUT_PLAIN, value);
	fputc('\n', o->file);
}

/* Oldest ancestor first, each below its parent. Its depth. */
static int chain(struct out *o, const Rollcall__Process *p)
{
	int depth = p->parent ? chain(o, p->parent) + 1 : 0;

	fprintf(o->file, "  %*s%s", depth * 2, "", depth ? "`- " : "");
	line_process(o, p);
	out_printf(o, OUT_PLAIN, " ");
	for (size_t i = 0; i < p->n_args; i++) {
		out_printf(o, OUT_PLAIN, " ");
		out_text(o, OUT_DIM, p->args[i]);
	}
	if (*p->unit) {
		out_printf(o, OUT_DIM, "  [");
		out_text(o, OUT_DIM, p->unit);
		out_printf(o, OUT_DIM, "]");
	}
	fputc('\n', o->file);
	return depth;
}

static void database(struct out *o, const Rollcall__Db *db)
{
	const ProtobufCEnumValue *system = protobuf_c_enum_descriptor_get_value(
		&rollcall__system__descriptor, (int)db->system);

	out_printf(o, OUT_BOLD, "\nDatabase\n");
	row(o, "system", system ? system->name : "");
	row(o, "database", db->name);
	row(o, "user", db->user);
	if (db->client) {
		row(o, "client", db->client->exe);
		row(o, "address", db->client->address);
		row(o, "program", db->client->program);
	}
	row(o, "statement", db->statement);
	row(o, "server says", db->tag);
	label(o, "last result");
	line_rows(o, db);
	fputc('\n', o->file);
}

static int evidence_line(void *ctx, const struct store_read_event *ev)
{
	struct show_args *a = ctx;

	if (!ev->event)
		return 0;
	if (a->json) {
		if (a->n_evidence++)
			fputc(',', stdout);
		event_json(stdout, ev->event);
		return 0;
	}
	fputs("  ", stdout);
	line_event(&a->out, ev->event);
	return 0;
}

static int evidence(struct show_args *a, const char *host, const Rollcall__Finding *f)
{
	for (size_t i = 0; i < f->n_evidence; i++) {
		int r = store_read_event(a->s, host, f->evidence[i], evidence_line, a);

		if (r == -ENOENT || r == -EINVAL) {
			if (!a->json) {
				fputs("  ", stdout);
				out_text(&a->out, OUT_YELLOW, f->evidence[i]);
				puts(" is not in the store");
			}
		} else if (r < 0) {
			return r;
		}
	}
	return 0;
}

static void head(struct out *o, const struct store_read_finding *s, const Rollcall__Finding *f)
{
	char when[40];

	out_text(o, out_level(s->level), s->level);
	out_printf(o, OUT_PLAIN, "  ");
	out_text(o, OUT_BOLD, s->title);
	fputc('\n', o->file);
	row(o, "host", s->host);
	row(o, "id", s->id);
	row(o, "status", s->status);
	row(o, "rule", s->rule);
	label(o, "ATT&CK");
	for (size_t i = 0; f->rule && i < f->rule->n_attack; i++)
		out_printf(o, OUT_PLAIN, "%s%s", i ? ", " : "", f->rule->attack[i]);
	fputc('\n', o->file);
	label(o, "rows");
	out_printf(o, OUT_BOLD, "%s%" PRIu64, s->rows_max ? "" : "at least ", s->rows);
	out_printf(o, OUT_PLAIN, "%s\n",
		   s->gap ? "  (events were lost meanwhile: may be more)" : "");
	row(o, "tables", s->tables);
	row(o, "principal", s->principal);
	if (*f->path)
		row(o, "file", f->path);
	if (*f->peer)
		row(o, "fetched by", f->peer);
	row(o, "window", s->window);
	row(o, "first seen", out_time(f->first_seen, when, sizeof(when)));
	row(o, "last seen", out_time(f->last_seen, when, sizeof(when)));
	row(o, "stored", out_time(s->stored, when, sizeof(when)));
}

static int finding_show(void *ctx, const struct store_read_finding *s)
{
	struct show_args *a = ctx;
	const Rollcall__Finding *f =
		s->event && s->event->kind_case == ROLLCALL__EVENT__KIND_FINDING ? s->event->finding
										 : NULL;
	int r;

	if (!f)
		return log_error(-EBADMSG, "finding '%s' cannot be read", s->id);
	if (a->json) {
		fputs("{\"finding\":", stdout);
		event_json(stdout, s->event);
		a->n_evidence = 0;
		fputs(",\"evidence\":[", stdout);
		r = evidence(a, s->host, f);
		puts("]}");
		return r;
	}
	head(&a->out, s, f);
	if (s->event->process) {
		out_printf(&a->out, OUT_BOLD, "\nProcesses\n");
		chain(&a->out, s->event->process);
	}
	if (f->db)
		database(&a->out, f->db);
	out_printf(&a->out, OUT_BOLD, "\nEvidence\n");
	return evidence(a, s->host, f);
}

int cmd_show(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"store", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	struct show_args a = {.store = STORE_PATH};
	int c, r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			return fputs(usage, stdout) < 0;
		if (c == 'j')
			a.json = true;
		else if (c == 'd')
			a.store = optarg;
		else
			return 2;
	}
	if (optind != argc - 1)
		return log_error(0, "write one FINDING (rollcall findings lists them)"), 2;
	a.id = argv[optind];
	out_init(&a.out, stdout);
	if (store_client_open(a.store, &a.s) < 0)
		return 1;
	r = store_read_finding(a.s, a.id, finding_show, &a);
	if (r == -ENOENT)
		log_error(0, "no finding '%s'", a.id);
	store_read_close(a.s);
	return r < 0;
}
