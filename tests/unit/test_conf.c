// SPDX-License-Identifier: Apache-2.0
// Configuration: types and their bounds, every mistake with its place, the dump.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/clean.h"
#include "lib/conf.h"

struct target {
	bool on;
	uint32_t small;
	uint64_t large, bytes;
	double part;
	const char *text;
	char list[256];
};

static int add(const struct conf_key *key, void *field, const char *text, char *why)
{
	(void)key;
	if (strcmp(text, "bad") == 0) {
		snprintf(why, 128, "not that one");
		return -EINVAL;
	}
	strcat(strcat(field, text), ";");
	return 0;
}

#define AT(f) offsetof(struct target, f)
static const struct conf_key keys[] = {
	{"name", conf_text, AT(text), "nobody", "A name.", false, 0, 0},
	{"list", add, AT(list), NULL, "Some.", true, 0, 0},
	{"numbers.small", conf_u32, AT(small), "5", "From 2 to 9.", false, 2, 9},
	{"numbers.large", conf_u64, AT(large), "0", "Any.", false, 0, 0},
	{"numbers.bytes", conf_size, AT(bytes), "1KiB", "A size.", false, 16, 1 << 20},
	{"other.on", conf_bool, AT(on), "false", "A switch.", false, 0, 0},
	{"other.part", conf_fraction, AT(part), "0.5", "A part.", false, 0, 0},
	{0},
};

struct told {
	char text[4096];
};

static void tell(void *ctx, unsigned line, unsigned column, const char *text)
{
	struct told *t = ctx;
	size_t n = strlen(t->text);

	snprintf(t->text + n, sizeof(t->text) - n, "%u:%u: %s\n", line, column, text);
}

static int load(struct target *target, const char *yaml, struct told *told)
{
	struct conf *c = conf_new(keys, target);
	int r = conf_load(c, yaml, strlen(yaml), tell, told);

	conf_free(c);
	return r;
}

static void defaults(void **state)
{
	struct target t = {};
	struct told told = {};

	(void)state;
	assert_int_equal(load(&t, "", &told), 0);
	assert_int_equal(t.small, 5);
	assert_int_equal(t.bytes, 1024);
	assert_true(t.part == 0.5);
	assert_int_equal(load(&t, "# only a comment\n", &told), 0);
}

static void values(void **state)
{
	struct conf *c;
	struct target t = {};
	struct told told = {};
	static const char yaml[] = "name: \"a b\"\nlist: [x, y]\nnumbers: {small: 9, bytes: 1MiB}\n"
				   "other:\n  on: true\n  part: 1\n";
	char why[128];

	(void)state;
	c = conf_new(keys, &t);
	assert_int_equal(conf_load(c, yaml, strlen(yaml), tell, &told), 0);
	assert_string_equal(t.text, "a b");
	assert_string_equal(t.list, "x;y;");
	assert_int_equal(t.small, 9);
	assert_int_equal(t.bytes, 1 << 20);
	assert_true(t.on);
	assert_int_equal(conf_set(c, "list", "z", why), 0); /* adds */
	assert_string_equal(t.list, "x;y;z;");
	assert_int_equal(conf_set(c, "name", "other", why), 0); /* replaces */
	assert_string_equal(t.text, "other");
	assert_int_equal(conf_set(c, "nothing", "1", why), -ENOENT);
	conf_free(c);
}

