// SPDX-License-Identifier: Apache-2.0
// File names of MariaDB and MySQL tables.
#include "lib/dbfile.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Endings of files that hold rows or keys. A .frm holds only the definition. */
static const char *const endings[] = {".ibd", ".MYD", ".MYI", ".MAD", ".MAI", ".CSV", ".ARZ"};

void dbfile_encode(const char *name, char *ret_encoded)
{
	char *to = ret_encoded;

	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		if (isalnum(c) || c == '_' || c >= 0x80)
			*to++ = (char)c;
		else
			to += sprintf(to, "@%04x", c);
	}
	*to = '\0';
}

/* TABLE.ibd and its partitions TABLE#P#x.ibd, TABLE#P#x#SP#y.ibd. */
bool dbfile_is_of(const char *file, const char *table)
{
	size_t n = strlen(table), len = strlen(file);

	if (strncmp(file, table, n) || (strncasecmp(file + n, "#P#", 3) && file[n] != '.'))
		return false;
	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
		size_t m = strlen(endings[i]);

		if (len >= n + m && !strcmp(file + len - m, endings[i]))
			return true;
	}
	return false;
}

const char *dbfile_kind(const char *file)
{
	size_t n = strlen(file);

	/* .MYI and .MAI */
	return n && file[n - 1] == 'I' ? "index" : "heap";
}
