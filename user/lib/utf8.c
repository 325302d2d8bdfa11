// SPDX-License-Identifier: Apache-2.0
// UTF-8, one character at a time.
#include "lib/utf8.h"

size_t utf8_decode(const char *text, size_t size, uint32_t *ret_code)
{
	static const struct {
		uint8_t mask, lead;
		uint32_t least; /* what is below has a shorter form */
	} forms[] = {
		{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 1 << 16}};
	const uint8_t *s = (const uint8_t *)text;
	uint32_t code;
	size_t n = 0;

	while (size && n < 4 && (s[0] & forms[n].mask) != forms[n].lead)
		n++;
	if (n >= 4 || size <= n)
		return 0;
	code = s[0] & (uint8_t)~forms[n].mask;
	for (size_t i = 1; i <= n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < forms[n].least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return n + 1;
}
