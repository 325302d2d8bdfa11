// SPDX-License-Identifier: Apache-2.0
// The shape of a statement as bpf/quiet.h hashes it, against a plain reading of the same rule, byte
// by byte; and which results pass for one like the one that was judged.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/walk.h"

#include "bpf/quiet.h"

/* The key of SipHash's own examples. */
static const struct quiet_secret secret = {.key = {0x0706050403020100, 0x0f0e0d0c0b0a0908},
					   .since = 1};

static uint64_t shape(const char *text)
{
	static __u8 window[QUIET_TEXT_MAX];

	memset(window, 'x', sizeof(window)); /* what is behind the text must not matter */
	memcpy(window, text, strlen(text) < sizeof(window) ? strlen(text) : sizeof(window));
	return quiet_shape(&secret, window, (__u32)strlen(text), false);
}

static uint64_t mysql_shape(const char *text)
{
	static __u8 window[QUIET_TEXT_MAX];

	memcpy(window, text, strlen(text));
	return quiet_shape(&secret, window, (__u32)strlen(text), true);
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
	       c == '`' || c >= 128;
}

/* Digits of numbers made 0: of those that do not follow a name. */
static void fold(const char *text, char *ret)
{
	bool name = false;

	for (; *text; text++, ret++) {
		unsigned char c = (unsigned char)*text;

		*ret = is_digit(c) && !name ? '0' : *text;
		name = is_name(c) || (name && is_digit(c));
	}
	*ret = '\0';
}

static void test_numbers(void **state)
{
	uint64_t known = shape("select name from staff where id = 123");

	(void)state;
	assert_int_not_equal(known, 0);
	assert_int_equal(shape("select name from staff where id = 987"), known);
	assert_int_not_equal(shape("select name from staff where id = 12"), known);
	assert_int_not_equal(shape("select name from staff where ix = 123"), known);
	assert_int_not_equal(shape("select name from staff where id = 123 "), known);
	assert_int_equal(shape("select 1.50e7,-2,(3)"), shape("select 9.99e7,-7,(8)"));
}

static void test_names(void **state)
{
	(void)state;
	assert_int_not_equal(shape("select * from device1"), shape("select * from device2"));
	assert_int_not_equal(shape("select * from device17 d"), shape("select * from device18 d"));
	assert_int_not_equal(shape("select * from a_1"), shape("select * from a_2"));
	assert_int_not_equal(shape("select $1"), shape("select $2"));
	assert_int_not_equal(shape("select \xc3\xa9"
				   "1"),
			     shape("select \xc3\xa9"
				   "2"));
	/* A quoted name may be a number: nothing of it is folded, for nothing has a shape. */
	assert_int_equal(shape("select * from \"1\""), 0);
	assert_int_not_equal(shape("select * from t where a = '1'"), 0);
}

/* Wherever in a word they are. */
static void test_mysql(void **state)
{
	char text[64];

	(void)state;
	for (int n = 0; n < 17; n++) {
		snprintf(text, sizeof(text), "select %.*s/ * %d", n, "aaaaaaaaaaaaaaaaa", 1);
		assert_int_not_equal(mysql_shape(text), 0);
		assert_int_equal(mysql_shape(text), shape(text));
		snprintf(text, sizeof(text), "select %.*s/*!50000 a*/", n, "aaaaaaaaaaaaaaaaa");
		assert_int_equal(mysql_shape(text), 0);
		assert_int_not_equal(shape(text), 0);
		snprintf(text, sizeof(text), "select %.*s; set a", n, "aaaaaaaaaaaaaaaaa");
		assert_int_equal(mysql_shape(text), 0);
	}
	assert_int_not_equal(mysql_shape("select `1`"), mysql_shape("select `2`"));
}

static uint32_t columns(uint32_t before, const char *text, __u32 n)
{
	static __u8 window[DB_TEXT_MAX];

	memset(window, 'x', sizeof(window));
	memcpy(window, text, n < sizeof(window) ? n : sizeof(window));
	return quiet_columns(&secret, before, window, n);
}

