// SPDX-License-Identifier: Apache-2.0
// What a MariaDB client says of itself: its answer to the greeting, and COM_CHANGE_USER. Passwords
// in them are stepped over. Any bytes are safe input.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct principal;

struct login {
	uint32_t capabilities; /* 0: not known */
	char user[64], database[64], program[64];
};

/* 0; -EAGAIN: it only asks for TLS, and the login follows; -EBADMSG. */
int login_response(const char *body, size_t len, struct login *ret);

/* As the session's first login announced. Keeps the program. 0 or -EBADMSG. */
int login_change(const char *body, size_t len, struct login *login);

/* The server accepted it. */
void login_apply(const struct login *login, struct principal *who);
