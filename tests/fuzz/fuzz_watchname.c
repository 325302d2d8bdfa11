// links: build/proto/event.pb-c.c
// SPDX-License-Identifier: Apache-2.0
// Names of watched tables. What is accepted, written with each part in quotes, reads as the same.
#include <stdlib.h>

#include "lib/clean.h"
#include "user/lib/watchname.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void part_write(FILE *f, char before, const char *part)
{
	fprintf(f, "%c\"", before);
	for (; *part; part++)
		fprintf(f, *part == '"' ? "\"\"" : "%c", *part);
	fputc('"', f);
}

static char *name_text(const struct watchname *name)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	fputs(watchname_system_text(name->system), f);
	part_write(f, ':', name->database);
	if (*name->schema)
		part_write(f, '.', name->schema);
	part_write(f, '.', name->table);
	fclose(f);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = strndup((const char *)data, size), *written = NULL;
	struct watchname a, b;
	const char *why = NULL;

	if (watchname_parse(text, &a, &why)) {
		if (!why || !*why)
			abort();
		return 0;
	}
	written = name_text(&a);
	if (watchname_parse(written, &b, &why) || a.system != b.system ||
	    strcmp(a.database, b.database) != 0 || strcmp(a.schema, b.schema) != 0 ||
	    strcmp(a.table, b.table) != 0)
		abort();
	return 0;
}
