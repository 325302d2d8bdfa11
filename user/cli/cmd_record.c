// SPDX-License-Identifier: Apache-2.0
// `rollcall record`: all that a running sensor sees and its rules are shown, into a file that is
// bounded by time and size. What the sensor could not hand over in time it tells as a gap event,
// which is in the recording at its place.
#include "cli/cmd_record.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli/recording.h"
#include "cli/sensor_client.h"
#include "lib/arena.h"
#include "lib/clean.h"
#include "lib/conf.h"
#include "lib/event.h"
#include "lib/log.h"
#include "tune.pb-c.h"

#define SECOND	     1000000000ull
#define FOR_DEFAULT  "1h"
#define SIZE_DEFAULT "256MiB"

static const char usage[] =
	"Usage: rollcall record [--out FILE] [--for DURATION] [--max-size SIZE]\n"
	"\n"
	"Records every event of this host's sensor, those included that only its rules are shown\n"
	"(results of tables that are not watched), until it is interrupted or a bound is reached.\n"
	"\n"
	"  --out FILE        must not be there yet; .gz is compressed; - is standard output\n"
	"                    (default recording-TIME.jsonl in this directory)\n"
	"  --for DURATION    at most that long: 90s, 15m, 24h, 7d (default " FOR_DEFAULT ")\n"
	"  --max-size SIZE   at most that many bytes of text, before compression: 64KiB, 100MiB,\n"
	"                    2GiB (default " SIZE_DEFAULT ")\n"
	"  --json            tell the end as one JSON object\n"
	"  --control PATH    the sensor's control socket (default " SENSOR_CONTROL ")\n"
	"\n"
	"The recording holds command lines and names: it is made for its owner alone.\n"
	"rollcall policy test --against FILE tries rules on it.\n"
	"\n"
	"Exit status: 0 a bound was reached or it was interrupted, 1 the sensor ended or does not\n"
	"answer, or the file cannot be written, 2 wrong usage, 3 as 0, but events were lost.\n";

struct record {
	const char *path, *control;
	uint64_t duration, max_size;
	const char *duration_text, *size_text;
	bool json;
	int socket, signals;
	struct recording_writer *writer;
	Rollcall__RecordingReport report;
	uint64_t begin;
};

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

/* ---- recording ---- */

static int stopped(struct record *w, const char *why)
{
	w->report.stopped = (char *)(uintptr_t)why;
	return 0;
}

/* 1: it goes on. */
static int event_take(struct record *w, const Rollcall__Event *ev)
{
	int r = recording_write(w->writer, ev, w->max_size);

	if (r == -ENOSPC)
		return stopped(w, "the size is reached (--max-size)");
	if (r < 0)
		return r;
	w->report.events++;
	if (ev->kind_case == ROLLCALL__EVENT__KIND_GAP && strcmp(ev->gap->lane, "watch") == 0)
		w->report.lost += ev->gap->count;
	return 1;
}

/* Waits for the next event; what was written is handed to the disk when there is none yet. */
static int event_wait(struct record *w)
{
	struct pollfd fds[] = {{.fd = w->socket, .events = POLLIN},
			       {.fd = w->signals, .events = POLLIN}};
	uint64_t passed = now() - w->begin;
	int n;

	if (passed >= w->duration)
		return stopped(w, "the time is over (--for)");
	n = poll(fds, 2, 0);
	if (n == 0) {
		int r = recording_flush(w->writer);

		if (r < 0)
			return r;
		n = poll(fds, 2, (int)((w->duration - passed) / 1000000 % 60000) + 1);
	}
	if (n < 0 && errno != EINTR)
		return log_error(-errno, "cannot wait for events");
	if (n > 0 && fds[1].revents)
		return stopped(w, "interrupted");
	return n > 0 && fds[0].revents ? 1 : 2;
}

static int run(struct record *w)
{
	_cleanup_(arena_freep) struct arena *a = arena_new(64 * 1024);
	ProtobufCMessage *m;
	enum frame_type type;
	int r = 1;

	if (!a)
		return log_error(-ENOMEM, "cannot start");
	while (r > 0) {
		r = event_wait(w);
		if (r != 1)
			continue;
		r = sensor_answer(w->socket, a, &type, &m);
		if (r == -ENODATA)
			return stopped(w, "the sensor ended"), r;
		if (r < 0)
			return log_error(r, "the sensor's answer cannot be read");
		r = type == FRAME_EVENT ? event_take(w, (const Rollcall__Event *)m) : 1;
		arena_reset(a);
	}
	return r;
}

