// SPDX-License-Identifier: Apache-2.0
// Dates and their parts.
#include "lib/sigma/when.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND 1000000000ull

int when_part(uint64_t ns, enum when_part part)
{
	time_t s = (time_t)(ns / SECOND);
	struct tm tm;
	char week[8];

	gmtime_r(&s, &tm);
	switch (part) {
	case WHEN_MINUTE:
		return tm.tm_min;
	case WHEN_HOUR:
		return tm.tm_hour;
	case WHEN_DAY:
		return tm.tm_mday;
	case WHEN_WEEK:
		strftime(week, sizeof(week), "%V", &tm);
		return atoi(week);
	case WHEN_MONTH:
		return tm.tm_mon + 1;
	case WHEN_YEAR:
		return tm.tm_year + 1900;
	case WHEN_NONE:
		break;
	}
	return 0;
}

static const struct {
	const char *name;
	int first, last;
} parts[] = {
	[WHEN_MINUTE] = {"minute", 0, 59}, [WHEN_HOUR] = {"hour", 0, 23},
	[WHEN_DAY] = {"day", 1, 31},	   [WHEN_WEEK] = {"week", 1, 53},
	[WHEN_MONTH] = {"month", 1, 12},   [WHEN_YEAR] = {"year", 1970, 9999},
};

bool when_has(enum when_part part, double number)
{
	return part == WHEN_NONE || (number >= parts[part].first && number <= parts[part].last &&
				     number == (double)(int)number);
}

const char *when_name(enum when_part part)
{
	return parts[part].name;
}

/* What may follow the seconds: a fraction, then Z or nothing. */
static int end_good(const char *s)
{
	if (*s == '.')
		s += 1 + strspn(s + 1, "0123456789");
	return !*s || strcmp(s, "Z") == 0;
}

int when_parse(const char *text, size_t len, uint64_t *ret_ns)
{
	static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
					    "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"};
	char copy[40];

	if (len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = {};
		const char *end = strptime(copy, forms[i], &tm);

		if (end && end_good(end) && tm.tm_year >= 70) {
			*ret_ns = (uint64_t)timegm(&tm) * SECOND;
			return 0;
		}
	}
	return -EINVAL;
}
