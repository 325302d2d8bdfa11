// SPDX-License-Identifier: Apache-2.0
// `rollcall policy sign`: a checked policy as one signed file, for the inbox of sensors.
#include "cli/policy_sign.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/policy_load.h"
#include "lib/clean.h"
#include "lib/ed25519.h"
#include "lib/log.h"
#include "lib/sigma/bundle.h"
#include "lib/sigma/fileset.h"
#include "lib/sigma/policy.h"

static const char usage[] =
	"Usage: rollcall policy sign --key KEY [--serial N] PATH -o BUNDLE\n"
	"\n"
	"Checks the rules in PATH and writes them, signed, to BUNDLE (which ends with .bundle to "
	"be\n"
	"taken out of a sensor's policy.inbox; move it there by a rename).\n"
	"\n"
	"  --key KEY     private key (Ed25519, PEM): openssl genpkey -algorithm ed25519 -out KEY;\n"
	"                sensors have the public one: openssl pkey -in KEY -pubout\n"
	"  --serial N    a sensor takes only what has a higher number than what it took before\n"
	"                (default: seconds since 1970)\n"
	"\n"
	"Exit status: 0 done, 1 failed or the rules have mistakes, 2 wrong usage.\n";

struct sign {
	const char *key, *out, *path;
	uint64_t serial;
};

static int check(const struct fileset *files)
{
	const struct policy_load_opts opts = {.to = stdout, .files = files};
	_cleanup_(policy_freep) struct policy *p = NULL;
	int r = policy_load(&opts, (char *[]){NULL}, &p);

	return r < 0 ? log_error(r == -EBADMSG ? 0 : r, "nothing was signed"), r : 0;
}

/* Whole under its name, or not at all. */
static int file_write(const char *path, const char *text, size_t size)
{
	_cleanup_(freep) char *new = NULL;
	_cleanup_(fclosep) FILE *f = NULL;

	if (asprintf(&new, "%s.new", path) < 0)
		return -ENOMEM;
	f = fopen(new, "we");
	if (!f)
		return -errno;
	if (fwrite(text, 1, size, f) != size || fflush(f) == EOF || fsync(fileno(f)) < 0 ||
	    rename(new, path) < 0) {
		int r = -errno;

		unlink(new);
		return r;
	}
	return 0;
}

static int sign(const struct sign *s)
{
	_cleanup_(fileset_freep) struct fileset *files = fileset_new();
	_cleanup_(ed25519_freep) struct ed25519 *key = NULL;
	_cleanup_(freep) char *text = NULL;
	size_t size;
	int r = files ? policy_load_files(files, s->path, true) : log_error(-ENOMEM, "policy");

	if (r < 0)
		return r;
	r = ed25519_private(s->key, &key);
	if (r == -EINVAL)
		return log_error(0, "'%s': not an Ed25519 private key in PEM", s->key), r;
	if (r < 0)
		return log_error(r, "'%s'", s->key);
	r = check(files);
	if (r < 0)
		return r;
	r = bundle_write(files, s->serial, key, &text, &size);
	if (r == 0)
		r = file_write(s->out, text, size);
	if (r < 0)
		return log_error(r, "'%s'", s->out);
	printf("%s: serial %" PRIu64 ", %zu bytes\n", s->out, s->serial, size);
	return 0;
}

static int serial_parse(const char *text, uint64_t *ret_serial)
{
	char *end;

	errno = 0;
	*ret_serial = strtoull(text, &end, 10);
	return *text < '0' || *text > '9' || *end || errno || !*ret_serial ? -EINVAL : 0;
}

int policy_sign(int argc, char **argv)
{
	static const struct option options[] = {
		{"key", required_argument, NULL, 'k'},
		{"serial", required_argument, NULL, 's'},
		{"output", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	struct sign s = {.serial = (uint64_t)time(NULL)};
	int c;

	while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (c == 'h')
			return fputs(usage, stdout) < 0;
		if (c == '?')
			return 2;
		s.key = c == 'k' ? optarg : s.key;
		s.out = c == 'o' ? optarg : s.out;
		if (c == 's' && serial_parse(optarg, &s.serial) < 0)
			return log_error(0, "--serial '%s': a number above 0", optarg), 2;
	}
	s.path = argv[optind];
	if (argc - optind != 1 || !s.key || !s.out) {
		fputs(usage, stderr);
		return 2;
	}
	return sign(&s) < 0;
}
