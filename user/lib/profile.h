// SPDX-License-Identifier: Apache-2.0
// A product profile: what an MDM product looks like on its host. Read by the sensor, which watches
// what it names and gives the rules its lists as placeholders, and by `rollcall setup` and
// `policy`.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/conf.h"

#define PROFILE_DIR	  "/etc/rollcall/profiles"
#define PROFILE_ITEMS_MAX 64

struct profile;

/* What a profile lists; the order is that of its keys. */
enum profile_list {
	PROFILE_SERVICES,
	PROFILE_USERS,
	PROFILE_CHILDREN,
	PROFILE_PEERS,
	PROFILE_TABLES,
	PROFILE_COLUMNS,
	PROFILE_CLIENTS,
	PROFILE_WEB_ROOTS,
	PROFILE_SECRETS,
	PROFILE_LOGS,
	PROFILE_CONFIG,
	PROFILE_LISTS
};

/* What on a host speaks for a product. */
enum profile_sign { PROFILE_PROCESS, PROFILE_UNIT, PROFILE_FILE, PROFILE_DATABASE, PROFILE_SIGNS };

/* `name`: NAME.yaml of `dir` (NULL: PROFILE_DIR), or an absolute path. -EINVAL: neither. */
int profile_path(const char *name, const char *dir, char **ret_path);
/* -EBADMSG: mistakes were told; other errors of opening and reading. */
int profile_read(const char *path, conf_mistake_fn fn, void *ctx, struct profile **ret_profile);
struct profile *profile_free(struct profile *p); /* accepts NULL, returns NULL */
void profile_freep(struct profile **p);

/* Of the names in the directory the one that may have been meant, to be freed, or NULL. */
char *profile_near(const char *name, const char *dir);

const char *profile_title(const struct profile *p);
size_t profile_count(const struct profile *p, enum profile_list list);
const char *profile_item(const struct profile *p, enum profile_list list, size_t i);

size_t profile_signs(const struct profile *p, enum profile_sign sign);
/* A pattern of fnmatch(3) and what it counts. */
const char *profile_sign(const struct profile *p, enum profile_sign sign, size_t i,
			 unsigned *ret_weight);
const char *profile_sign_text(enum profile_sign sign);

/*
 * A document of placeholders for the rules, %profile_services% and so on, to be freed. A list that
 * is empty has one value that nothing is: "-". p NULL: all are empty. NULL: out of memory.
 */
char *profile_placeholders(const struct profile *p);