/* ---- the end ---- */

static void report(struct record *w)
{
	char size[32];

	w->report.file = (char *)(uintptr_t)w->path;
	w->report.seconds = (double)(now() - w->begin) / 1e9;
	if (!*w->report.stopped)
		w->report.stopped = (char *)(uintptr_t) "a failure";
	if (w->json) {
		FILE *to = strcmp(w->path, "-") == 0 ? stderr : stdout;

		event_message_json(to, &w->report.base);
		fputc('\n', to);
		return;
	}
	log_info("%s: %" PRIu64 " events, %s, in %.0f s; stopped: %s", w->path, w->report.events,
		 out_bytes(w->report.bytes, size, sizeof(size)), w->report.seconds,
		 w->report.stopped);
	if (w->report.lost)
		log_warn(0, "%" PRIu64 " events are missing: this command was too slow for them",
			 w->report.lost);
}

static int record(struct record *w)
{
	_cleanup_(closep) int fd = sensor_ask(w->control, ROLLCALL__ASK__record);
	sigset_t set;
	int r, end;

	if (fd < 0)
		return fd;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	_cleanup_(closep) int signals = signalfd(-1, &set, SFD_CLOEXEC);

	if (signals < 0)
		return log_error(-errno, "cannot start");
	r = recording_create(w->path, &w->writer);
	if (r < 0)
		return r;
	w->socket = fd;
	w->signals = signals;
	w->begin = now();
	r = run(w);
	w->report.bytes = recording_bytes(w->writer);
	end = recording_finish(w->writer);
	report(w);
	return r < 0 ? r : end;
}

/* ---- arguments ---- */

static int duration_parse(const char *text, uint64_t *ret)
{
	static const struct {
		const char *unit;
		uint64_t s;
	} units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit) != 0 || !n || *text == '-' ||
		    n > 366 * 86400 / units[i].s)
			continue;
		*ret = n * units[i].s * SECOND;
		return 0;
	}
	return log_error(-EINVAL, "--for '%s': write for example 90s, 15m, 24h or 7d", text);
}

static int size_parse(const char *text, uint64_t *ret)
{
	static const struct conf_key key = {.min = 1024};
	char why[CONF_WHY];
	int r = conf_size(&key, ret, text, why);

	return r < 0 ? log_error(0, "--max-size '%s': %s", text, why), r : 0;
}

static int args_parse(int argc, char **argv, struct record *w)
{
	static const struct option options[] = {
		{"out", required_argument, NULL, 'o'},
		{"for", required_argument, NULL, 'f'},
		{"max-size", required_argument, NULL, 'm'},
		{"json", no_argument, NULL, 'j'},
		{"control", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	int c, r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			return 1;
		if (c == '?')
			return -EINVAL;
		if (c == 'j')
			w->json = true;
		else if (c == 'o')
			w->path = optarg;
		else if (c == 'f')
			w->duration_text = optarg;
		else if (c == 'm')
			w->size_text = optarg;
		else
			w->control = optarg;
	}
	r = duration_parse(w->duration_text, &w->duration);
	if (r == 0)
		r = size_parse(w->size_text, &w->max_size);
	if (r == 0 && optind < argc)
		r = log_error(-EINVAL, "'%s': not understood", argv[optind]);
	return r;
}

int cmd_record(int argc, char **argv)
{
	struct record w = {
		.control = SENSOR_CONTROL, .duration_text = FOR_DEFAULT, .size_text = SIZE_DEFAULT};
	time_t t = time(NULL);
	char path[64];
	struct tm tm;
	int r = args_parse(argc, argv, &w);

	if (r)
		return r == 1 ? fputs(usage, stdout) < 0 : 2;
	strftime(path, sizeof(path), "recording-%Y%m%dT%H%M%SZ.jsonl", gmtime_r(&t, &tm));
	w.path = w.path ? w.path : path;
	rollcall__recording_report__init(&w.report);
	r = record(&w);
	return r < 0 ? 1 : w.report.lost ? 3 : 0;
}
