// SPDX-License-Identifier: Apache-2.0
// What probe.c, which loads and attaches, probe_pins.c, which keeps and takes over, and
// probe_report.c, which counts, share.
#pragma once

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/ring.h"
#include "rollcall.skel.h"
#include "sensor/choice.h"
#include "sensor/handover.h"
#include "sensor/probe.h"

#define LINKS_MAX 1024

struct pins;
struct uprobe_ahead;

/* Of the object; fd -1: not loaded. */
struct probe_program {
	const char *name, *section; /* the skeleton's */
	int fd;
	bool linked; /* when it was taken over */
};

/* As bpf/emit.h declares it. */
struct ring_looks {
	uint64_t any, urgent;
};

struct probe {
	struct rollcall *skel;
	struct probe_program programs[PROGRAMS_MAX];
	unsigned n_programs;
	struct ring *rings[LANES];
	int links[LINKS_MAX];
	unsigned n_links;
	bool dispatching; /* of system calls: the dispatcher is attached */
	struct choice choice;
	uint64_t read[LANES][HANDOVER_KINDS], truncated[LANES][HANDOVER_KINDS];
	const struct probe_ring *delivering;
	struct probe_opts opts;
	struct probe_ring {
		struct probe *probe;
		unsigned lane;
	} ring_ctx[LANES];
	struct handover *handover;  /* mapped */
	struct ring_looks *looks;   /* mapped: when the rings were looked at */
	struct uprobe_ahead *ahead; /* NULL: none */
	struct pins *pins;	    /* NULL: nothing is kept */
	int pins_error;		    /* why */
	bool taking, taken_over, stay;
};

/* ---- probe.c ---- */

/* The program of that name, with its section; NULL: there is none. */
struct probe_program *probe_program(struct probe *p, const char *name);

/* Opens the skeleton anew: nothing is loaded. */
int probe_open(struct probe *p);

/* Maps what is shared with the kernel, and with the next sensor: handover, looks. */
int probe_share(struct probe *p);
void probe_unshare(struct probe *p);

/* May something be attached, taken over or removed? 0 or negative errno. */
int probe_ready(struct probe *p);

/* Of a link's descriptor, which it takes, or a negative errno, which it returns. */
int probe_link_add(struct probe *p, const char *name, int fd);

/* ---- probe_server.c ---- */

/* Puts the breakpoints of the servers that run, for which there are no programs yet. */
void probe_servers_ahead(struct probe *p);

/* ---- probe_pins.c ---- */

/* Opens the directory of the pins, where there is to be one. Why not is told, and no failure. */
void probe_pins_open(struct probe *p);

/* Takes over what an earlier sensor of the same build and configuration left. -ENOENT: nothing. */
int probe_pins_take(struct probe *p);

/* Keeps what is loaded; then each link; at last all of it is a whole, and older ones go. */
void probe_pins_begin(struct probe *p);
void probe_pins_link(struct probe *p, const char *name, int fd);
void probe_pins_end(struct probe *p);

/* Leaves nothing in the BPF file system. */
void probe_pins_drop(struct probe *p);

/* A link to a server's binary is named by its number, by which of the program's functions it is,
 * and by its program. */
#define LINK_SERVER "server%u_%u_"
