// SPDX-License-Identifier: Apache-2.0
// Filters written and measured.
#include "cli/exception.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "cli/policy_load.h"
#include "cli/recording.h"
#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/log.h"
#include "lib/principal.h"
#include "lib/sigma/hidden.h"
#include "lib/sigma/rule.h"
#include "lib/sigma/stable.h"
#include "lib/sigma/when.h"

#define DAY 86400ull

struct exception_seen {
	struct exception_seen *next;
	const char *principal;
};

/* ---- writing ---- */

/* Single quotes of YAML: the text is one line without control characters. */
static void quoted(FILE *out, const char *text)
{
	fputc('\'', out);
	for (; *text; text++) {
		if (*text == '\'')
			fputc('\'', out);
		fputc((unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text, out);
	}
	fputc('\'', out);
}

static void pair(FILE *out, const char *key, const char *text)
{
	fprintf(out, "%s: ", key);
	quoted(out, text);
	fputc('\n', out);
}

/* A random one, of version 4. */
static int uuid_write(FILE *out)
{
	unsigned char b[16];

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		return -errno;
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	fputs("id: ", out);
	for (unsigned i = 0; i < sizeof(b); i++)
		fprintf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
	fputc('\n', out);
	return 0;
}

static void comment_write(FILE *out, const char *comment)
{
	while (comment && *comment) {
		size_t n = strcspn(comment, "\n");

		fputs("# ", out);
		for (size_t i = 0; i < n; i++)
			fputc((unsigned char)comment[i] < 0x20 || comment[i] == 0x7f ? '?'
										     : comment[i],
			      out);
		fputc('\n', out);
		comment += n + (comment[n] != '\0');
	}
}

static void source_write(FILE *out, const struct rule_source *s)
{
	const char *const keys[] = {"category", "product", "service"};
	const char *const values[] = {s->category, s->product, s->service};
	bool any = false;

	fputs("logsource:", out);
	for (unsigned i = 0; i < 3; i++) {
		if (!*values[i])
			continue;
		fprintf(out, "\n    %s: ", keys[i]);
		quoted(out, values[i]);
		any = true;
	}
	fputs(any ? "\n" : " {product: linux}\n", out);
}

/* `cased`: a name in other letters is another file. */
static void field_write(FILE *out, const struct stable_field *f)
{
	fprintf(out, "        %s|cased%s: ", f->name, f->n > 1 ? "|all" : "");
	for (size_t i = 0; i < f->n; i++) {
		if (f->n > 1)
			fputs("\n            - ", out);
		quoted(out, f->values[i]);
	}
	fputc('\n', out);
}

int exception_write(FILE *out, const struct exception *e, const char *comment)
{
	time_t now = time(NULL);
	char today[16], title[200];
	struct tm tm;
	int r;

	strftime(today, sizeof(today), "%Y-%m-%d", gmtime_r(&now, &tm));
	snprintf(title, sizeof(title), "Exception to %.80s: %.100s", e->rule->title, e->about);
	/* A cut may have halved a character. */
	for (size_t n = strlen(title); n && strlen(e->about) > 100 && title[n - 1] & 0x80; n--)
		title[n - 1] = '\0';
	comment_write(out, comment);
	pair(out, "title", title);
	r = uuid_write(out);
	pair(out, "author", e->owner);
	fprintf(out, "date: %s\n", today);
	pair(out, "owner", e->owner);
	pair(out, "reason", e->reason);
	fprintf(out, "expiry: %s\n", e->until);
	source_write(out, &e->rule->source);
	fputs("filter:\n    rules:\n        - ", out);
	quoted(out, *e->rule->id ? e->rule->id : e->rule->name);
	fputs("\n    selection:\n", out);
	for (size_t i = 0; i < e->fields->n; i++)
		field_write(out, &e->fields->f[i]);
	fputs("    condition: selection\n", out);
	return r == 0 && ferror(out) ? -EIO : r;
}

/* ---- arguments ---- */

int exception_until(const char *text)
{
	uint64_t ns;

	if (strlen(text) != strlen("YYYY-MM-DD") || when_parse(text, strlen(text), &ns) < 0)
		return log_error(-EINVAL, "--until '%s': write YYYY-MM-DD", text);
	if (ns / 1000000000 + DAY <= (uint64_t)time(NULL))
		return log_error(0,
				 "--until %s is over: an exception must end in the future, or it "
				 "hides nothing",
				 text),
		       -EINVAL;
	return 0;
}

int exception_said(const char *option, const char *text)
{
	if (!text || !text[strspn(text, " \t")])
		return log_error(0,
				 "%s is missing: an exception needs somebody who answers for it"
				 ", and why",
				 option),
		       -EINVAL;
	return 0;
}

/* ---- measuring ---- */

struct measure {
	struct arena *arena;
	const struct policy *policy;
	struct exception_use *uses;
	size_t n;
	const Rollcall__Event *ev;
	uint64_t line;
	int error;
};

/* The documents of the text come last in the policy. */
static struct exception_use *use_of(const struct measure *m, const struct rule *filter)
{
	size_t after = 0;

	for (const struct rule *r = filter->next; r; r = r->next)
		after++;
	return after < m->n ? &m->uses[m->n - 1 - after] : NULL;
}

static int seen_add(struct measure *m, struct exception_use *u)
{
	const char *who = principal_of_event(m->arena, m->ev);
	struct exception_seen *s = u->seen;

	while (s && who && strcmp(s->principal, who) != 0)
		s = s->next;
	if (!who)
		return -ENOMEM;
	if (s || u->findings == EXCEPTION_FINDINGS_MAX)
		return 0;
	s = arena_alloc(m->arena, sizeof(*s));
	if (!s)
		return -ENOMEM;
	*s = (struct exception_seen){u->seen, who};
	u->seen = s;
	u->findings++;
	return 0;
}

/* What finds it again; an event without an id has its line. */
static char *event_name(const struct measure *m)
{
	const char *id =
		m->ev->kind_case == ROLLCALL__EVENT__KIND_FINDING ? m->ev->finding->id : m->ev->id;

	return *id ? arena_strdup(m->arena, id) : arena_printf(m->arena, "%" PRIu64, m->line);
}

static void on_hidden(void *ctx, const struct rule *filter, const struct rule *rule)
{
	struct measure *m = ctx;
	struct exception_use *u = use_of(m, filter);

	(void)rule;
	if (!u)
		return;
	u->matches++;
	if (u->n_first < EXCEPTION_EVENTS_SHOWN)
		u->first[u->n_first++] = event_name(m);
	if (seen_add(m, u) < 0)
		m->error = -ENOMEM;
}

static void hidden_freep(struct hidden **h)
{
	*h = hidden_free(*h);
}

int exception_measure(struct arena *a, char *const *paths, const char *text, const char *recording,
		      struct exception_use *uses, size_t n)
{
	_cleanup_(policy_freep) struct policy *p = NULL;
	_cleanup_(hidden_freep) struct hidden *h = NULL;
	_cleanup_(recording_closep) struct recording *rec = NULL;
	struct measure m = {.arena = a, .uses = uses, .n = n};
	Rollcall__Event *ev;
	int r = policy_load(&(struct policy_load_opts){.to = stderr, .text = text}, paths, &p);

	if (r == 0)
		r = recording_open(recording, &rec);
	if (r < 0)
		return r;
	h = hidden_new(p);
	if (!h)
		return log_error(-ENOMEM, "cannot start");
	while ((r = recording_next(rec, &ev)) > 0 && m.error == 0) {
		m.ev = ev;
		m.line = recording_line(rec);
		if (recording_judged(ev))
			hidden_event(h, ev, on_hidden, &m);
	}
	return r < 0 ? r : m.error;
}
