// SPDX-License-Identifier: Apache-2.0
// What Sigma rules see of our events: every row of the taxonomy is in event.proto, log sources lead
// to the events they should, and fields to their values.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/sigma/fields.c"

#include "lib/event_read.h"
#include "lib/sigma/engine.h"
#include "support/sigma.h"

#define SHELL                                                                                      \
	"{\"event\":\"exec\",\"host\":\"mdm1\",\"time\":\"2026-01-30T09:12:44Z\",\"id\":\"e1\","   \
	"\"process\":{\"id\":\"p\",\"pid\":7,\"exe\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"id\"]," \
	"\"user\":\"tomcat\",\"uid\":33,\"cwd\":\"/srv\",\"unit\":\"tomcat.service\",\"parent\":{" \
	"\"pid\":6,\"exe\":\"/usr/bin/env\",\"args\":[\"env\",\"sh\"],\"user\":\"tomcat\","        \
	"\"parent\":{\"exe\":\"/usr/bin/java\",\"args\":[\"java\",\"-jar\"]}}},\"exe_age\":12,"    \
	"\"exe_memfd\":true,\"input\":{\"kind\":\"fd_socket\"}}"
#define CONNECT                                                                                    \
	"{\"event\":\"tcp_connect\",\"local\":{\"address\":\"10.0.0.1\",\"port\":4000},"           \
	"\"remote\":"                                                                              \
	"{\"address\":\"[fd00::1]\",\"port\":443},\"result\":\"established\",\"remote_name\":\"x." \
	"ngrok.io\"}"
#define ACCEPT                                                                                     \
	"{\"event\":\"tcp_accept\",\"local\":{\"address\":\"10.0.0.1\",\"port\":443},\"remote\":"  \
	"{\"address\":\"10.9.9.9\",\"port\":4000}}"
#define DNS(response)                                                                              \
	"{\"event\":\"dns\",\"response\":" response                                                \
	",\"name\":\"x.evil.example\",\"type\":\"TXT\","                                           \
	"\"addresses\":\"10.0.0.1 10.0.0.2\",\"rcode\":3}"
#define RESULT                                                                                     \
	"{\"event\":\"db_result\",\"process\":{\"exe\":\"/usr/sbin/"                               \
	"mariadbd\"},\"db\":{\"system\":"                                                          \
	"\"mariadb\",\"name\":\"mdm\",\"user\":\"app\",\"tables\":[\"mariadb:mdm.staff\","         \
	"\"mariadb:mdm.device\"],\"rows\":50112,\"bytes\":9284411,\"statement\":\"select * from "  \
	"staff\",\"confidence\":\"exact\",\"server_side\":false,\"fraction\":0.99,\"client\":{"    \
	"\"exe\":\"/usr/bin/mysqldump\",\"user\":\"tomcat\",\"address\":\"unix\"}}}"
#define OPEN  "{\"event\":\"file_open\",\"path\":\"/srv/www/403.jsp\",\"created\":true,\"tree\":5}"
#define WRITE "{\"event\":\"file_write\",\"path\":\"/srv/www/a.css\",\"type\":\"application/gzip\"}"
#define READ  "{\"event\":\"file_read\",\"path\":\"/mi/files/system/.mifpp\",\"tables\":\"a b\"}"

static void on_hit(void *ctx, const Rollcall__Event *ev, const struct engine_hit *hit)
{
	(void)ev;
	(void)hit;
	++*(unsigned *)ctx;
}

