/* SPDX-License-Identifier: MIT */
/*
 * flow_log: SIGUSR1's answer: every flow that is alive on a worker, a line of JSON each, to the log
 * whatever its level is.
 *
 *	{"time":"…","level":"notice","event":"flow.live","request_id":"…","worker":0,
 *	 "handler":"chat","step":"stream","state":"waiting","age_ms":5210,"step_ms":5012}
 *
 * The oldest FLOW_LOG_MAX of a worker are written, then one line "flow.total" that says how many
 * there are. A child's flow (flow_call) is a line of its own, with its parent's request id.
 */
#ifndef FLOW_LOG_H
#define FLOW_LOG_H

#include <stdatomic.h>

#include "tenantgate/loop/worker.h"

#define FLOW_LOG_MAX	200

/* One for each worker, zeroed at first; lives as long as the worker. */
struct flow_log {
	struct task	letter;
	struct worker	*worker;	/* borrowed */
	atomic_bool	posted;		/* not yet written */
};

/* Main thread, never a signal handler. Does not wait: the worker writes when its loop comes round.
 * A worker that has not yet written the last time is named in an error: its loop is stuck. */
void	flow_log_post(struct flow_log *, struct worker *);

#endif
