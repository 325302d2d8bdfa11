// SPDX-License-Identifier: Apache-2.0
// Verdicts on the shapes of statements, for the kernel.
#include "sensor/quiet.h"

#include <errno.h>
#include <sys/random.h>

#include "lib/log.h"
#include "sensor/host.h"
#include "sensor/probe.h"

/* A look-up's result, not a page of a list. */
#define ROWS_MAX  100
#define BYTES_MAX 65536
/* Numbers have more digits or fewer. */
#define BYTES_MORE 64

/* As bpf/quiet.h and bpf/quiet_verdict.h have them. */
struct quiet_secret {
	uint64_t key[2], since;
};
struct quiet_key {
	uint64_t conn, shape;
};
struct quiet_verdict {
	uint64_t judged;
	uint32_t rows, bytes;
	uint32_t columns, pad;
};

void quiet_begin(struct probe *p)
{
	struct quiet_secret s = {.since = host_boottime()};
	int r;

	/* Without a key nothing has a shape: each is told. */
	if (getrandom(s.key, sizeof(s.key), 0) != sizeof(s.key))
		s.since = 0;
	r = probe_map_update(p, "quiet_secrets", &(uint32_t){0}, &s);
	if (r < 0)
		log_warn(r, "statements of no interest cannot be told from others again");
}

void quiet_verdict(struct probe *p, const struct quiet_like *like, const Rollcall__Db *db)
{
	const struct quiet_key key = {like->conn, like->shape};
	const struct quiet_verdict v = {
		.judged = host_boottime(),
		.rows = (uint32_t)db->rows,
		.bytes = (uint32_t)db->bytes + BYTES_MORE,
		.columns = like->columns,
	};

	if (db->n_tables || db->side_bytes || db->rows > ROWS_MAX || db->bytes > BYTES_MAX ||
	    db->end != ROLLCALL__END__complete || db->confidence != ROLLCALL__CONFIDENCE__exact)
		return;
	probe_map_update(p, "quiet_verdicts", &key, &v);
}

void quiet_collect(struct probe *p)
{
	static const char *const programs[] = {"pg_quiet__syscall", "mysql_quiet__syscall"};

	for (unsigned i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		int r = probe_run(p, programs[i]);

		if (r < 0 && r != -ENOENT)
			log_warn(r, "results of no interest that were counted are told late");
	}
}