static void mistakes(void **state)
{
	static const struct {
		const char *yaml, *want;
	} cases[] = {
		{"nam: x", "1:1: unknown key 'nam'; did you mean 'name'?\n"},
		{"xyzzy: x", "1:1: unknown key 'xyzzy'\n"},
		{"small: 3", "1:1: unknown key 'small'; did you mean 'numbers.small'?\n"},
		{"numbers:\n  smal: 3",
		 "2:3: unknown key 'numbers.smal'; did you mean 'numbers.small'?\n"},
		{"numbers:\n  small: 1",
		 "2:10: numbers.small: '1': write a whole number in decimal digits, 2 to 9\n"},
		{"numbers:\n  small: 10",
		 "2:10: numbers.small: '10': write a whole number in decimal digits, 2 to 9\n"},
		{"numbers:\n  large: -1",
		 "2:10: numbers.large: '-1': write a whole number in decimal digits, 0 to "
		 "9223372036854775807\n"},
		{"numbers:\n  large: 5x",
		 "2:10: numbers.large: '5x': write a whole number in decimal digits, 0 to "
		 "9223372036854775807\n"},
		{"numbers:\n  large: 99999999999999999999",
		 "2:10: numbers.large: '99999999999999999999': write a whole number in decimal "
		 "digits, 0 to 9223372036854775807\n"},
		{"numbers:\n  bytes: 17179869184GiB",
		 "2:10: numbers.bytes: '17179869184GiB': write a size in B, KiB, MiB or GiB, for "
		 "example 64KiB, 16 to 1048576 bytes\n"},
		{"other:\n  on: yes", "2:7: other.on: 'yes': write true or false\n"},
		{"other:\n  part: 1.1",
		 "2:9: other.part: '1.1': write a fraction from 0 to 1, for example 0.25\n"},
		{"other:\n  part: nan",
		 "2:9: other.part: 'nan': write a fraction from 0 to 1, for example 0.25\n"},
		{"name: [x]", "1:7: name: one value is expected here\n"},
		{"numbers: 5", "1:10: numbers: a section of keys is expected here\n"},
		{"list: [x, bad, {}]",
		 "1:11: list: 'bad': not that one\n1:16: list: one value is expected here\n"},
		{"name: a\nname: b", "2:1: name: was given before\n"},
		{"- x", "1:1: keys and values are expected here\n"},
		{"name: *x", "1:7: anchors, aliases and tags are not used here\n"},
		{"name: &x a", "1:7: anchors, aliases and tags are not used here\n"},
		{"name: !!int 5", "1:7: anchors, aliases and tags are not used here\n"},
		{"name: a\n\tlist: b", "2:1: found a tab character that violates indentation\n"},
		{"name: \"a\\0b\"", "1:7: name: one value is expected here\n"},
		{"? [a]\n: b", "1:3: a key is expected here\n"},
		{"name: a\n---\nname: b", "2:1: a second document; only one is read\n"},
		{"name: a\n...\n---\n", "3:1: a second document; only one is read\n"},
		{"---\n---\n", "2:1: a second document; only one is read\n"},
		{"name: a\nlist:\n  - \xc3\xa4 \xff", "3:7: invalid leading UTF-8 octet\n"},
		{"name: \"\xe2\x82\"", "1:8: invalid trailing UTF-8 octet\n"},
		{"name: \xc0\x80", "1:7: invalid length of a UTF-8 sequence\n"},
		{"name: \xed\xa0\x80", "1:7: invalid Unicode character\n"},
		{"#\r\n#\r#\xc2\x85name: a\x7f", "4:8: control characters are not allowed\n"},
		{"\xff\xfen\0", "1:1: invalid leading UTF-8 octet\n"},
		{"\xef\xbb\xbfnam: a", "1:1: unknown key 'nam'; did you mean 'name'?\n"},
		{"list: [[[[[[[[a]]]]]]]]",
		 "1:14: nested too deep: keys need no more than 3 levels\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct target t = {};
		struct told told = {};

		assert_true(load(&t, cases[i].yaml, &told) > 0);
		assert_string_equal(told.text, cases[i].want);
	}
}

/* As a dump has it, of a section of lists that are all empty. */
static void empty_section(void **state)
{
	struct target t = {};
	struct told told = {};

	(void)state;
	assert_int_equal(load(&t, "numbers:\n  # small: 5\nname: a\n", &told), 0);
}

static void not_yaml(void **state)
{
	static const char *const cases[] = {"name: \xff\xfe", "a: b: c", "{",
					    "name: 'x",	      "\x01",	 "%YAML 9.9\n---\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct target t = {};
		struct told told = {};

		assert_true(load(&t, cases[i], &told) > 0);
	}
}

static void numbers_are_digits(void **state)
{
	static const struct {
		const char *key;
		const char *bad[14];
	} cases[] = {
		{"numbers.small", {"", " 5", " -5", "+5", "5 ", "0x5", "5.0", "5e0", "\t5", "\n5"}},
		{"numbers.large", {" -18446744073709551615", "-0", "inf", "18446744073709551617"}},
		{"numbers.bytes",
		 {"64", "KiB", " 64KiB", "-64KiB", " -64B", "+64B", "0x40B", "64 KiB"}},
		{"other.part",
		 {"", ".", " 0.5", "+0.5", "-0", "0x1p-1", "inf", "infinity", "nan", "5e-1", "0.5.",
		  "0.1.2", ".5", "1."}},
	};
	static const char *const good[][2] = {{"numbers.small", "05"},
					      {"numbers.bytes", "1024B"},
					      {"other.part", "0"},
					      {"other.part", "0.25"},
					      {"other.part", "1.0"}};
	struct target t = {};
	struct conf *c = conf_new(keys, &t);
	char why[128];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t k = 0; k < 14 && cases[i].bad[k]; k++) {
			why[0] = '\0';
			if (conf_set(c, cases[i].key, cases[i].bad[k], why) != -EINVAL)
				fail_msg("%s '%s' was taken", cases[i].key, cases[i].bad[k]);
			assert_memory_equal(why, "write a", 7);
		}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(conf_set(c, good[i][0], good[i][1], why), 0);
	assert_true(t.part == 1);
	conf_free(c);
}

