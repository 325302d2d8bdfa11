// links: user/lib/resolved.c user/lib/watchname.c build/proto/event.pb-c.c
// SPDX-License-Identifier: Apache-2.0
// Input: a resolved file, or a watch name. What is accepted must survive being written and read.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clean.h"
#include "lib/resolved.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(resolved_freep) struct resolved *a = NULL, *b = NULL;
	_cleanup_(freep) char *text = strndup((const char *)data, size);
	_cleanup_(freep) char *written = NULL;
	struct watchname name;
	const char *why_name;
	char why[256];
	size_t pos = 0;

	watchname_parse(text, &name, &why_name);
	if (resolved_parse((const char *)data, size, &a, why, sizeof(why)))
		return 0;
	written = resolved_text(a);
	if (!written || resolved_parse(written, strlen(written), &b, why, sizeof(why)))
		abort();
	resolved_by_oid(b, "hr", 16385, &pos);
	return 0;
}
