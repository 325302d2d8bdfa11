// SPDX-License-Identifier: Apache-2.0
// Addresses and their names, by hash and by age.
#include "sensor/hostnames.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "lib/arena.h"

#define BUCKETS	    1024
#define ADDRESS_MAX 48 /* "[IPv6]" */
#define SECOND	    1000000000ull

struct hostname {
	LIST_ENTRY(hostname) bucket;
	TAILQ_ENTRY(hostname) age;
	uint64_t time;
	char address[ADDRESS_MAX];
	char *name;
};

LIST_HEAD(bucket, hostname);

struct hostnames {
	struct bucket buckets[BUCKETS];
	TAILQ_HEAD(, hostname) ages; /* read longest ago first */
	unsigned n;
};

struct hostnames *hostnames_new(void)
{
	struct hostnames *h = calloc(1, sizeof(*h));

	if (h)
		TAILQ_INIT(&h->ages);
	return h;
}

static void forget(struct hostnames *h, struct hostname *n)
{
	LIST_REMOVE(n, bucket);
	TAILQ_REMOVE(&h->ages, n, age);
	h->n--;
	free(n->name);
	free(n);
}

struct hostnames *hostnames_free(struct hostnames *h)
{
	while (h && !TAILQ_EMPTY(&h->ages))
		forget(h, TAILQ_FIRST(&h->ages));
	free(h);
	return NULL;
}

static struct bucket *bucket_of(struct hostnames *h, const char *address, size_t len)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)address[i]) * 16777619u;
	return &h->buckets[hash % BUCKETS];
}

static struct hostname *find(struct hostnames *h, const char *address, size_t len)
{
	struct hostname *n;

	LIST_FOREACH(n, bucket_of(h, address, len), bucket)
	if (strlen(n->address) == len && memcmp(n->address, address, len) == 0)
		return n;
	return NULL;
}

/* Of several names for one address the one that was asked for last is meant. */
static void learn(struct hostnames *h, const char *address, size_t len, const char *name,
		  uint64_t time)
{
	struct hostname *n = len < ADDRESS_MAX ? find(h, address, len) : NULL;

	if (n)
		forget(h, n);
	n = len < ADDRESS_MAX ? calloc(1, sizeof(*n)) : NULL;
	if (!n)
		return;
	n->name = strdup(name);
	if (!n->name) {
		free(n);
		return;
	}
	memcpy(n->address, address, len);
	n->time = time;
	LIST_INSERT_HEAD(bucket_of(h, address, len), n, bucket);
	TAILQ_INSERT_TAIL(&h->ages, n, age);
	if (++h->n > HOSTNAMES_MAX)
		forget(h, TAILQ_FIRST(&h->ages));
}

static void answer_learn(struct hostnames *h, const Rollcall__Dns *dns, uint64_t time)
{
	if (!dns->response || dns->rcode || dns->malformed || !*dns->name)
		return;
	for (const char *a = dns->addresses; *a;) {
		size_t len = strcspn(a, " ");

		if (len)
			learn(h, a, len, dns->name, time);
		a += len + (a[len] == ' ');
	}
}

/* "": not known. */
static char *name_of(struct hostnames *h, struct arena *a, const Rollcall__Endpoint *peer,
		     uint64_t time)
{
	const struct hostname *n = peer ? find(h, peer->address, strlen(peer->address)) : NULL;
	bool known = n && time < n->time + HOSTNAMES_SECONDS * SECOND;
	char *name = known ? arena_strdup(a, n->name) : NULL;

	return name ? name : (char *)(uintptr_t)protobuf_c_empty_string;
}

void hostnames_event(struct hostnames *h, struct arena *a, Rollcall__Event *ev)
{
	if (ev->kind_case == ROLLCALL__EVENT__KIND_DNS)
		answer_learn(h, ev->dns, ev->time);
	else if (ev->kind_case == ROLLCALL__EVENT__KIND_TCP_CONNECT)
		ev->tcp_connect->remote_name = name_of(h, a, ev->tcp_connect->remote, ev->time);
	else if (ev->kind_case == ROLLCALL__EVENT__KIND_UDP_SEND)
		ev->udp_send->remote_name = name_of(h, a, ev->udp_send->remote, ev->time);
}
