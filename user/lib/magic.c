// SPDX-License-Identifier: Apache-2.0
// First bytes as the formats' own specifications have them; media types as IANA registers them, or
// as file(1) says where it has none. Only what an attacker stages or drops: archives, programs,
// class files, dumps, scripts.
#include "lib/magic.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"

/* No letter may follow \x in a string: bytes that are letters are written apart. */
static const struct {
	const char *bytes;
	size_t n;
	const char *type;
} types[] = {
	{"\x1f\x8b", 2, "application/gzip"},  /* RFC 1952 */
	{"PK\x03\x04", 4, "application/zip"}, /* jar, war, docx, too */
	{"BZh", 3, "application/x-bzip2"},
	{"\xfd"
	 "7zXZ\0",
	 6, "application/x-xz"},
	{"\x28\xb5\x2f\xfd", 4, "application/zstd"}, /* RFC 8878 */
	{"7z\xbc\xaf\x27\x1c", 6, "application/x-7z-compressed"},
	{"Rar!\x1a\x07", 6, "application/vnd.rar"},
	{"\x7f"
	 "ELF",
	 4, "application/x-executable"},
	{"\xca\xfe\xba\xbe", 4, "application/java-vm"}, /* JVMS 4.1 */
	{"#!", 2, "text/x-shellscript"},
	{"<?php", 5, "text/x-php"},
	{"<%", 2, "text/x-jsp"},
	{"-- MySQL dump", 13, "application/sql"}, /* mysqldump */
	{"/*M!999999", 10, "application/sql"},	  /* mariadb-dump since 10.11.8: sandbox mode */
	{"-- MariaDB dump", 15, "application/sql"},
	{"--\n-- PostgreSQL", 16, "application/sql"}, /* pg_dump, pg_dumpall */
	{"PGDMP", 5, "application/x-pg-dump"},	      /* pg_dump -Fc */
	{"SQLite format 3", 16, "application/vnd.sqlite3"},
	{"%PDF-", 5, "application/pdf"},
	{"\x85\x01", 2, "application/pgp-encrypted"},
};

const char *magic_type(const uint8_t *head, size_t n)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (n >= types[i].n && memcmp(head, types[i].bytes, types[i].n) == 0)
			return types[i].type;
	return "";
}

int magic_fill(struct arena *a, Rollcall__FileWrite *w)
{
	char *type = arena_strdup(a, magic_type(w->head.data, w->head.len));

	w->head = (ProtobufCBinaryData){};
	if (!type)
		return -ENOMEM;
	w->type = type;
	return 0;
}
