// SPDX-License-Identifier: Apache-2.0
// Parts of a date, for the modifiers minute to year: UTC, weeks as ISO 8601 numbers them.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum when_part {
	WHEN_NONE,
	WHEN_MINUTE,
	WHEN_HOUR,
	WHEN_DAY,
	WHEN_WEEK,
	WHEN_MONTH,
	WHEN_YEAR,
};

int when_part(uint64_t ns, enum when_part part);
/* Is there a date with that number? Of WHEN_NONE with each. */
bool when_has(enum when_part part, double number);
const char *when_name(enum when_part part);

/* "2026-01-30T09:12:44.5Z", "2026-01-30 09:12", "2026-01-30"; another zone is refused. -EINVAL */
int when_parse(const char *text, size_t len, uint64_t *ret_ns);