/* Nothing is folded in them, and pieces have their order. */
static void test_columns(void **state)
{
	static const char long_text[DB_TEXT_MAX + 1];
	uint32_t a = columns(0, "def\3hr\5staff", 14);

	(void)state;
	assert_int_not_equal(a, 0);
	assert_int_equal(columns(0, "def\3hr\5staff", 14), a);
	assert_int_not_equal(columns(0, "def\3hr\6staff", 14), a);
	assert_int_not_equal(columns(0, "def\3hr\5staff", 13), a);
	assert_int_not_equal(columns(a, "more", 4), columns(columns(0, "more", 4), "def", 3));
	assert_int_not_equal(columns(0, long_text, DB_TEXT_MAX), 0);
	assert_int_equal(columns(0, long_text, DB_TEXT_MAX + 1), 0);
}

/* SipHash-1-3 itself, of whole words without a number; by another implementation, which has the
 * example of the paper right. */
static void test_siphash(void **state)
{
	(void)state;
	assert_int_equal(shape("select name from"), 0xa8d5e53154cab389);
}

static void test_lengths(void **state)
{
	char text[QUIET_TEXT_MAX + 2];

	(void)state;
	assert_int_equal(shape(""), 0);
	for (unsigned n = 1; n <= QUIET_TEXT_MAX + 1; n++) {
		memset(text, 'a', n);
		text[n] = '\0';
		assert_int_equal(shape(text) != 0, n <= QUIET_TEXT_MAX);
	}
	assert_int_equal(quiet_shape(&(struct quiet_secret){}, (const __u8 *)"select 1", 8, false),
			 0);
}

static unsigned roll(unsigned n)
{
	static unsigned seed = 1;

	return (unsigned)rand_r(&seed) % n;
}

/* Words of which one bit differs, and which a hash that only multiplies lets cancel each other. */
static void test_near(void **state)
{
	char text[2][33] = {"select a/* 45678 abcdefgh ijklmn", "select a/* 45678 abcdefgh ijklmn"};

	(void)state;
	for (unsigned bit = 0x40; bit <= 0x80; bit <<= 1) {
		memcpy(text[1], text[0], sizeof(text[0]));
		text[1][7] ^= (char)bit;
		text[1][11] ^= (char)bit;
		text[1][15] ^= (char)bit;
		assert_int_not_equal(shape(text[0]), shape(text[1]));
	}
}

/* Texts have one shape when, and only when, the plain reading makes one text of them. */
static void test_any(void **state)
{
	static const char alphabet[] = "0123456789aZz_$ .,('=@[`{/:\x80\xff";
	char text[2][64], folded[2][64];
	unsigned same = 0;

	(void)state;
	for (unsigned round = 0; round < 200000; round++) {
		unsigned n = 1 + roll(40), at = roll(n);

		for (unsigned i = 0; i < n; i++)
			text[0][i] = alphabet[roll((unsigned)sizeof(alphabet) - 1)];
		text[0][n] = '\0';
		memcpy(text[1], text[0], n + 1);
		text[1][at] = alphabet[roll((unsigned)sizeof(alphabet) - 1)];
		fold(text[0], folded[0]);
		fold(text[1], folded[1]);
		same += strcmp(folded[0], folded[1]) == 0;
		if ((strcmp(folded[0], folded[1]) == 0) != (shape(text[0]) == shape(text[1])))
			fail_msg("'%s' '%s'", text[0], text[1]);
	}
	assert_true(same > 1000);
}

static void test_results(void **state)
{
	const struct quiet q = {.rows_max = 1, .bytes_max = 100};
	const struct db_result like = {
		.begin_time = 1, .rows = 1, .bytes = 90, .tag_len = 9, .tag = "SELECT 1"};
	struct db_result r = like;

	(void)state;
	assert_true(quiet_small(&q, &r));
	r.rows = 0;
	assert_true(quiet_small(&q, &r));
	r.rows = 2;
	assert_false(quiet_small(&q, &r));
	r = like;
	r.bytes = 101;
	assert_false(quiet_small(&q, &r));
	r = like;
	r.doubt = 2;
	assert_false(quiet_small(&q, &r));
	r = like;
	r.copy_rows = 1;
	assert_false(quiet_small(&q, &r));
	r = like;
	assert_true(pg_tag_select(&r));
	memcpy(r.tag, "UPDATE 1", 9);
	assert_false(pg_tag_select(&r));
	r = like;
	r.begin_time = 0;
	assert_false(quiet_small(&q, &r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_names),
		cmocka_unit_test(test_mysql),	cmocka_unit_test(test_columns),
		cmocka_unit_test(test_lengths), cmocka_unit_test(test_near),
		cmocka_unit_test(test_siphash), cmocka_unit_test(test_any),
		cmocka_unit_test(test_results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
