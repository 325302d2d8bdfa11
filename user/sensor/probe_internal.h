// SPDX-License-Identifier: Apache-2.0
// What probe.c, which loads and attaches, and probe_report.c, which counts, share.
#pragma once

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/ring.h"
#include "rollcall.skel.h"
#include "sensor/choice.h"
#include "sensor/probe.h"

#define BINARIES_MAX 64
#define LINKS_MAX    1024
#define RECORD_KINDS 128 /* as in bpf/emit.h */

enum { LANE_CRIT, LANE_BULK, LANES };

struct probe {
	struct rollcall *skel;
	struct ring *rings[LANES];
	int epoll; /* over both */
	struct bpf_link *links[LINKS_MAX];
	unsigned n_links;
	bool dispatching; /* of system calls: the dispatcher is attached */
	struct choice choice;
	struct {
		dev_t dev;
		ino_t ino;
		bool counts; /* PostgreSQL: where it counts the rows that it reads is known */
	} binaries[BINARIES_MAX];
	unsigned n_binaries;
	uint64_t read[LANES][RECORD_KINDS], truncated[LANES][RECORD_KINDS];
	const struct probe_ring *delivering;
	struct probe_opts opts;
	struct probe_ring {
		struct probe *probe;
		unsigned lane;
	} ring_ctx[LANES];
};
