// SPDX-License-Identifier: Apache-2.0
// Configuration files. What is accepted is dumped, and the dump reads as the same.
#include <stdlib.h>

#include "user/lib/conf.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct target {
	bool on;
	uint64_t number, bytes;
	double part;
	const char *text, *item;
};

#define AT(f) offsetof(struct target, f)
static const struct conf_key keys[] = {
	{"text", conf_text, AT(text), "x", "A text.", false, 0, 0},
	{"list", conf_text, AT(item), NULL, "Texts.", true, 0, 0},
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct target a = {}, b = {};
	struct conf *c = conf_new(keys, &a), *d = conf_new(keys, &b);
	char *text = NULL;
	size_t n;
	FILE *f;

	if (conf_load(c, (const char *)data, size, tell, NULL) == 0) {
		f = open_memstream(&text, &n);
		conf_dump(c, f);
		fclose(f);
		if (conf_load(d, text, n, tell, NULL) != 0 || strcmp(a.text, b.text) != 0 ||
		    a.number != b.number || a.bytes != b.bytes || a.on != b.on || a.part != b.part)
			abort();
		free(text);
	}
	conf_free(c);
	conf_free(d);
	return 0;
}
