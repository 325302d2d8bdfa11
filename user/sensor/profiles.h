// SPDX-License-Identifier: Apache-2.0
// Uses a product profile: what it names is watched as if the configuration had named it. Called by
// options once the configuration is read; what that has is kept, the profile's comes beside it.
#pragma once

struct profile;
struct treewatch;
struct watch;

/* A name or a path, as lib/profile.h has it; "": none, and *ret_profile stays. Tells failures. */
int profiles_use(const char *name, struct watch *w, struct treewatch *t,
		 struct profile **ret_profile);
