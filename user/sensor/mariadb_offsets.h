// SPDX-License-Identifier: Apache-2.0
// Where this build of MariaDB keeps what a session is: offsets in THD, read from the machine code
// of the small accessors that the server exports for its plugins.
#pragma once

#include <stdint.h>

struct elf;

/* As in struct db_binary of bpf/db.h. */
struct mariadb_offsets {
	uint32_t thd_vio;	    /* of THD::net, whose first field is the Vio pointer */
	uint32_t thd_security_ctx;  /* of the pointer THD::security_ctx */
	uint32_t security_ctx_user; /* of the pointer Security_context::user */
	uint32_t thd_db;	    /* of THD::db: pointer and length */
	int64_t server_threads;	    /* of the list of all THDs, minus where code starts */
};

/* 0; -ENOENT: no such symbols, or code of another shape; -ENOTSUP: not x86-64. */
int mariadb_offsets_read(const struct elf *elf, struct mariadb_offsets *ret);
