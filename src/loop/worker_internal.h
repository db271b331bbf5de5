/* SPDX-License-Identifier: MIT */
/*
 * worker_internal: the struct behind a worker, and the run queue of its flows. worker.c gives
 * access to them, flow.c moves flows through the queue, worker_loop.c runs both. Private to loop/.
 *
 * Fields without a word on threads are the worker's thread's only.
 */
#ifndef TENANTGATE_LOOP_WORKER_INTERNAL_H
#define TENANTGATE_LOOP_WORKER_INTERNAL_H

#include <sys/queue.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "loop/flow_counts.h"
#include "loop/mailbox.h"
#include "loop/meter_table.h"
#include "loop/turn_clock.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/loop/flow_walk.h"
#include "tenantgate/loop/timer.h"

struct event;
struct event_base;
struct offload;

#define WORKER_MAGIC	0x574f524bu	/* "WORK" */

TAILQ_HEAD(flow_list, flow);

/* A worker's flows. Both lists are linked through struct flow: nothing is allocated to wake one. */
struct run_queue {
	struct flow_list	queue;	/* those in FLOW_QUEUED, the longest waiting first */
	struct flow_list	live;	/* all, from flow_start() to their release; oldest first */
	_Atomic size_t		count;	/* of live; written by the worker, read by any thread */
	struct turn_clock	clock;	/* of the turns in which the steps run */
	LIST_HEAD(, flow_walk)	walks;	/* under way */
	struct flow_kinds	kinds;	/* counts of those that have ended; any thread reads */
};

struct worker {
	unsigned		 magic;		/* WORKER_MAGIC until it is freed */
	unsigned		 index;		/* constant */
	struct event_base	*base;		/* owned */
	struct event		*wakeup;	/* owned: the mailbox's eventfd is readable */
	struct mailbox		 mailbox;	/* any thread */
	struct task_list	 later;		/* worker_later()'s, for the safe point */
	struct run_queue	 flows;
	struct meter_table	 meters;	/* written by the worker; any thread reads */
	struct offload		*offload;	/* borrowed: offload_attach(); or NULL */
	struct timer		 turn;		/* bounds worker_turn()'s wait */
	struct timer		 lag_timer;	/* measures how late the loop is */
	uint64_t		 lag_due_us;	/* when lag_timer should be called; monotonic */
	unsigned		 lag_turns;	/* of the loop, since it was */
	_Atomic uint64_t	 lag_us;	/* any thread */
	_Atomic uint64_t	 lag_worst_us;	/* any thread */
	_Atomic pthread_t	 owner;		/* any thread: who runs it, made it or joined it */
	pthread_t		 thread;	/* valid while threaded */
	bool			 threaded;	/* there is a thread to join; its starter's field */
	struct task		 stop_task;	/* in the mailbox at most once: stop_posted */
	atomic_bool		 stop_posted;	/* any thread */
	bool			 stopping;	/* worker_run() returns after this turn */
};

struct run_queue	*worker_run_queue(struct worker *);	/* asserts the worker's thread */
/* Before a flow leaves the list of live ones (flow_walk.c). */
void			 flow_walks_pass(struct run_queue *, const struct flow *);
size_t			 worker_flow_count(const struct worker *);	/* any thread */
const struct flow_kinds	*worker_flow_kinds(const struct worker *);	/* any thread */
struct meter_table	*worker_meters(struct worker *);	/* asserts the worker's thread */
const struct meter_table *worker_meters_view(const struct worker *);	/* any thread */
struct offload		**worker_offload(struct worker *);	/* where it is kept */

void	run_queue_init(struct run_queue *);
/* Gives queued flows their turn, `turns` turns at most (a flow that is queued again meanwhile gets
 * another), and none any more after some milliseconds; true when some are left. */
bool	run_queue_run(struct run_queue *, unsigned turns);

#endif
