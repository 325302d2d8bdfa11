// SPDX-License-Identifier: Apache-2.0
// Recordings: JSON Lines, one event a line, plain or compressed by gzip. Written by `rollcall
// record`, read by the commands that try rules. The only file of the command line that knows zlib.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "event.pb-c.h"

struct arena;
struct recording;
struct recording_writer;

/* "-" is standard input. Logs why not. */
int recording_open(const char *path, struct recording **ret_recording);
struct recording *recording_close(struct recording *r); /* accepts NULL, returns NULL */
void recording_closep(struct recording **r);

/*
 * The next event, valid until the one after it is asked for. 1; 0 at the end; -EBADMSG and other
 * errors are logged with the line; a last line that is cut is told and left out. What the host did
 * not do (findings, coverage, gaps) is read too.
 */
int recording_next(struct recording *r, Rollcall__Event **ret_ev);
/* Of the event last read: its line, counted from 1. */
uint64_t recording_line(const struct recording *r);
/* Do rules judge it? Events of the host, gaps, findings that are built into the sensor. */
bool recording_judged(const Rollcall__Event *ev);

/* A file that was not there before, for its owner alone; "-" is standard output; a name that ends
 * in .gz is compressed. Logs why not. */
int recording_create(const char *path, struct recording_writer **ret_writer);
/* -ENOSPC: it would be larger than `max` bytes of text, and was not written; else logged. */
int recording_write(struct recording_writer *w, const Rollcall__Event *ev, uint64_t max);
/* What was written so far can be read, unless it is compressed. */
int recording_flush(struct recording_writer *w);
uint64_t recording_bytes(const struct recording_writer *w);
/* Logs what could not be written. */
int recording_finish(struct recording_writer *w);

/*
 * The event that `what` names, in the arena: with a recording its id (or a finding's) or its line,
 * without one a file of one JSON object, or "-". Logs why not.
 */
int recording_find(struct arena *a, const char *path, const char *what, Rollcall__Event **ret_ev);
