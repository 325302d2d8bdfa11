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

void rules_reader_begin(void *reader)
{
	struct rules_reader *r = reader;

	r->reading = thread_start(&r->thread, read_all, r) == 0;
}

int rules_reader_wait(void *reader)
{
	struct rules_reader *r = reader;

	if (r->reading)
		pthread_join(r->thread, NULL);
	else if (!r->read)
		read_all(r);
	r->reading = false;
	r->read = true;
	return r->result;
}
