// SPDX-License-Identifier: Apache-2.0
// Signed policies: what is written is read again; a bundle with any byte changed, cut or added, and
// one of another key, is refused; what is signed and malformed, too.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ed25519.h"
#include "lib/sigma/bundle.h"
#include "lib/sigma/fileset.h"

static char dir[] = "/tmp/rollcall.XXXXXX";
static struct ed25519 *private, *public, *other;

static int begin(void **state)
{
	char command[512], path[64];

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(
		command, sizeof(command),
		"cd %s && for k in a b; do openssl genpkey -algorithm ed25519 -out $k && "
		"openssl pkey -in $k -pubout -out $k.pub; done && "
		"openssl genpkey -algorithm x25519 -out x && openssl pkey -in x -pubout -out x.pub",
		dir);
	if (system(command) != 0)
		return -1;
	snprintf(path, sizeof(path), "%s/a", dir);
	if (ed25519_private(path, &private) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/a.pub", dir);
	if (ed25519_public(path, &public) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/b.pub", dir);
	return ed25519_public(path, &other);
}

static int end(void **state)
{
	char command[64];

	(void)state;
	ed25519_free(private);
	ed25519_free(public);
	ed25519_free(other);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void keys(void **state)
{
	static const char *const not_public[] = {"x.pub", "a", "x"};
	struct ed25519 *key;
	char path[64];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, not_public[i]);
		assert_int_equal(ed25519_public(path, &key), -EINVAL);
	}
	snprintf(path, sizeof(path), "%s/a.pub", dir);
	assert_int_equal(ed25519_private(path, &key), -EINVAL);
	snprintf(path, sizeof(path), "%s/none", dir);
	assert_int_equal(ed25519_private(path, &key), -ENOENT);
}

static char why[BUNDLE_WHY];

static int take(const char *text, size_t size, const struct ed25519 *key, uint64_t *ret_serial,
		char *list, size_t room)
{
	struct fileset *s = fileset_new();
	int r = bundle_read("in.bundle", text, size, key, s, ret_serial, why);
	size_t n = 0;

	list[0] = '\0';
	for (const struct fileset_file *f = fileset_files(s); f; f = f->next)
		n += (size_t)snprintf(list + n, room - n, "%s %s %zu;", f->name, f->path, f->size);
	fileset_free(s);
	return r;
}

static char *made(size_t *ret_size)
{
	struct fileset *s = fileset_new();
	char *text;

	assert_int_equal(fileset_add(s, "a.yml", "/x/a.yml", "title: a\n", 9), 0);
	assert_int_equal(fileset_add(s, "sub/b c.yml", "/x", "signature 00\n\0\n", 15), 0);
	assert_int_equal(fileset_add(s, "empty.yml", "/x", "", 0), 0);
	assert_int_equal(bundle_write(s, 18446744073709551615ull, private, &text, ret_size), 0);
	fileset_free(s);
	return text;
}

static void written_and_read(void **state)
{
	char list[256];
	uint64_t serial;
	size_t size;
	char *text = made(&size);

	(void)state;
	assert_int_equal(take(text, size, public, &serial, list, sizeof(list)), 0);
	assert_true(serial == 18446744073709551615ull);
	assert_string_equal(list, "a.yml in.bundle/a.yml 9;sub/b c.yml in.bundle/sub/b c.yml 15;"
				  "empty.yml in.bundle/empty.yml 0;");
	assert_int_equal(take(text, size, other, &serial, list, sizeof(list)), -EKEYREJECTED);
	assert_string_equal(why, "its signature is not that of policy.key");
	free(text);
}

static void every_byte_counts(void **state)
{
	char list[256], *copy;
	uint64_t serial;
	size_t size;
	char *text = made(&size);

	(void)state;
	copy = malloc(size + 1);
	for (size_t i = 0; i < size; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(copy, text, size);
			copy[i] = (char)(copy[i] ^ 1 << bit);
			assert_true(take(copy, size, public, &serial, list, sizeof(list)) < 0);
			assert_string_equal(list, "");
		}
	for (size_t i = 0; i < size; i++) {
		assert_true(take(text, i, public, &serial, list, sizeof(list)) < 0);
		assert_true(take(text + i + 1, size - i - 1, public, &serial, list, sizeof(list)) <
			    0);
	}
	memcpy(copy, text, size);
	copy[size] = '\n';
	assert_int_equal(take(copy, size + 1, public, &serial, list, sizeof(list)), -EBADMSG);
	assert_string_equal(why, "it is not signed");
	free(copy);
	free(text);
}

static void signed_and_malformed(void **state)
{
	static const char *const bodies[] = {
		"",
		"rollcall-policy 2\nserial 1\n",
		"rollcall-policy 1\n",
		"rollcall-policy 1\nserial\n",
		"rollcall-policy 1\nserial -1\n",
		"rollcall-policy 1\nserial 18446744073709551616\n",
		"rollcall-policy 1\nserial 1 \n",
		"rollcall-policy 1\nserial 1",
		"rollcall-policy 1\nserial 1\nfile 1 a\n",
		"rollcall-policy 1\nserial 1\nfile 1 a\nxx",
		"rollcall-policy 1\nserial 1\nfile 2 a\nx\n",
		"rollcall-policy 1\nserial 1\nfile 18446744073709551615 a\nx\n",
		"rollcall-policy 1\nserial 1\nfile 1 \nx\n",
		"rollcall-policy 1\nserial 1\nfile 1 \x1b[m\nx\n",
		"rollcall-policy 1\nserial 1\nfile 1a\nx\n",
		"rollcall-policy 1\nserial 1\nother\n",
	};
	uint8_t signature[ED25519_SIZE];
	char text[512], list[256];
	uint64_t serial;

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		size_t n = strlen(bodies[i]);

		assert_int_equal(ed25519_sign(private, bodies[i], n, signature), 0);
		n = (size_t)snprintf(text, sizeof(text), "%ssignature ", bodies[i]);
		for (unsigned k = 0; k < ED25519_SIZE; k++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%02x", signature[k]);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "\n");
		if (take(text, n, public, &serial, list, sizeof(list)) != -EBADMSG)
			fail_msg("%s", bodies[i]);
		assert_string_equal(why, "it is signed, but no bundle that this version reads");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test(written_and_read),
		cmocka_unit_test(every_byte_counts),
		cmocka_unit_test(signed_and_malformed),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
