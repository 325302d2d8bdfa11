// SPDX-License-Identifier: Apache-2.0
// The types of the configuration's fields: which texts each takes, and what it says of others.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/conf.h"

int conf_bool(const struct conf_key *key, void *field, const char *text, char *why)
{
	(void)key;
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
		snprintf(why, CONF_WHY, "write true or false");
		return -EINVAL;
	}
	*(bool *)field = text[0] == 't';
	return 0;
}

#define DIGITS "0123456789"

static int number(const struct conf_key *key, const char *text, uint64_t factor, uint64_t *ret,
		  char *why)
{
	uint64_t n, max = key->max ? key->max : INT64_MAX;

	errno = 0;
	n = strtoull(text, NULL, 10);
	if (!*text || text[strspn(text, DIGITS)] || errno || n > UINT64_MAX / factor ||
	    n * factor < key->min || n * factor > max) {
		snprintf(why, CONF_WHY, "write a whole number in decimal digits, %llu to %llu",
			 (unsigned long long)key->min, (unsigned long long)max);
		return -EINVAL;
	}
	*ret = n * factor;
	return 0;
}

int conf_u64(const struct conf_key *key, void *field, const char *text, char *why)
{
	return number(key, text, 1, field, why);
}

int conf_u32(const struct conf_key *key, void *field, const char *text, char *why)
{
	uint64_t n;
	int r = number(key, text, 1, &n, why);

	if (r == 0)
		*(uint32_t *)field = (uint32_t)n;
	return r;
}

int conf_size(const struct conf_key *key, void *field, const char *text, char *why)
{
	static const struct {
		const char *unit;
		uint64_t factor;
	} units[] = {{"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}, {"B", 1}};
	size_t len = strlen(text), u;
	char digits[24];

	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		u = strlen(units[i].unit);
		if (len <= u || len - u >= sizeof(digits) ||
		    strcmp(text + len - u, units[i].unit) != 0)
			continue;
		memcpy(digits, text, len - u);
		digits[len - u] = '\0';
		if (number(key, digits, units[i].factor, field, why) == 0)
			return 0;
		break;
	}
	snprintf(why, CONF_WHY,
		 "write a size in B, KiB, MiB or GiB, for example 64KiB, %llu to %llu bytes",
		 (unsigned long long)key->min,
		 (unsigned long long)(key->max ? key->max : INT64_MAX));
	return -EINVAL;
}

/* strtod() alone would also take hexadecimal, exponents, infinity and a sign. */
int conf_fraction(const struct conf_key *key, void *field, const char *text, char *why)
{
	size_t whole = strspn(text, DIGITS), part = 0;
	bool good = whole > 0;

	(void)key;
	if (good && text[whole] == '.') {
		part = strspn(text + whole + 1, DIGITS);
		good = part > 0;
		part++;
	}
	if (!good || text[whole + part] || strtod(text, NULL) > 1) {
		snprintf(why, CONF_WHY, "write a fraction from 0 to 1, for example 0.25");
		return -EINVAL;
	}
	*(double *)field = strtod(text, NULL);
	return 0;
}

int conf_text(const struct conf_key *key, void *field, const char *text, char *why)
{
	(void)key;
	(void)why;
	*(const char **)field = text;
	return 0;
}
