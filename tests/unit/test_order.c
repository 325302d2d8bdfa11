// links: user/sensor/order.c
// SPDX-License-Identifier: Apache-2.0
// Orders of the aggregator: what is whole is put into the inbox, once, and not faster than it is
// taken out; nothing else is.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clean.h"
#include "lib/digest.h"
#include "sensor/order.h"

static char dir[64], inbox[80];
static int own;

static int begin(void **state)
{
	char path[80];

	(void)state;
	strcpy(dir, "/tmp/rollcall.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(inbox, sizeof(inbox), "%s/inbox", dir);
	snprintf(path, sizeof(path), "%s/own", dir);
	mkdir(path, 0700);
	own = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return own < 0 ? -1 : 0;
}

static int end(void **state)
{
	char command[96];

	(void)state;
	close(own);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static struct order *order_of(const char *path)
{
	struct order *o;

	assert_int_equal(order_new(&(struct order_opts){path, getgid(), own}, &o), 0);
	return o;
}

static int take(struct order *o, const char *body, const char *id)
{
	char digest[DIGEST_HEX];
	Rollcall__Order m;

	assert_int_equal(digest_hex(body, strlen(body), digest), 0);
	rollcall__order__init(&m);
	m.id = (char *)(uintptr_t)(id ? id : digest);
	m.body = (ProtobufCBinaryData){strlen(body), (uint8_t *)(uintptr_t)body};
	return order_take(o, &m);
}

/* The bodies of what is in the inbox, in any order; the files are removed. */
static const char *arrived(void)
{
	static char text[256];
	char command[256];
	size_t n;
	FILE *f;

	snprintf(command, sizeof(command), "cat %s/*.bundle 2>/dev/null; rm -f %s/*.bundle", inbox,
		 inbox);
	f = popen(command, "re");
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	pclose(f);
	return text;
}

static void delivered_once(void **state)
{
	struct order *o = order_of(inbox);
	char last[DIGEST_HEX];
	struct stat st;

	(void)state;
	assert_int_equal(stat(inbox, &st), 0);
	assert_int_equal(st.st_mode & 07777, 01770);
	assert_string_equal(order_last(o), "");
	assert_int_equal(take(o, "one", NULL), 0);
	assert_string_equal(arrived(), "one");
	assert_int_equal(take(o, "one", NULL), 0);
	assert_string_equal(arrived(), "");
	snprintf(last, sizeof(last), "%s", order_last(o));
	order_free(o);
	/* After a restart, too. */
	o = order_of(inbox);
	assert_string_equal(order_last(o), last);
	assert_int_equal(take(o, "one", NULL), 0);
	assert_string_equal(arrived(), "");
	assert_int_equal(take(o, "two", NULL), 0);
	assert_string_equal(arrived(), "two");
	order_free(o);
}

static void not_faster(void **state)
{
	struct order *o = order_of(inbox);
	char last[DIGEST_HEX];

	(void)state;
	assert_int_equal(take(o, "one", NULL), 0);
	snprintf(last, sizeof(last), "%s", order_last(o));
	assert_int_equal(take(o, "two", NULL), 0);
	assert_string_equal(arrived(), "one");
	assert_string_equal(order_last(o), last);
	order_free(o);
}

static void refused(void **state)
{
	struct order *o = order_of(inbox);

	(void)state;
	assert_int_equal(take(o, "one", ""), -EBADMSG);
	assert_int_equal(take(o, "one", "../../etc/passwd"), -EBADMSG);
	assert_int_equal(
		take(o, "one", "0000000000000000000000000000000000000000000000000000000000000000"),
		-EBADMSG);
	assert_string_equal(arrived(), "");
	order_free(o);
	/* Where no policy is taken from outside, there is no inbox. */
	o = order_of("");
	assert_int_equal(order_inbox(o), -1);
	assert_int_equal(take(o, "one", NULL), 0);
	assert_int_equal(order_free(o) != NULL, 0);
	o = order_of("");
	assert_string_equal(order_last(o), "");
	order_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(delivered_once, begin, end),
		cmocka_unit_test_setup_teardown(not_faster, begin, end),
		cmocka_unit_test_setup_teardown(refused, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
