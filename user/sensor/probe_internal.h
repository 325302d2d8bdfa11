// SPDX-License-Identifier: Apache-2.0
// What probe.c, which loads and attaches, and probe_report.c, which counts, share.
#pragma once

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "rollcall.skel.h"
#include "sensor/choice.h"
#include "sensor/probe.h"

#define BINARIES_MAX 64
#define LINKS_MAX    1024
#define RECORD_KINDS 128 /* as in bpf/emit.h */

enum { LANE_CRIT, LANE_BULK };

struct probe {
	struct rollcall *skel;
	struct ring_buffer *rings;
	struct ring_buffer *crit; /* the first of them, by itself */
	struct bpf_link *links[LINKS_MAX];
	unsigned n_links;
	bool dispatching; /* of system calls: the dispatcher is attached */
	struct choice choice;
	struct {
		dev_t dev;
		ino_t ino;
	} binaries[BINARIES_MAX];
	unsigned n_binaries;
	uint64_t read[2][RECORD_KINDS];
	struct probe_opts opts;
	struct probe_ring {
		struct probe *probe;
		unsigned lane;
	} ring_ctx[2];
};
