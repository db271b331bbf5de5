/* SPDX-License-Identifier: MIT */
/*
 * worker_room: what worker.c and flow.c know of each other. Private to loop/.
 */
#ifndef TENANTGATE_LOOP_WORKER_ROOM_H
#define TENANTGATE_LOOP_WORKER_ROOM_H

#include <sys/queue.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "tenantgate/loop/flow.h"

TAILQ_HEAD(flow_list, flow);

/* A worker's flows. */
struct flow_desk {
	struct flow_list	queue;	/* woken: their turn comes from the loop */
	struct flow_list	live;	/* all, from flow_start() to their release */
	_Atomic size_t		count;	/* of live; written by the worker, read by any thread */
};

struct flow_desk	*worker_flows(struct worker *);
size_t			 worker_flow_count(const struct worker *);	/* any thread */

void	flow_desk_init(struct flow_desk *);
/* Gives a turn to each queued flow, `turns` at most; true when some are left. */
bool	flow_desk_run(struct flow_desk *, unsigned turns);

#endif
