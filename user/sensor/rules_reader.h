// SPDX-License-Identifier: Apache-2.0
// Reads the rules beside whatever else a start has to do. Called by probe.c, for sensor.c.
#pragma once

#include <pthread.h>
#include <stdbool.h>

struct rules;

struct rules_reader {
	struct rules *rules; /* borrowed; nobody else uses them until rules_reader_wait() */
	pthread_t thread;
	bool reading, read;
	int result;
};

/* Of a struct rules_reader. Where no thread can be had, it is done by rules_reader_wait(). */
void rules_reader_begin(void *reader);

/* Of a struct rules_reader, once or more; has to be called. As rules_read(). */
int rules_reader_wait(void *reader);
