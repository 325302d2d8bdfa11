// SPDX-License-Identifier: Apache-2.0
// Passwords are found word by word. A program's name in a word says what its options mean until
// another known program's comes.
#include "lib/mask.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Options as the programs' manuals have them. */
static const struct {
	const char *program; /* or what its name begins with, with a * behind */
	const char *option;
	bool next;	   /* the secret may be the next word */
	bool behind_colon; /* of user:password */
} options[] = {
	{"mysql*", "-p", false, false},	     {"mariadb*", "-p", false, false},
	{"mariabackup", "-p", false, false}, {"xtrabackup", "-p", false, false},
	{"sshpass", "-p", true, false},	     {"ldap*", "-w", true, false},
	{"redis-cli", "-a", true, false},    {"curl", "-u", true, true},
	{"curl", "--user", true, true},	     {"smbclient", "-U", true, true},
	{"zip", "-P", true, false},	     {"7z*", "-p", false, false},
	{"openssl", "-k", true, false},
};
#define OPTIONS (sizeof(options) / sizeof(options[0]))

/* What a name ends with whose value is a secret, in any case. */
static const char *const names[] = {"password", "passwd", "passphrase", "pwd",	   "secret",
				    "token",	"apikey", "api_key",	"api-key", "access_key"};
#define NAMES (sizeof(names) / sizeof(names[0]))

struct mask {
	unsigned programs; /* bit by index of options */
	bool next, next_behind_colon;
};

static void cover(char *from, char *end)
{
	if (end > from)
		memset(from, '*', (size_t)(end - from));
}

static bool name_is(const char *word, size_t n, const char *program)
{
	size_t len = strlen(program);

	if (program[len - 1] == '*')
		return n >= len - 1 && strncmp(word, program, len - 1) == 0;
	return n == len && strncmp(word, program, len) == 0;
}

/* Which options a word brings that is a program's name, with or without its directory. */
static unsigned programs_of(const char *word, size_t n)
{
	unsigned found = 0;

	for (size_t i = n; i > 0; i--)
		if (word[i - 1] == '/') {
			word += i;
			n -= i;
			break;
		}
	for (unsigned i = 0; i < OPTIONS; i++)
		if (name_is(word, n, options[i].program))
			found |= 1u << i;
	return found;
}

static void behind(char *from, char *end, bool behind_colon)
{
	char *colon = behind_colon ? memchr(from, ':', (size_t)(end - from)) : NULL;

	if (!behind_colon)
		cover(from, end);
	else if (colon)
		cover(colon + 1, end);
}

/* Is it an option with a secret? Covers it, or says that the next word is it. */
static bool option_mask(struct mask *m, char *word, char *end)
{
	for (unsigned i = 0; i < OPTIONS; i++) {
		size_t len = strlen(options[i].option), n = (size_t)(end - word);
		char *from = word + len;

		if (!(m->programs & 1u << i) || n < len ||
		    strncmp(word, options[i].option, len) != 0)
			continue;
		if (n == len) {
			m->next = options[i].next;
			m->next_behind_colon = options[i].behind_colon;
			return true;
		}
		if (options[i].option[1] == '-') { /* a long one has a = */
			if (*from != '=')
				continue;
			from++;
		}
		behind(from, end, options[i].behind_colon);
		return true;
	}
	return false;
}

static bool name_is_secret(const char *name, size_t n)
{
	for (unsigned i = 0; i < NAMES; i++) {
		size_t len = strlen(names[i]);

		if (n >= len && strncasecmp(name + n - len, names[i], len) == 0)
			return true;
	}
	return false;
}

/* NAME=value, also several with & or ; between. */
static void value_mask(char *word, char *end)
{
	for (char *p = word; p < end; p++) {
		char *stop;

		if (*p != '=' || !name_is_secret(word, (size_t)(p - word)))
			continue;
		stop = p + 1;
		while (stop < end && *stop != '&' && *stop != ';')
			stop++;
		cover(p + 1, stop);
		p = stop;
	}
}

/* Bytes before the first slash. */
static size_t authority(const char *from, size_t n)
{
	const char *slash = memchr(from, '/', n);

	return slash ? (size_t)(slash - from) : n;
}

/* scheme://user:password@host/path */
static void url_mask(char *word, char *end)
{
	char *scheme = memmem(word, (size_t)(end - word), "://", 3), *at, *colon;

	if (!scheme)
		return;
	end = scheme + 3 + authority(scheme + 3, (size_t)(end - scheme - 3));
	at = memchr(scheme + 3, '@', (size_t)(end - scheme - 3));
	colon = at ? memchr(scheme + 3, ':', (size_t)(at - scheme - 3)) : NULL;
	if (colon)
		cover(colon + 1, at);
}

static void word_mask(struct mask *m, char *word, char *end)
{
	unsigned programs = programs_of(word, (size_t)(end - word));

	if (m->next) {
		behind(word, end, m->next_behind_colon);
		m->next = false;
		m->programs = 0; /* sshpass: what follows is another program */
		return;
	}
	if (programs) {
		m->programs = programs;
		return;
	}
	if (option_mask(m, word, end))
		return;
	value_mask(word, end);
	url_mask(word, end);
}

static bool is_gap(char c)
{
	return c == '\0' || isspace((unsigned char)c) || c == '\'' || c == '"' || c == '`';
}

void mask_args(char *args, size_t n)
{
	struct mask m = {};
	size_t from = 0;

	for (size_t i = 0; i <= n; i++) {
		if (i < n && !is_gap(args[i]))
			continue;
		if (i > from)
			word_mask(&m, args + from, args + i);
		from = i + 1;
	}
}
