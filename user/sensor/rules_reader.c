// SPDX-License-Identifier: Apache-2.0
#include "sensor/rules_reader.h"

#include "lib/thread.h"
#include "sensor/rules.h"

static void *read_all(void *reader)
{
	struct rules_reader *r = reader;

	r->result = rules_read(r->rules);
	return NULL;
}

int rules_reader_begin(struct rules_reader *r, struct rules *rules)
{
	int e;

	*r = (struct rules_reader){.rules = rules};
	e = thread_start(&r->thread, read_all, r);
	r->reading = e == 0;
	return e;
}

int rules_reader_wait(void *reader)
{
	struct rules_reader *r = reader;

	if (r->reading)
		pthread_join(r->thread, NULL);
	r->reading = false;
	return r->result;
}