static unsigned hits(const char *source, const char *line, const char *json, char *said)
{
	struct sigma_told told = {};
	struct policy *p = policy_new(&fields_schema, sigma_tell, &told);
	struct arena *a = arena_new(4096);
	struct engine *e;
	Rollcall__Event *ev;
	char yaml[1024], why[200];
	unsigned n = 0;

	snprintf(yaml, sizeof(yaml),
		 "title: t\nlogsource: {%s}\ndetection:\n  s:\n    %s\n  condition: s\n", source,
		 line);
	assert_int_equal(policy_text(p, "f", yaml, strlen(yaml)), 0);
	if (policy_finish(p) < 0)
		fail_msg("%s%s", yaml, told.text);
	e = engine_new(p, on_hit, &n);
	if (event_read(a, json, strlen(json), &ev, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	engine_event(e, ev, ev->time);
	engine_free(e);
	arena_free(a);
	policy_free(p);
	snprintf(said, 200, "%.199s", told.text);
	return n;
}

#define TOUCHED(ns) "{\"event\":\"file_change\",\"mtime\":" ns "}"
#define CUT(size)   "{\"event\":\"file_change\",\"size\":" size "}"

#define PROCESS "category: process_creation, product: linux"
#define NETWORK "category: network_connection, product: linux"

/* What the taxonomy has that event.proto has not, or NULL. */
static const char *broken_row(void)
{
	struct getter g;

	for (const struct taxonomy_field *f = taxonomy_fields; f->name; f++) {
		uint32_t used = 0;

		for (uint32_t k = 0; k < event->n_fields; k++) {
			if (!sources_has(0, k) || !row_applies(f, event->fields[k].name))
				continue;
			used++;
			if (!getter_path(&g, k, f->path))
				return f->path;
		}
		if (!used)
			return f->of;
	}
	for (const struct taxonomy_source *s = taxonomy_sources; s->category; s++)
		if (!protobuf_c_message_descriptor_get_field_by_name(event, s->kind))
			return s->kind;
	return NULL;
}

static void every_row_is_there(void **state)
{
	const char *broken = broken_row();

	(void)state;
	if (broken)
		fail_msg("event.proto has no '%s'", broken);
}

static const struct {
	const char *source, *line, *event;
	unsigned want;
} cases[] = {
	{PROCESS, "Image|endswith: /sh", SHELL, 1},
	{PROCESS, "CommandLine: sh -c id", SHELL, 1},
	{PROCESS, "ParentImage: /usr/bin/env", SHELL, 1},
	{PROCESS, "ParentCommandLine: env sh", SHELL, 1},
	{PROCESS, "AncestorImage|endswith: /java", SHELL, 1},
	{PROCESS, "AncestorImage|endswith: /env", SHELL, 1},
	{PROCESS, "AncestorImage|endswith: /sh", SHELL, 0},
	{PROCESS, "AncestorCommandLine: java -jar", SHELL, 1},
	{PROCESS, "User: tomcat", SHELL, 1},
	{PROCESS, "ParentUser: tomcat", SHELL, 1},
	{PROCESS, "CurrentDirectory: /srv", SHELL, 1},
	{PROCESS, "ProcessId: 7", SHELL, 1},
	{PROCESS, "ProcessId|gt: 6", SHELL, 1},
	{PROCESS, "ProcessName: sh", SHELL, 1},
	{PROCESS, "Computer: MDM1", SHELL, 1},
	{PROCESS, "UtcTime|hour: 9", SHELL, 1},
	{PROCESS, "UtcTime|startswith: 2026-01-30T", SHELL, 1},
	{PROCESS, "ImageAge|lt: 60", SHELL, 1},
	{PROCESS, "ImageInMemory: true", SHELL, 1},
	{PROCESS, "StandardInput: fd_socket", SHELL, 1},
	{PROCESS, "StandardOutput: null", SHELL, 1},
	{PROCESS, "exe_age: 12", SHELL, 1}, /* a path of event.proto */
	{PROCESS, "process.parent.parent.exe: /usr/bin/java", SHELL, 1},
	{PROCESS, "process.unit: tomcat.service", SHELL, 1},
	{PROCESS, "process.executable: /bin/sh", SHELL, 1}, /* ECS */
	{PROCESS, "process.args: -c", SHELL, 1},
	{PROCESS, "process.command_line|contains: ' -c '", SHELL, 1},
	{PROCESS, "host.name: mdm1", SHELL, 1},
	{"category: process", "process.name: sh", SHELL, 1},
	{"product: rollcall, service: exec", "Image: /bin/sh", SHELL, 1},
	{"product: linux", "Image: /bin/sh", SHELL, 1},
	{NETWORK, "Image: /bin/sh", SHELL, 0},
	{NETWORK, "DestinationIp|cidr: fd00::/8", CONNECT, 1},
	{NETWORK, "DestinationIp: 'fd00::1'", CONNECT, 1},
	{NETWORK, "DestinationPort: 443", CONNECT, 1},
	{NETWORK, "SourceIp: 10.0.0.1", CONNECT, 1},
	{NETWORK, "DestinationHostname|endswith: .ngrok.io", CONNECT, 1},
	{NETWORK, "destination.domain: x.ngrok.io", CONNECT, 1},
	{NETWORK, "Initiated: 'true'", CONNECT, 1},
	{NETWORK, "Protocol: tcp", CONNECT, 1},
	{NETWORK, "Result: established", CONNECT, 1},
	{NETWORK, "SourceIp: 10.9.9.9", ACCEPT, 1},
	{NETWORK, "DestinationPort: 443", ACCEPT, 1},
	{NETWORK, "Initiated: 'false'", ACCEPT, 1},
	{"category: dns_query", "QueryName|endswith: .evil.example", DNS("false"), 1},
	{"category: dns_query", "QueryName|endswith: .evil.example", DNS("true"), 0},
	{"category: dns_answer", "QueryResults: 10.0.0.2", DNS("true"), 1},
	{"category: dns_answer", "QueryStatus: 3", DNS("true"), 1},
	{"category: network, service: dns", "dns.question.name|startswith: x.", DNS("false"), 1},
	{"category: database", "Rows|gte: 50000", RESULT, 1},
	{"category: database", "Rows|gte: 50113", RESULT, 0},
	{"category: database", "Tables: mariadb:mdm.device", RESULT, 1},
	{"category: database", "Principal: mariadb:app@mdm via /usr/bin/mysqldump as tomcat",
	 RESULT, 1},
	{"category: database", "ServerSide: false", RESULT, 1},
	{"category: database", "Fraction|gt: 0.5", RESULT, 1},
	{"category: database", "System: mariadb", RESULT, 1},
	{"category: database", "db.rows: 50112", RESULT, 1},
	{"category: database", "Replication: null", RESULT, 1},
	{"category: database", "ClientImage|endswith: dump", RESULT, 1},
	/* Numbers that a double does not hold are told apart as they are written. */
	{"service: file_change", "mtime: 1769764364000000001", TOUCHED("1769764364000000001"), 1},
	{"service: file_change", "mtime: 1769764364000000001", TOUCHED("1769764364000000000"), 0},
	{"service: file_change", "size: 18446744073709551615", CUT("18446744073709551615"), 1},
	{"service: file_change", "size|gt: 1e19", CUT("18446744073709551615"), 1},
	{"category: file_access", "TargetFilename|endswith: .mifpp", READ, 1},
	{"category: file_access", "Tables: b", READ, 1},
	{"category: file_event", "TargetFilename|endswith: .jsp", OPEN, 1},
	{"category: file_event", "FileName: 403.jsp", OPEN, 1},
	{"category: file_event", "InWebRoot: true", OPEN, 1},
	{"category: file_event", "InSecrets: true", OPEN, 0},
	{"category: file_event", "InLogs: true", OPEN, 1},
	{"category: file", "file.name: 403.jsp", OPEN, 1},
	{"category: file_event", "Created: true", OPEN, 1},
	{"category: file_write", "FileType|endswith: gzip", WRITE, 1},
	{"category: file_event", "TargetFilename|endswith: .css", WRITE, 0},
	{"category: database", "'|contains': mysqldump", RESULT, 1}, /* every field */
};

static void values(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char said[200];
		unsigned n = hits(cases[i].source, cases[i].line, cases[i].event, said);

		if (n != cases[i].want || *said)
			fail_msg("%s: %s: %u hits; %s", cases[i].source, cases[i].line, n, said);
	}
}

static void what_is_not_there(void **state)
{
	char said[200];

	(void)state;
	assert_int_equal(hits(PROCESS, "Imgae: /bin/sh", SHELL, said), 0);
	assert_string_equal(said, "f:5:5: note: no event of this log source has the field 'Imgae'; "
				  "did you mean 'Image'?\n");
	assert_int_equal(hits(PROCESS, "Rows: null", SHELL, said), 1);
	assert_non_null(strstr(said, "has the field 'Rows'"));
	assert_int_equal(hits(PROCESS, "LogonId: 0", SHELL, said), 0);
	assert_non_null(strstr(said, "has the field 'LogonId'"));
}

static void sources(void **state)
{
	static const struct rule_source none[] = {
		{NULL, "process_creation", "windows", ""},
		{NULL, "nope", "linux", ""},
		{NULL, "", "linux", "auditd"},
		{NULL, "", "linux", "host"},
		{NULL, "process_creation", "linux", "x"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(fields_schema.source(&none[i]), -ENOENT);
	assert_int_equal(fields_schema.source(&(struct rule_source){NULL, "", "linux", ""}), 0);
	/* Numbers of kinds come last. */
	assert_true(fields_schema.source(&(struct rule_source){NULL, "", "", "raw_socket"}) <
		    (int)fields_schema.sources);
	assert_true(rollcall__event__descriptor.n_fields + 64 < fields_schema.sources);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_there),
		cmocka_unit_test(values),
		cmocka_unit_test(what_is_not_there),
		cmocka_unit_test(sources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
