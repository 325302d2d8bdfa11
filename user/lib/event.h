// SPDX-License-Identifier: Apache-2.0
// Events as JSON, walked from the descriptors of event.proto: no event-specific line here.
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "event.pb-c.h"

/* "db_result", "exec", ...; "" for an event without a kind. */
const char *event_kind(const Rollcall__Event *ev);
bool event_is_kind(const char *name);

/* The kind's message, borrowed; NULL for an event without a kind. */
const ProtobufCMessage *event_message(const Rollcall__Event *ev);

/* Whose record it was: the kind's field `task`, borrowed; NULL when it has none. */
const Rollcall__Task *event_task(const Rollcall__Event *ev);

/*
 * One JSON object, no newline: time (RFC 3339, nanoseconds, UTC), host, event, id, process, then
 * the fields of the kind's message; an id of its own (a finding has one) stands for the event's.
 * Absent strings, empty lists and messages with nothing in them are left out; numbers and truth
 * values are always there. Bytes that are not UTF-8 become U+FFFD. 0 or -EIO.
 */
int event_json(FILE *out, const Rollcall__Event *ev);

/* Any message as a JSON object, by the same rules. */
int event_message_json(FILE *out, const ProtobufCMessage *msg);

/* A string as a JSON string, quotes included. */
void event_json_string(FILE *out, const char *s, size_t len);

/* RFC 3339 with nanoseconds and Z; buf of at least 31 bytes. */
const char *event_time(uint64_t ns, char *buf, size_t size);
