// SPDX-License-Identifier: Apache-2.0
// Sliding sums. Time is the events' own, that of the boot: it may repeat and step back a little
// between CPUs; in a recording it may step far. The bucket after the present one counts too, later
// ones do not.
#include "sensor/derive/sum.h"

#include <string.h>

void sum_init(struct sum *s, uint64_t span)
{
	memset(s, 0, sizeof(*s));
	s->width = span / SUM_BUCKETS;
}

void sum_add(struct sum *s, uint64_t time, uint64_t n)
{
	uint64_t number = time / s->width;
	unsigned i = (unsigned)(number % SUM_BUCKETS);

	/* Also one of the future: the clock was set back since. */
	if (s->number[i] != number) {
		s->number[i] = number;
		s->value[i] = 0;
	}
	s->value[i] += n;
}

static int in_span(const struct sum *s, unsigned i, uint64_t now)
{
	return s->number[i] <= now + 1 && s->number[i] + SUM_BUCKETS > now;
}

uint64_t sum_total(const struct sum *s, uint64_t time)
{
	uint64_t now = time / s->width, total = 0;

	for (unsigned i = 0; i < SUM_BUCKETS; i++)
		if (in_span(s, i, now))
			total += s->value[i];
	return total;
}

void sum_take(struct sum *s, uint64_t time, uint64_t n)
{
	uint64_t now = time / s->width;

	for (uint64_t number = now >= SUM_BUCKETS ? now - SUM_BUCKETS + 1 : 0;
	     number <= now + 1 && n; number++) {
		unsigned i = (unsigned)(number % SUM_BUCKETS);
		uint64_t k = s->value[i] < n ? s->value[i] : n;

		if (s->number[i] != number)
			continue;
		s->value[i] -= k;
		n -= k;
	}
}
