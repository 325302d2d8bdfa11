// SPDX-License-Identifier: Apache-2.0
// A directory of the BPF file system that holds a sensor's probes when no sensor does. Below it is
// one directory, named by what made the probes; another, "new", is one that is being filled. Knows
// names and descriptors only; what is pinned is probe_pins.c's.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct pins;

/*
 * Opens the directory; makes it and mounts /sys/fs/bpf where they are missing, and locks it.
 * -EAGAIN: another sensor has it; -EPERM: it is not root's alone; -EOPNOTSUPP: no BPF file system.
 */
int pins_open(const char *directory, struct pins **ret);
struct pins *pins_free(struct pins *p); /* accepts NULL, returns NULL; removes nothing */
void pins_freep(struct pins **p);

/* Is there a whole set of that name? Then it is the one that the calls below are about. */
bool pins_use(struct pins *p, const char *name);

/* Begins a set, and ends it: now it has its name. 0 or negative errno. */
int pins_begin(struct pins *p);
int pins_commit(struct pins *p, const char *name);

/* One file of the set. A descriptor or negative errno; 0 or negative errno. */
int pins_get(const struct pins *p, const char *name);
int pins_put(const struct pins *p, const char *name, int fd);

/* Every file of the set, until `fn` is not 0, which is returned. */
int pins_each(const struct pins *p, int (*fn)(void *ctx, const char *name), void *ctx);

/*
 * Removes the set: of its files those that `mine` says are the sensor's. -ENOTEMPTY: others are
 * there, and stay.
 */
typedef bool (*pins_mine_fn)(void *ctx, int fd, const char *name);
int pins_remove(struct pins *p, pins_mine_fn mine, void *ctx);

/* Removes the directory itself, when it is empty. */
void pins_close(struct pins *p);

/* Every set but the one in use, each in its turn the one in use. */
void pins_others(struct pins *p, void (*fn)(void *ctx), void *ctx);
