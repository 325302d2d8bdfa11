// SPDX-License-Identifier: Apache-2.0
// Finding database servers that were running before the sensor. Later ones are seen at exec.
#include "sensor/discover.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clean.h"

static const struct {
	const char *name;
	enum probe_system system;
} servers[] = {
	{"postgres", PROBE_POSTGRESQL},
	{"mariadbd", PROBE_MARIADB},
	{"mysqld", PROBE_MARIADB},
};

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

int discover_system(const char *exe, enum probe_system *ret)
{
	static const char deleted[] = " (deleted)";
	const char *base = strrchr(exe, '/');
	size_t len;

	base = base ? base + 1 : exe;
	len = strlen(base);
	/* A package upgrade unlinks the binary of a server that still runs. */
	if (len > sizeof(deleted) - 1 && strcmp(base + len - sizeof(deleted) + 1, deleted) == 0)
		len -= sizeof(deleted) - 1;
	for (unsigned i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
		if (strlen(servers[i].name) == len && strncmp(base, servers[i].name, len) == 0) {
			*ret = servers[i].system;
			return 0;
		}
	}
	return -ENOENT;
}

int discover_running(void (*fn)(void *ctx, enum probe_system system, int pid), void *ctx)
{
	_cleanup_(closedirp) DIR *proc = opendir("/proc");
	struct dirent *d;

	if (!proc)
		return -errno;
	while ((d = readdir(proc))) {
		enum probe_system system;
		char path[300], exe[4096];
		ssize_t n;

		if (!isdigit((unsigned char)d->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/exe", d->d_name);
		n = readlink(path, exe, sizeof(exe) - 1);
		if (n <= 0)
			continue;
		exe[n] = '\0';
		if (discover_system(exe, &system) == 0)
			fn(ctx, system, atoi(d->d_name));
	}
	return 0;
}
