// SPDX-License-Identifier: Apache-2.0
// One event as one line: when, where, what, who, how much.
#include "cli/line.h"

#include <inttypes.h>
#include <string.h>

#include "cli/out.h"
#include "lib/event.h"

static const char *enum_name(const ProtobufCEnumDescriptor *d, int value)
{
	const ProtobufCEnumValue *v = value ? protobuf_c_enum_descriptor_get_value(d, value) : NULL;

	return v ? v->name : "?";
}

void line_process(struct out *o, const Rollcall__Process *p)
{
	const char *slash;

	if (!p)
		return;
	slash = strrchr(p->exe, '/');
	out_text(o, OUT_CYAN, slash ? slash + 1 : p->exe);
	out_printf(o, OUT_PLAIN, " (%" PRIu32 ")", p->pid);
	if (*p->user) {
		out_printf(o, OUT_PLAIN, " as ");
		out_text(o, OUT_PLAIN, p->user);
	}
}

void line_rows(struct out *o, const Rollcall__Db *db)
{
	out_printf(o, OUT_BOLD, "%" PRIu64 " rows", db->rows);
	out_printf(o, OUT_PLAIN, ", %s",
		   enum_name(&rollcall__confidence__descriptor, (int)db->confidence));
}

const Rollcall__Db *line_db(const Rollcall__Event *ev)
{
	switch (ev->kind_case) {
	case ROLLCALL__EVENT__KIND_DB_RESULT:
		return ev->db_result->db;
	case ROLLCALL__EVENT__KIND_DB_PROGRESS:
		return ev->db_progress->db;
	case ROLLCALL__EVENT__KIND_DB_SUMMARY:
		return ev->db_summary->db;
	case ROLLCALL__EVENT__KIND_DB_SESSION:
		return ev->db_session->db;
	case ROLLCALL__EVENT__KIND_FINDING:
		return ev->finding->db;
	default:
		return NULL;
	}
}

static void db_part(struct out *o, const Rollcall__Db *db)
{
	line_rows(o, db);
	for (size_t i = 0; i < db->n_tables; i++) {
		out_printf(o, OUT_PLAIN, i ? ", " : " of ");
		out_text(o, OUT_PLAIN, db->tables[i]);
	}
	out_printf(o, OUT_PLAIN,
		   "  %s:", enum_name(&rollcall__system__descriptor, (int)db->system));
	out_text(o, OUT_PLAIN, db->user);
	out_printf(o, OUT_PLAIN, "@");
	out_text(o, OUT_PLAIN, db->name);
	if (db->client && *db->client->address) {
		out_printf(o, OUT_PLAIN, " from ");
		out_text(o, OUT_PLAIN, db->client->address);
	}
	out_printf(o, OUT_PLAIN, "  ");
	out_text(o, OUT_DIM, db->statement);
}

static void args_part(struct out *o, const Rollcall__Process *p)
{
	for (size_t i = 0; p && i < p->n_args; i++) {
		out_printf(o, OUT_PLAIN, " ");
		out_text(o, OUT_PLAIN, p->args[i]);
	}
}

static void finding_part(struct out *o, const Rollcall__Finding *f)
{
	const char *level = f->rule ? f->rule->level : "";

	out_text(o, out_level(level), level);
	out_printf(o, OUT_PLAIN, "  ");
	out_text(o, OUT_PLAIN, f->rule ? f->rule->title : "");
	out_printf(o, OUT_BOLD, ": %s%" PRIu64 " rows", f->rows_max ? "" : "at least ", f->rows);
	for (size_t i = 0; i < f->n_tables; i++) {
		out_printf(o, OUT_PLAIN, i ? ", " : " of ");
		out_text(o, OUT_PLAIN, f->tables[i]);
	}
	out_printf(o, OUT_PLAIN, "  by ");
	out_text(o, OUT_PLAIN, f->principal);
	out_printf(o, OUT_DIM, "  %s %s%s", f->status, f->id, *f->mode ? " (observe)" : "");
}

static void endpoint_part(struct out *o, const char *name, const Rollcall__Endpoint *e)
{
	if (!e || !*e->address)
		return;
	out_printf(o, OUT_PLAIN, " %s ", name);
	out_text(o, OUT_PLAIN, e->address);
	out_printf(o, OUT_PLAIN, ":%" PRIu32, e->port);
}

/* Texts, addresses and named values of an event that has no line of its own here. */
static void other_part(struct out *o, const ProtobufCMessage *msg)
{
	for (unsigned i = 0; i < msg->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &msg->descriptor->fields[i];
		const void *p = (const char *)msg + f->offset;

		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			continue;
		if (f->type == PROTOBUF_C_TYPE_STRING && **(char *const *)p) {
			out_printf(o, OUT_PLAIN, " %s ", f->name);
			out_text(o, OUT_PLAIN, *(char *const *)p);
		} else if (f->type == PROTOBUF_C_TYPE_ENUM && *(const int *)p) {
			out_printf(o, OUT_PLAIN, " %s", enum_name(f->descriptor, *(const int *)p));
		} else if (f->descriptor == &rollcall__endpoint__descriptor) {
			endpoint_part(o, f->name, *(Rollcall__Endpoint *const *)p);
		}
	}
}

static void kind_part(struct out *o, const Rollcall__Event *ev)
{
	const Rollcall__Db *db = line_db(ev);

	switch (ev->kind_case) {
	case ROLLCALL__EVENT__KIND_FINDING:
		finding_part(o, ev->finding);
		break;
	case ROLLCALL__EVENT__KIND_EXEC:
		args_part(o, ev->process);
		break;
	case ROLLCALL__EVENT__KIND_EXIT:
		out_printf(o, OUT_PLAIN, "status %" PRIu32, ev->exit->exit_code);
		break;
	case ROLLCALL__EVENT__KIND_FILE_READ:
		out_text(o, OUT_PLAIN, ev->file_read->path);
		out_printf(o, OUT_PLAIN, "%s", *ev->file_read->tables ? " of " : "");
		out_text(o, OUT_PLAIN, ev->file_read->tables);
		break;
	case ROLLCALL__EVENT__KIND_GAP:
		if (ev->gap->until)
			out_printf(o, OUT_YELLOW, "nobody looked for %.3f s: ",
				   (double)(int64_t)(ev->gap->until - ev->gap->since) / 1e9);
		else
			out_printf(o, OUT_YELLOW, "%" PRIu64 " lost: ", ev->gap->count);
		out_text(o, OUT_YELLOW, ev->gap->lane);
		out_printf(o, OUT_YELLOW, ", ");
		out_text(o, OUT_YELLOW, ev->gap->reason);
		break;
	default:
		if (db)
			db_part(o, db);
		else if (event_message(ev))
			other_part(o, event_message(ev));
	}
}

void line_event(struct out *o, const Rollcall__Event *ev)
{
	char when[40];

	out_text(o, OUT_DIM, out_time(ev->time, when, sizeof(when)));
	out_printf(o, OUT_PLAIN, "  ");
	out_text(o, OUT_PLAIN, ev->host);
	out_printf(o, OUT_PLAIN, "  %-12s  ", event_kind(ev));
	if (ev->process && ev->kind_case != ROLLCALL__EVENT__KIND_FINDING) {
		line_process(o, ev->process);
		out_printf(o, OUT_PLAIN, "  ");
	}
	kind_part(o, ev);
	fputc('\n', o->file);
}