/* In memory, the parser's stack included, and in the process's own stack. */
static void depth_is_bounded(void **state)
{
	static const char *const units[] = {"[", "{", "- ", "? ", "[{", "{a: ["};
	char *text = malloc(CONF_FILE_MAX);

	(void)state;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t len = strlen(units[i]), n = CONF_FILE_MAX / len * len;
		struct target t = {};
		struct told told = {};
		struct conf *c = conf_new(keys, &t);

		for (size_t k = 0; k < n; k += len)
			memcpy(text + k, units[i], len);
		assert_int_equal(conf_load(c, text, n, tell, &told), 1);
		assert_non_null(strstr(told.text, "nested too deep"));
		conf_free(c);
	}
	free(text);
}

static char *dump(const struct conf *c)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_int_equal(conf_dump(c, f), 0);
	fclose(f);
	return text;
}

static void the_dump_reads_as_the_same(void **state)
{
	struct target a = {}, b = {};
	struct told told = {};
	struct conf *c = conf_new(keys, &a), *d = conf_new(keys, &b);
	char why[128], *first, *second;

	(void)state;
	assert_int_equal(conf_set(c, "name", "quo\"te \\ and\ttab: #x", why), 0);
	assert_int_equal(conf_set(c, "list", "- one", why), 0);
	assert_int_equal(conf_set(c, "list", "true", why), 0);
	first = dump(c);
	assert_int_equal(conf_load(d, first, strlen(first), tell, &told), 0);
	assert_string_equal(b.text, a.text);
	assert_string_equal(b.list, a.list);
	second = dump(d);
	assert_string_equal(first, second);
	free(first);
	free(second);
	conf_free(c);
	conf_free(d);
}

static void every_text_is_dumped(void **state)
{
	static const char *const texts[] = {
		"\x7f",
		"a\xc2\x80\xc2\x85\xc2\x9f",
		"a\xe2\x80\xa8\xe2\x80\xa9",
		"\xef\xbb\xbf",
		"x\xef\xbb\xbf"
		"1",
		"\xef\xbf\xbe\xef\xbf\xbf",
		"\\",
		"\\x41",
		"'\"'",
		"",
		" a  ",
		"\n\n a \r",
		"---",
		"...",
		"\x1b[1m",
		"M\xc3\xbcller",
		"\xf0\x9f\x98\x80",
		"\xf4\x8f\xbf\xbf",
		"%YAML",
		"&a",
		"*a",
		"!a",
		"#",
		"a: b",
	};
	struct target a = {}, b = {};
	struct told told = {};
	char why[128], *text;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct conf *c = conf_new(keys, &a), *d = conf_new(keys, &b);

		assert_int_equal(conf_set(c, "name", texts[i], why), 0);
		text = dump(c);
		conf_load(d, text, strlen(text), tell, &told);
		assert_string_equal(told.text, "");
		assert_string_equal(b.text, texts[i]);
		free(text);
		conf_free(c);
		conf_free(d);
	}
}

static void text_is_utf8(void **state)
{
	static const char *const texts[] = {
		"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\x80"};
	struct target t = {};
	struct conf *c = conf_new(keys, &t);
	char why[128];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(conf_set(c, "name", texts[i], why), -EINVAL);
		assert_string_equal(why, "write it in UTF-8");
	}
	assert_string_equal(t.text, "nobody");
	conf_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(values),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(empty_section),
		cmocka_unit_test(not_yaml),
		cmocka_unit_test(numbers_are_digits),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(the_dump_reads_as_the_same),
		cmocka_unit_test(every_text_is_dumped),
		cmocka_unit_test(text_is_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
