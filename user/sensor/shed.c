// SPDX-License-Identifier: Apache-2.0
// The order in which events are given up, and when.
#include "sensor/shed.h"

#include <string.h>

#include "event.pb-c.h"
#include "lib/kind.h"

/* Kinds of files and network (event.proto): what lane bulk may have. */
#define FIRST_BULK 30
#define END_BULK   70

/* What is in no list goes with the last step: deeds, where the others are their circumstances. */
static const char *const kinds[SHED_STEPS + 1] = {
	[1] = "unix_connect tcp_close pipe_write", /* programs of this host among themselves; sums
						    */
	[2] = "file_open file_close file_change",  /* what is opened, and not written */
	[3] = "udp_send dns tcp_accept",	   /* who comes, and names that are asked for */
	[4] = "file_write file_unlink file_rename file_link file_send file_read mount fd_dup "
	      "tcp_connect tcp_listen raw_socket",
};

const char *shed_kinds(unsigned step)
{
	return kinds[step];
}

static bool names(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = list; (at = strstr(at, name)); at += len)
		if ((at == list || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
			return true;
	return false;
}

unsigned shed_step_of(uint32_t kind)
{
	const struct kind *k = kind_of(kind);

	/* A file_read of lane crit is not asked for by the kernel. */
	if (!k ||
	    (kind != ROLLCALL__EVENT__KIND_FILE_READ && (kind < FIRST_BULK || kind >= END_BULK)))
		return 0;
	for (unsigned step = 1; step < SHED_STEPS; step++)
		if (names(kinds[step], k->field->name))
			return step;
	return SHED_STEPS;
}

/* The resource that is used above its limit, NULL: none is; *ret_calm: all are well below. */
static const char *over(struct shed *s, double cpu, double events, bool *ret_calm)
{
	const struct {
		const char *resource;
		uint32_t limit;
		double used;
	} each[] = {{"cpu", s->limits.cpu, cpu}, {"events", s->limits.events, events}};

	*ret_calm = true;
	for (unsigned i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
		if (!each[i].limit)
			continue;
		if (each[i].used > 0.9 * each[i].limit)
			*ret_calm = false;
		if (each[i].used > each[i].limit) {
			s->limit = each[i].limit;
			return each[i].resource;
		}
	}
	return NULL;
}

bool shed_look(struct shed *s, double cpu, double events)
{
	bool calm;
	const char *resource = over(s, cpu, events, &calm);

	s->above = resource ? s->above + 1 : 0;
	s->below = !resource && calm ? s->below + 1 : 0;
	if (s->above >= SHED_RISE && s->step < SHED_STEPS) {
		s->resource = resource;
		s->above = 0;
		s->step++;
		return true;
	}
	if (s->below >= SHED_RECOVER && s->step) {
		s->below = 0;
		s->step--;
		return true;
	}
	return false;
}
