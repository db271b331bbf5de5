/* SPDX-License-Identifier: MIT */
/*
 * flow_counts: the engine's side of loop/flow_stat.h. Private to loop/.
 */
#ifndef TENANTGATE_LOOP_FLOW_COUNTS_H
#define TENANTGATE_LOOP_FLOW_COUNTS_H

#include "tenantgate/loop/flow.h"

/* By the address of a kind: static structs, of which there are some dozens. */
#define FLOW_KINDS_MAX	256	/* a power of two; a kind that finds no place is not counted */

struct flow_counts;
struct flow_kinds {
	struct flow_counts *_Atomic slots[FLOW_KINDS_MAX];	/* owned; never taken out */
	const char *const *away;	/* borrowed: flow_stats_away(); NULL: none */
};

/* At a flow's end, on its worker's thread, once its last step's time is known. */
void	flow_counts_add(struct flow_kinds *, const struct flow *, uint64_t now_us);
void	flow_kinds_free(struct flow_kinds *);

#endif
