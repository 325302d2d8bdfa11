// SPDX-License-Identifier: Apache-2.0
// Encodings of patterns.
#include "lib/sigma/encode.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/utf8.h"

static int list_new(struct arena *a, size_t n, struct encode_list *ret_list)
{
	ret_list->p = arena_alloc(a, n * sizeof(*ret_list->p));
	ret_list->n = n;
	return ret_list->p ? 0 : -ENOMEM;
}

/* ---- UTF-16 ---- */

static void unit_put(struct pattern *p, uint32_t unit, bool big)
{
	p->t[p->n++] = (big ? unit >> 8 : unit) & 0xff;
	p->t[p->n++] = (big ? unit : unit >> 8) & 0xff;
}

static void code_put(struct pattern *p, uint32_t code, bool big)
{
	if (code >= 0x10000) {
		unit_put(p, 0xd800 + ((code - 0x10000) >> 10), big);
		code = 0xdc00 + ((code - 0x10000) & 0x3ff);
	}
	unit_put(p, code, big);
}

static int utf16(struct arena *a, const struct pattern *p, bool big, bool mark,
		 struct encode_list *ret_list, const char **ret_why)
{
	struct pattern o = {arena_alloc(a, (2 * p->n + 2) * sizeof(*o.t)), 0};
	int r = list_new(a, 1, ret_list);

	if (!o.t || r < 0)
		return -ENOMEM;
	if (mark)
		unit_put(&o, 0xfeff, big);
	for (size_t i = 0; i < p->n;) {
		char bytes[4];
		uint32_t code = 0;
		size_t n = 0;

		if (p->t[i] == PATTERN_ANY) {
			o.t[o.n++] = p->t[i++];
			continue;
		}
		for (; n < 4 && i + n < p->n && p->t[i + n] <= 0xff; n++)
			bytes[n] = (char)p->t[i + n];
		n = utf8_decode(bytes, n, &code);
		if (!n) {
			*ret_why = "only text and * can be UTF-16";
			return -EINVAL;
		}
		code_put(&o, code, big);
		i += n;
	}
	ret_list->p[0] = o;
	return 0;
}

int encode_utf16le(struct arena *a, const struct pattern *p, struct encode_list *ret_list,
		   const char **ret_why)
{
	return utf16(a, p, false, false, ret_list, ret_why);
}

int encode_utf16be(struct arena *a, const struct pattern *p, struct encode_list *ret_list,
		   const char **ret_why)
{
	return utf16(a, p, true, false, ret_list, ret_why);
}

int encode_utf16(struct arena *a, const struct pattern *p, struct encode_list *ret_list,
		 const char **ret_why)
{
	return utf16(a, p, false, true, ret_list, ret_why);
}

/* ---- Base64 ---- */

static size_t base64(const uint8_t *in, size_t len, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0;

	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t v = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
			     (left > 2 ? in[i + 2] : 0);

		out[n++] = digits[v >> 18];
		out[n++] = digits[v >> 12 & 63];
		out[n++] = left > 1 ? digits[v >> 6 & 63] : '=';
		out[n++] = left > 2 ? digits[v & 63] : '=';
	}
	return n;
}

/* The bytes with `shift` unknown ones before them, as far as those do not touch the result. */
static int base64_at(struct arena *a, const struct pattern *p, size_t shift, bool cut,
		     struct pattern *ret_pattern, const char **ret_why)
{
	static const size_t head[] = {0, 2, 3}, tail[] = {0, 3, 2};
	size_t len = shift + p->n, n, from, to;
	uint8_t *in = arena_alloc(a, len + 1);
	char *out = arena_alloc(a, (len + 2) / 3 * 4 + 1);

	if (!in || !out)
		return -ENOMEM;
	if (!p->n || !pattern_is_plain(p)) {
		*ret_why = "a text without wildcards is expected before Base64 (contains comes "
			   "after it)";
		return -EINVAL;
	}
	pattern_plain(p, in + shift);
	n = base64(in, len, out);
	from = cut ? head[shift] : 0;
	to = cut ? n - tail[len % 3] : n;
	if (from >= to) {
		*ret_why = "too short to be found in Base64";
		return -EINVAL;
	}
	return pattern_bytes(a, out + from, to - from, ret_pattern);
}

int encode_base64(struct arena *a, const struct pattern *p, struct encode_list *ret_list,
		  const char **ret_why)
{
	int r = list_new(a, 1, ret_list);

	return r < 0 ? r : base64_at(a, p, 0, false, &ret_list->p[0], ret_why);
}

int encode_base64offset(struct arena *a, const struct pattern *p, struct encode_list *ret_list,
			const char **ret_why)
{
	int r = list_new(a, 3, ret_list);

	for (size_t i = 0; r == 0 && i < 3; i++)
		r = base64_at(a, p, i, true, &ret_list->p[i], ret_why);
	return r;
}

/* ---- dashes ---- */

static const char *const dashes[] = {"-", "/", "\xe2\x80\x93", "\xe2\x80\x94", "\xe2\x80\x95"};
#define DASHES (sizeof(dashes) / sizeof(dashes[0]))

/* Length of the dash at token `i`, or 0. */
static size_t dash_at(const struct pattern *p, size_t i)
{
	for (size_t d = 0; d < DASHES; d++) {
		size_t n = 0, len = strlen(dashes[d]);

		while (n < len && i + n < p->n && p->t[i + n] == (uint8_t)dashes[d][n])
			n++;
		if (n == len)
			return n;
	}
	return 0;
}

/* The number of the variant, in base DASHES, says which form each dash has. */
static int windash_variant(struct arena *a, const struct pattern *p, size_t variant,
			   struct pattern *ret_pattern)
{
	struct pattern o = {arena_alloc(a, (3 * p->n + 1) * sizeof(*o.t)), 0};
	size_t n;

	if (!o.t)
		return -ENOMEM;
	for (size_t i = 0; i < p->n; i += n ? n : 1) {
		n = dash_at(p, i);
		if (!n) {
			o.t[o.n++] = p->t[i];
			continue;
		}
		for (const char *c = dashes[variant % DASHES]; *c; c++)
			o.t[o.n++] = (uint8_t)*c;
		variant /= DASHES;
	}
	*ret_pattern = o;
	return 0;
}

int encode_windash(struct arena *a, const struct pattern *p, struct encode_list *ret_list,
		   const char **ret_why)
{
	size_t variants = 1, n;
	int r;

	for (size_t i = 0; i < p->n; i += n ? n : 1) {
		n = dash_at(p, i);
		variants *= n ? DASHES : 1;
		if (variants > ENCODE_VARIANTS_MAX) {
			*ret_why = "more than four dashes";
			return -EINVAL;
		}
	}
	r = list_new(a, variants, ret_list);
	for (size_t i = 0; r == 0 && i < variants; i++)
		r = windash_variant(a, p, i, &ret_list->p[i]);
	return r;
}
