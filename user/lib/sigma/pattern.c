// SPDX-License-Identifier: Apache-2.0
// Strings with wildcards.
#include "lib/sigma/pattern.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/sigma/casefold.h"
#include "lib/utf8.h"

int pattern_parse(struct arena *a, const char *text, size_t len, struct pattern *ret_pattern)
{
	struct pattern p = {arena_alloc(a, (len + 1) * sizeof(*p.t)), 0};

	if (!p.t)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\' && i + 1 < len && strchr("*?\\", text[i + 1]) && text[i + 1])
			p.t[p.n++] = (uint8_t)text[++i];
		else if (text[i] == '*' || text[i] == '?')
			p.t[p.n++] = text[i] == '*' ? PATTERN_ANY : PATTERN_ONE;
		else
			p.t[p.n++] = (uint8_t)text[i];
	}
	*ret_pattern = p;
	return 0;
}

int pattern_bytes(struct arena *a, const void *bytes, size_t len, struct pattern *ret_pattern)
{
	struct pattern p = {arena_alloc(a, (len + 1) * sizeof(*p.t)), len};

	if (!p.t)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++)
		p.t[i] = ((const uint8_t *)bytes)[i];
	*ret_pattern = p;
	return 0;
}

bool pattern_is_plain(const struct pattern *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->t[i] > 0xff)
			return false;
	return true;
}

void pattern_plain(const struct pattern *p, uint8_t *out)
{
	for (size_t i = 0; i < p->n; i++)
		out[i] = (uint8_t)p->t[i];
}

int pattern_open(struct arena *a, const struct pattern *p, bool before, bool after,
		 struct pattern *ret_pattern)
{
	struct pattern o = {arena_alloc(a, (p->n + 2) * sizeof(*o.t)), 0};

	if (!o.t)
		return -ENOMEM;
	if (before && (!p->n || p->t[0] != PATTERN_ANY))
		o.t[o.n++] = PATTERN_ANY;
	if (p->n)
		memcpy(o.t + o.n, p->t, p->n * sizeof(*o.t));
	o.n += p->n;
	if (after && o.t[o.n - (o.n > 0)] != PATTERN_ANY)
		o.t[o.n++] = PATTERN_ANY;
	*ret_pattern = o;
	return 0;
}

/* Number of tokens from `from` on that are bytes. */
static size_t run(const struct pattern *p, size_t from)
{
	size_t n = from;

	while (n < p->n && p->t[n] <= 0xff)
		n++;
	return n - from;
}

int pattern_fold(struct arena *a, const struct pattern *p, struct pattern *ret_pattern)
{
	struct pattern f = {arena_alloc(a, (2 * p->n + 1) * sizeof(*f.t)), 0};
	char *from = arena_alloc(a, p->n + 1), *to = arena_alloc(a, 2 * p->n + 1);
	size_t n, len;

	if (!f.t || !from || !to)
		return -ENOMEM;
	for (size_t i = 0; i < p->n; i += n ? n : 1) {
		n = run(p, i);
		if (!n)
			f.t[f.n++] = p->t[i];
		for (size_t k = 0; k < n; k++)
			from[k] = (char)p->t[i + k];
		len = casefold(from, n, to);
		for (size_t k = 0; k < len; k++)
			f.t[f.n++] = (uint8_t)to[k];
	}
	*ret_pattern = f;
	return 0;
}

int pattern_literal(struct arena *a, const struct pattern *p, struct pattern_literal *ret_literal)
{
	size_t best = 0, at = 0, n;
	struct pattern_literal l = {};

	for (size_t i = 0; i < p->n; i += n ? n : 1) {
		n = run(p, i);
		if (n > best) {
			best = n;
			at = i;
		}
	}
	l.text = arena_alloc(a, best + 1);
	if (!l.text)
		return -ENOMEM;
	for (size_t i = 0; i < best; i++)
		l.text[i] = (char)p->t[at + i];
	l.len = best;
	l.begins = at == 0;
	l.ends = at + best == p->n;
	/* What is left besides may only be a "*" on either side. */
	l.whole = best && (at == 0 || (at == 1 && p->t[0] == PATTERN_ANY)) &&
		  (l.ends || (at + best + 1 == p->n && p->t[p->n - 1] == PATTERN_ANY));
	*ret_literal = l;
	return 0;
}

/* Bytes of the character at `text`; of what is no character, one. */
static size_t character(const char *text, size_t len)
{
	uint32_t code;
	size_t n = (unsigned char)*text < 0x80 ? 1 : utf8_decode(text, len, &code);

	return n ? n : 1;
}

bool pattern_match(const struct pattern *p, const char *text, size_t len)
{
	size_t i = 0, k = 0, star = SIZE_MAX, mark = 0;

	while (i < len) {
		if (k < p->n && p->t[k] == PATTERN_ANY) {
			star = k++;
			mark = i;
		} else if (k < p->n && p->t[k] == PATTERN_ONE) {
			i += character(text + i, len - i);
			k++;
		} else if (k < p->n && p->t[k] == (uint8_t)text[i]) {
			i++;
			k++;
		} else if (star != SIZE_MAX) {
			mark += character(text + mark, len - mark);
			i = mark;
			k = star + 1;
		} else {
			return false;
		}
	}
	while (k < p->n && p->t[k] == PATTERN_ANY)
		k++;
	return k == p->n;
}
