// links: user/lib/arena.c user/lib/conf.c user/lib/conf_field.c user/lib/doc.c user/lib/near.c user/lib/utf8.c user/lib/watchname.c user/lib/sigma/diag.c user/lib/sigma/placeholders.c build/proto/event.pb-c.c
// SPDX-License-Identifier: Apache-2.0
// Product profiles: what is read without a mistake gives placeholders that the rules' parser takes.
#include <stdint.h>

#include "user/lib/profile.c"

#include "lib/arena.h"
#include "lib/doc.h"
#include "lib/sigma/diag.h"
#include "lib/sigma/placeholders.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void told(void *ctx, unsigned line, unsigned column, const char *text)
{
	(void)ctx;
	if (!line || !column || !*text)
		abort();
}

static void never(void *ctx, unsigned line, unsigned column, const char *text)
{
	(void)ctx;
	(void)line;
	(void)column;
	(void)text;
	abort();
}

static void never_diag(void *ctx, const struct diag_text *t)
{
	(void)ctx;
	(void)t;
	abort();
}

static void placeholders_take(const char *text)
{
	_cleanup_(arena_freep) struct arena *a = arena_new(4096);
	struct placeholders all = {};
	struct diag diag = {.fn = never_diag, .file = "profile"};
	struct doc *doc = NULL;

	if (doc_parse(a, text, strlen(text), &(struct doc_opts){16, "deep", never, NULL}, &doc) ||
	    placeholders_read(&all, a, &diag, doc->root) < 0 ||
	    !placeholders_find(&all, "profile_services", strlen("profile_services")))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(profile_freep) struct profile *p = calloc(1, sizeof(*p));
	_cleanup_(freep) char *text = NULL;

	p->conf = conf_new(keys, p);
	if (conf_load(p->conf, (const char *)data, size, told, NULL) != 0)
		return 0;
	text = profile_placeholders(p);
	placeholders_take(text);
	return 0;
}
