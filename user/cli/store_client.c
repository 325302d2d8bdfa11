// SPDX-License-Identifier: Apache-2.0
// Opening the aggregator's store for a command.
#include "cli/store_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/log.h"
#include "lib/store_read.h"

int store_client_open(const char *path, struct store_read **ret_store)
{
	int r = store_read_open(path, ret_store);

	if (r == -ENOENT)
		return log_error(0,
				 "no store at '%s': this command runs on the aggregator's machine "
				 "(--store names another file)",
				 path),
		       r;
	if (r == -EACCES)
		return log_error(r, "'%s': run it as root or as the aggregator's user", path);
	if (r == -EBADMSG)
		return log_error(0, "'%s' is not a Rollcall store", path), r;
	if (r == -EPROTONOSUPPORT)
		return log_error(0, "'%s' was made by a newer version", path), r;
	return r < 0 ? log_error(r, "'%s'", path) : 0;
}

int store_client_since(const char *text, uint64_t *ret_time)
{
	static const struct {
		char letter;
		uint64_t s;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	char *end;
	unsigned long long n = strtoull(text, &end, 10);
	uint64_t now = (uint64_t)time(NULL);

	if (strcmp(text, "all") == 0) {
		*ret_time = 0;
		return 0;
	}
	for (unsigned i = 0; end != text && i < sizeof(units) / sizeof(units[0]); i++) {
		if (end[0] != units[i].letter || end[1] || n > now / units[i].s)
			continue;
		*ret_time = (now - n * units[i].s) * 1000000000ull;
		return 0;
	}
	log_error(0, "--since '%s': write for example 90s, 15m, 24h, 7d or all", text);
	return -EINVAL;
}
