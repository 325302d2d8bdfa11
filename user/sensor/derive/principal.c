// SPDX-License-Identifier: Apache-2.0
// Who a session acts for, from what the kernel and the server say.
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "sensor/derive/session_internal.h"

void principal_socket(struct principal *p, const Rollcall__Socket *k)
{
	struct in6_addr addr;
	char text[INET6_ADDRSTRLEN];

	if (!k || !k->family)
		return;
	if (k->family == AF_UNIX) {
		snprintf(p->address, sizeof(p->address), "unix");
		return;
	}
	memcpy(addr.s6_addr, &k->addr_hi, 8);
	memcpy(addr.s6_addr + 8, &k->addr_lo, 8);
	if (IN6_IS_ADDR_V4MAPPED(&addr)) {
		inet_ntop(AF_INET, addr.s6_addr + 12, text, sizeof(text));
		snprintf(p->address, sizeof(p->address), "%s:%u", text, k->remote_port);
	} else {
		inet_ntop(AF_INET6, &addr, text, sizeof(text));
		snprintf(p->address, sizeof(p->address), "[%s]:%u", text, k->remote_port);
	}
}

/* "postgres: 15/main: app hr 127.0.0.1(4711) idle": a cluster_name may stand between. */
void principal_title(struct principal *p, const char *title)
{
	const char *at = strncmp(title, "postgres: ", 10) == 0 ? title + 10 : "";
	const char *cluster = strstr(at, ": ");

	sscanf(cluster ? cluster + 2 : at, "%63s %63s", p->user, p->database);
}

/* As check_application_name() (utils/misc/guc.c) leaves a name, of which this is a byte. */
static char reported(char c)
{
	return c < 32 || c > 126 ? '?' : c;
}

bool principal_program(struct principal *p, const char *name)
{
	size_t i = 0;

	while (p->program[i] && reported(p->program[i]) == name[i])
		i++;
	/* A long one is cut where a character of up to four bytes begins. */
	if (!name[i] && (!p->program[i] || i >= sizeof(p->program) - 4))
		return false;
	memset(p->program, 0, sizeof(p->program));
	snprintf(p->program, sizeof(p->program), "%s", name);
	return true;
}
