// SPDX-License-Identifier: Apache-2.0
// Parses SYSTEM:DATABASE[.SCHEMA].TABLE. Called for --watch, for the configuration's watch list
// and for the resolved file, so that all three accept the same names. Never allocates.
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "lib/watchname.h"

static const struct {
	const char *text;
	Rollcall__System system;
} systems[] = {
	{"postgresql", ROLLCALL__SYSTEM__postgresql},
	{"mariadb", ROLLCALL__SYSTEM__mariadb},
	{"mysql", ROLLCALL__SYSTEM__mysql},
};

Rollcall__System watchname_system(const char *text, size_t len)
{
	for (size_t i = 0; i < sizeof(systems) / sizeof(*systems); i++)
		if (strlen(systems[i].text) == len && !memcmp(systems[i].text, text, len))
			return systems[i].system;
	return ROLLCALL__SYSTEM__SYSTEM_UNSPECIFIED;
}

const char *watchname_system_text(Rollcall__System system)
{
	for (size_t i = 0; i < sizeof(systems) / sizeof(*systems); i++)
		if (systems[i].system == system)
			return systems[i].text;
	return "unknown";
}

/* Reads one part up to a dot or the end. Returns what follows it, NULL when it is malformed. */
static const char *part_parse(const char *s, char *ret_part)
{
	char quote = *s == '"' || *s == '`' ? *s++ : 0;
	size_t n = 0;

	for (; *s; s++) {
		if (quote && *s == quote && *++s != quote)
			break;
		if (!quote && *s == '.')
			break;
		if (n + 1 >= WATCHNAME_PART_MAX)
			return NULL;
		ret_part[n++] = *s;
	}
	ret_part[n] = '\0';
	/* White space at an end is a slip: it names a table that nobody has. */
	if (!quote && n &&
	    (isspace((unsigned char)*ret_part) || isspace((unsigned char)ret_part[n - 1])))
		return NULL;
	if (!n || (*s && *s != '.') || (quote && s[-1] != quote))
		return NULL;
	return s;
}

int watchname_parse(const char *text, struct watchname *ret_name, const char **ret_why)
{
	struct watchname name = {};
	char part[3][WATCHNAME_PART_MAX];
	const char *s = strchr(text, ':');
	size_t n = 0;

	*ret_why = "a watched table is written SYSTEM:DATABASE.TABLE";
	if (!s)
		return -EINVAL;
	name.system = watchname_system(text, (size_t)(s - text));
	if (!name.system) {
		*ret_why = "the system must be postgresql, mariadb or mysql";
		return -EINVAL;
	}
	do {
		if (n == 3) {
			*ret_why = "too many parts; put a name with a dot in double quotes";
			return -EINVAL;
		}
		s = part_parse(s + 1, part[n]);
		if (!s) {
			*ret_why = "a part of the name is empty, too long or badly quoted";
			return -EINVAL;
		}
		n++;
	} while (*s == '.');
	if (n < 2 || (n == 3 && name.system != ROLLCALL__SYSTEM__postgresql)) {
		*ret_why = n < 2 ? "the table is missing: SYSTEM:DATABASE.TABLE"
				 : "only PostgreSQL has schemas: write SYSTEM:DATABASE.TABLE";
		return -EINVAL;
	}
	strcpy(name.database, part[0]);
	if (n == 3)
		strcpy(name.schema, part[1]);
	strcpy(name.table, part[n - 1]);
	*ret_name = name;
	return 0;
}
