// SPDX-License-Identifier: Apache-2.0
// The other end of the sensor's control socket. Used by `rollcall status`, `watch`, `top` and
// `policy`.
#pragma once

#include <stdbool.h>

#include "control.pb-c.h"
#include "event.pb-c.h"
#include "lib/frame.h"

#define SENSOR_CONTROL "/run/rollcall/control"

struct arena;

/* Connects and asks. A descriptor, or negative errno (logged, with what to do). */
int sensor_ask(const char *path, Rollcall__Ask ask);

/* The same with all of a request. */
int sensor_request(const char *path, const Rollcall__Request *request);

/* Does a sensor listen there? */
bool sensor_is_there(const char *path);

/* Asks again, on the connection that sensor_ask made. */
int sensor_ask_again(int fd, Rollcall__Ask ask);

/* The next frame's message, in the arena. 0; -ENODATA: the sensor ended; negative errno. */
int sensor_answer(int fd, struct arena *a, enum frame_type *ret_type,
		  ProtobufCMessage **ret_message);
