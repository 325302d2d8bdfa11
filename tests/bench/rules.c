// SPDX-License-Identifier: Apache-2.0
// What Sigma rules cost: ns an event and events a second on one core, for 10, 300 and 3,000 rules
// of the shapes that public Linux rules have. The events are process starts of a busy server; one
// in a hundred matches. The best of several rounds is printed: the machine is shared. Run by hand.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/arena.h"
#include "lib/event_read.h"
#include "lib/sigma/engine.h"
#include "lib/sigma/fields.h"
#include "lib/sigma/policy.h"

#define EVENTS 1000
#define ROUNDS 30

static void tell(void *ctx, const struct diag_text *t)
{
	(void)ctx;
	fprintf(stderr, "%s:%u:%u: %s\n", t->file, t->line, t->column, t->text);
}

static void on_hit(void *ctx, const Rollcall__Event *ev, const struct engine_hit *hit)
{
	(void)ev;
	(void)hit;
	++*(uint64_t *)ctx;
}

static void rule_write(FILE *f, unsigned i)
{
	static const char *const clis[] = {
		"CommandLine|contains: [' --opt%u', '/etc/conf%u']",
		"CommandLine|contains|all: [' -x%u', 'http%u']",
		"CommandLine|endswith: ['.sh%u', '.py%u']",
	};

	fprintf(f, "title: r%u\nlogsource: {category: process_creation, product: linux}\n", i);
	fprintf(f, "detection:\n  img: {Image|endswith: ['/tool%u', '/other%u']}\n  cli: {", i, i);
	fprintf(f, clis[i % 3], i, i);
	fputs("}\n", f);
	if (i % 5 == 2)
		fprintf(f, "  par: {ParentImage|endswith: '/parent%u'}\n", i);
	if (i % 20 == 3)
		fprintf(f, "  re: {CommandLine|re: 'a%u.*[0-9]{3}'}\n", i);
	fprintf(f, "  filter: {User: user%u}\n  condition: %s and not filter\n---\n", i,
		i % 5 == 2    ? "img and cli and par"
		: i % 20 == 3 ? "re or (img and cli)"
			      : "img and cli");
}

static struct policy *policy_of(unsigned rules)
{
	struct policy *p = policy_new(&fields_schema, tell, NULL);
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	for (unsigned i = 0; i < rules; i++)
		rule_write(f, i);
	fclose(f);
	if (!p || policy_text(p, "rules", text, size) < 0 || policy_finish(p) < 0)
		exit(1);
	free(text);
	return p;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* A feed's list: itself and all below it. */
static void domains(unsigned n)
{
	struct policy *p = policy_new(&fields_schema, tell, NULL);
	struct engine *e;
	double begin;
	uint64_t hits = 0;
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	fputs("placeholders:\n  bad:\n", f);
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "    - host%u.bad%u.example\n", i, i * 7919);
	fputs("---\ntitle: bad\nlogsource: {category: dns_query}\ndetection:\n"
	      "  itself: {QueryName|expand: '%bad%'}\n"
	      "  below: {QueryName|expand|endswith: '.%bad%'}\n  condition: 1 of them\n",
	      f);
	fclose(f);
	begin = now();
	if (!p || policy_text(p, "list", text, size) < 0 || policy_finish(p) < 0)
		exit(1);
	e = engine_new(p, on_hit, &hits);
	printf("%5u domains: made in %.1f ms\n", n, (now() - begin) / 1e6);
	engine_free(e);
	policy_free(p);
	free(text);
}

static Rollcall__Event *event_of(struct arena *a, unsigned i)
{
	char line[1024], why[200];
	Rollcall__Event *ev;
	int n = snprintf(
		line, sizeof(line),
		"{\"event\":\"exec\",\"time\":\"2026-01-30T09:12:44Z\",\"id\":\"e%u\",\"process\":{"
		"\"pid\":%u,\"exe\":\"/usr/bin/%s%u\",\"args\":[\"%s\",\"--config\","
		"\"/etc/service/app%u.conf\",\"--opt0\",\"-v\",\"http://localhost:%u/status\"],"
		"\"user\":\"www-data\",\"cwd\":\"/srv/app\",\"parent\":{\"exe\":\"/usr/bin/bash\","
		"\"args\":[\"bash\",\"/usr/local/bin/run-checks\"],\"parent\":{\"exe\":"
		"\"/usr/sbin/cron\"}}}}",
		i, i, i % 100 ? "check" : "tool", i % 100 ? i : 0, i % 3 ? "curl" : "python3", i,
		i);

	if (event_read(a, line, (size_t)n, &ev, why, sizeof(why)) < 0)
		exit(1);
	return ev;
}

int main(void)
{
	static const unsigned sizes[] = {10, 300, 3000};
	struct arena *a = arena_new(1 << 20);
	Rollcall__Event *events[EVENTS];

	for (unsigned i = 0; i < EVENTS; i++)
		events[i] = event_of(a, i);
	for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		double begin = now(), made, best = 1e18;
		struct policy *p = policy_of(sizes[s]);
		uint64_t hits = 0;
		struct engine *e = engine_new(p, on_hit, &hits);

		made = now() - begin;
		for (unsigned r = 0; r < ROUNDS; r++) {
			begin = now();
			for (unsigned i = 0; i < EVENTS; i++)
				engine_event(e, events[i], events[i]->time);
			begin = now() - begin;
			best = begin < best ? begin : best;
		}
		printf("%5u rules: %6.0f ns an event, %7.0f events/s; made in %.1f ms; %" PRIu64
		       " hits a round\n",
		       sizes[s], best / EVENTS, 1e9 * EVENTS / best, made / 1e6, hits / ROUNDS);
		engine_free(e);
		policy_free(p);
	}
	domains(10);
	domains(1000);
	domains(10000);
	arena_free(a);
	return 0;
}
