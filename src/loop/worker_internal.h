/* SPDX-License-Identifier: MIT */
/*
 * worker_room: what worker.c and flow.c know of each other. Private to loop/.
 */
#ifndef TENANTGATE_LOOP_WORKER_INTERNAL_H
#define TENANTGATE_LOOP_WORKER_INTERNAL_H

#include <sys/queue.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "tenantgate/loop/flow.h"

TAILQ_HEAD(flow_list, flow);

/* A worker's flows. */
struct run_queue {
	struct flow_list	queue;	/* woken: their turn comes from the loop */
	struct flow_list	live;	/* all, from flow_start() to their release */
	_Atomic size_t		count;	/* of live; written by the worker, read by any thread */
};

struct run_queue	*worker_run_queue(struct worker *);
size_t			 worker_flow_count(const struct worker *);	/* any thread */

void	run_queue_init(struct run_queue *);
/* Gives a turn to each queued flow, `turns` at most; true when some are left. */
bool	run_queue_run(struct run_queue *, unsigned turns);

#endif
