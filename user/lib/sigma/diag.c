// SPDX-License-Identifier: Apache-2.0
// Mistakes and notes with their place; a suggestion for a name.
#include "lib/sigma/diag.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/doc.h"
#include "lib/near.h"

/* `count`: of the diag, which of its three kinds this is. */
static void tell(struct diag *d, unsigned *count, unsigned line, unsigned column, const char *fmt,
		 va_list ap)
{
	char text[512];

	vsnprintf(text, sizeof(text), fmt, ap);
	++*count;
	d->fn(d->ctx, &(struct diag_text){d->file, line, column, count == &d->mistakes, text,
					  count == &d->warnings});
}

int diag_mistake(struct diag *d, const struct doc_node *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell(d, &d->mistakes, at->line, at->column, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int diag_mistake_in(struct diag *d, const struct doc_node *at, unsigned offset, const char *fmt,
		    ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell(d, &d->mistakes, at->line, at->column + (at->exact ? offset + !at->plain : 0), fmt,
	     ap);
	va_end(ap);
	return -EINVAL;
}

void diag_note(struct diag *d, const struct doc_node *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell(d, &d->notes, at->line, at->column, fmt, ap);
	va_end(ap);
}

void diag_warning(struct diag *d, const struct doc_node *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell(d, &d->warnings, at->line, at->column, fmt, ap);
	va_end(ap);
}

void diag_yaml(void *ctx, unsigned line, unsigned column, const char *text)
{
	struct diag *d = ctx;

	d->mistakes++;
	d->fn(d->ctx, &(struct diag_text){d->file, line, column, true, text, false});
}

const char *diag_near(const char *name, const char *(*next)(const void *ctx, unsigned i),
		      const void *ctx)
{
	unsigned best = 4;
	const char *found = NULL, *candidate;

	for (unsigned i = 0; (candidate = next(ctx, i)); i++) {
		unsigned d = strcasecmp(name, candidate) == 0 ? 0 : near_distance(name, candidate);

		if (d < best && d < strlen(name)) {
			best = d;
			found = candidate;
		}
	}
	return found;
}
