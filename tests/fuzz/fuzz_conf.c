// links: user/lib/arena.c user/lib/conf_field.c user/lib/doc.c user/lib/near.c user/lib/utf8.c
// SPDX-License-Identifier: Apache-2.0
// Configuration files, and single values as from a command line. What is accepted is dumped, and
// the dump reads as the same.
#include <stdlib.h>

#include "user/lib/conf.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct target {
	bool on;
	uint64_t number, bytes;
	double part;
	const char *text;
	char *items; /* each followed by a byte that no text has */
};

static int add(const struct conf_key *key, void *field, const char *text, char *why)
{
	char **items = field, *all;

	(void)key;
	(void)why;
	if (asprintf(&all, "%s%s\xff", *items ? *items : "", text) < 0)
		return -ENOMEM;
	free(*items);
	*items = all;
	return 0;
}

#define AT(f) offsetof(struct target, f)
static const struct conf_key keys[] = {
	{"text", conf_text, AT(text), "x", "A text.", false, 0, 0},
	{"list", add, AT(items), NULL, "Texts.", true, 0, 0},
	{"s.on", conf_bool, AT(on), "true", "A switch.", false, 0, 0},
	{"s.number", conf_u64, AT(number), "7", "A number.", false, 1, 1000},
	{"s.bytes", conf_size, AT(bytes), "1KiB", "A size.", false, 0, 0},
	{"s.part", conf_fraction, AT(part), "0.5", "A part.", false, 0, 0},
	{0},
};

static void tell(void *ctx, unsigned line, unsigned column, const char *text)
{
	(void)ctx;
	if (!line || !column || !*text)
		abort();
}

static void same_after_dump(const struct conf *c, const struct target *a)
{
	struct target b = {};
	struct conf *d = conf_new(keys, &b);
	char *first = NULL, *second = NULL;
	size_t n, m;
	FILE *f = open_memstream(&first, &n), *g = open_memstream(&second, &m);

	if (conf_dump(c, f) < 0 || fclose(f) != 0 || conf_load(d, first, n, tell, NULL) != 0 ||
	    conf_dump(d, g) < 0 || fclose(g) != 0 || n != m || memcmp(first, second, n) != 0)
		abort();
	if (strcmp(a->text, b.text) != 0 || a->number != b.number || a->bytes != b.bytes ||
	    a->on != b.on || a->part != b.part || !a->items != !b.items ||
	    (a->items && strcmp(a->items, b.items) != 0))
		abort();
	free(b.items);
	free(first);
	free(second);
	conf_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[CONF_WHY], *text = strndup((const char *)data, size);

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct target a = {};
		struct conf *c = conf_new(keys, &a);
		int r = keys[i].name ? conf_set(c, keys[i].name, text, why)
				     : conf_load(c, (const char *)data, size, tell, NULL);

		if (r == 0)
			same_after_dump(c, &a);
		free(a.items);
		conf_free(c);
	}
	free(text);
	return 0;
}
