// SPDX-License-Identifier: Apache-2.0
// What the transforming modifiers make of a pattern: UTF-16, Base64 at the three places it can
// begin, the dashes of a command line. Called by item.c.
#pragma once

#include <stddef.h>

#include "lib/sigma/pattern.h"

#define ENCODE_VARIANTS_MAX 625 /* four dashes, five forms each */

struct encode_list {
	struct pattern *p;
	size_t n;
};

/*
 * Each gives one pattern or several of one. -EINVAL: `*ret_why` says why that pattern cannot be
 * encoded so.
 */
int encode_utf16le(struct arena *a, const struct pattern *p, struct encode_list *ret_list,
		   const char **ret_why);
int encode_utf16be(struct arena *a, const struct pattern *p, struct encode_list *ret_list,
		   const char **ret_why);
/* With a byte order mark. */
int encode_utf16(struct arena *a, const struct pattern *p, struct encode_list *ret_list,
		 const char **ret_why);
int encode_base64(struct arena *a, const struct pattern *p, struct encode_list *ret_list,
		  const char **ret_why);
int encode_base64offset(struct arena *a, const struct pattern *p, struct encode_list *ret_list,
			const char **ret_why);
int encode_windash(struct arena *a, const struct pattern *p, struct encode_list *ret_list,
		   const char **ret_why);
