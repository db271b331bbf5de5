/* SPDX-License-Identifier: MIT */
/*
 * flow_log: what SIGUSR1 asks for: every flow that is alive on a worker, as one line of JSON each,
 * to the log whatever its level is.
 *
 *	{"time":"…","level":"notice","event":"flow.live","request_id":"…","worker":0,
 *	 "handler":"chat","step":"stream","state":"waiting","age_ms":5210,"step_ms":5012}
 *
 * age_ms is since the flow's start, step_ms since the present step's. The oldest FLOW_LOG_MAX of a
 * worker are written, then one line "flow.total" with how many there are and how many were left
 * out. A child's flow (flow_call) is a line of its own, with its parent's request id.
 */
#ifndef FLOW_LOG_H
#define FLOW_LOG_H

#include <stdatomic.h>
#include <stdint.h>

#include "tenantgate/loop/worker.h"

#define FLOW_LOG_MAX		200
#define FLOW_LOG_STUCK_US	1000000ull

/* One for each worker, zeroed at first; lives as long as the worker. */
struct flow_log {
	struct task	task;		/* the mailbox's, while posted */
	struct worker	*worker;	/* borrowed; set by flow_log_post() */
	atomic_bool	posted;		/* set by the main thread, cleared by the worker */
	uint64_t	posted_us;	/* monotonic; the main thread's */
};

/*
 * Main thread, never a signal handler (a mailbox takes a lock). Does not wait: the worker writes
 * when its loop comes round. While it has not yet written what was asked for the last time, nothing
 * is posted; after FLOW_LOG_STUCK_US of that, an error "flow.stuck" names the worker: its loop
 * hangs in something that blocks.
 */
void	flow_log_post(struct flow_log *, struct worker *);

#endif
