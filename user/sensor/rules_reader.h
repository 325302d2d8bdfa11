// SPDX-License-Identifier: Apache-2.0
// Reads the rules beside whatever else a start has to do. Called by sensor.c.
#pragma once

#include <pthread.h>
#include <stdbool.h>

struct rules;

struct rules_reader {
	struct rules *rules; /* borrowed */
	pthread_t thread;
	bool reading;
	int result;
};

/* Nobody else uses the rules until rules_reader_wait(), which has to be called. 0 or negative
 * errno: nothing is read. */
int rules_reader_begin(struct rules_reader *r, struct rules *rules);

/* Of a struct rules_reader, once or more: as rules_read(). */
int rules_reader_wait(void *reader);
