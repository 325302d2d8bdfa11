// SPDX-License-Identifier: Apache-2.0
// What the real sensor's probes and process table say of processes that a test starts: loads
// them, keeps the events of one run. Used by the tests of the process and network families.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "event.pb-c.h"

struct proctab_counts;

/* Opens the probes and learns what runs already. False: cannot, and said why. */
bool witness_open(const char *name);

/* Learns again what runs: all of it as Exec events. 0 or negative errno. */
int witness_seed(void);

/* Puts an entry into a map of the probes, takes one out, goes through them. 0 or negative errno. */
int witness_watch(const char *map, const void *key, const void *value);
int witness_unwatch(const char *map, const void *key);
int witness_next(const char *map, const void *key, void *ret_next);

/* Its descriptor, of the witness. */
int witness_map(const char *map);

/* Ends it and tells the checks; the program's exit status. */
int witness_close(void);

/* Forgets the events so far. */
void witness_reset(void);

/* Starts a child that returns what `go` returns. */
pid_t witness_fork(int (*go)(void));

/* The same after a reset, waits for its end and its exit record; its status as wait(2) says. */
pid_t witness_run(int (*go)(void), int *ret_status);

/* Waits for that many events of a kind of a process; the last of them or NULL. */
const Rollcall__Event *witness_wait(Rollcall__Event__KindCase kind, pid_t pid, unsigned n);

/* All events up to now are there when this returns. */
void witness_settle(void);

/* The n-th event of a kind of a process, from 0, or NULL; and how many there are. */
const Rollcall__Event *witness_event(Rollcall__Event__KindCase kind, pid_t pid, unsigned n);
unsigned witness_count(Rollcall__Event__KindCase kind, pid_t pid);

/* The last event of a kind, whosever it is, or NULL; and how many there are. */
const Rollcall__Event *witness_any(Rollcall__Event__KindCase kind);
unsigned witness_number(Rollcall__Event__KindCase kind);

/* A process as the table has it now, or NULL. */
const Rollcall__Process *witness_process(pid_t pid);

/* "leaf parent grandparent ...": exe names without their directory, up to this test's own. */
const char *witness_lineage(const Rollcall__Process *p);

/* The program in use for an event of the ladders, "" when none is; until the next reset. */
const char *witness_hook(const char *event);

/* The table as it is; and how many records the rings had no room for, since the start. */
void witness_counts(struct proctab_counts *ret);
uint64_t witness_dropped(void);

/* Of an event's records since the start: written, throttled, unread. */
Rollcall__Count witness_counted(const char *event);
