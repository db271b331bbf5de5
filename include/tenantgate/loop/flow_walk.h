/* SPDX-License-Identifier: MIT */
/*
 * flow_walk: looks at all flows of a worker, however many, a few in each turn of its loop. Those
 * that end meanwhile are passed over, and those that begin meanwhile are not looked at.
 *
 * On the worker's thread.
 */
#ifndef TENANTGATE_LOOP_FLOW_WALK_H
#define TENANTGATE_LOOP_FLOW_WALK_H

#include <sys/queue.h>

#include "tenantgate/loop/flow.h"

/* Not to be moved while it is under way. */
struct flow_walk {
	LIST_ENTRY(flow_walk)	 link;		/* of the worker's */
	struct worker		*worker;	/* borrowed; NULL: it is not under way */
	struct flow		*next;		/* borrowed; NULL: there is none */
	uint64_t		 began_us;	/* monotonic */
};

void	flow_walk_begin(struct flow_walk *, struct worker *);
/* The next n, oldest first. False when there are no more: the walk is over. */
bool	flow_walk_on(struct flow_walk *, unsigned n, flow_each_fn *, void *arg)
	    __attribute__((warn_unused_result));

#endif
