/* SPDX-License-Identifier: MIT */
/*
 * worker_internal: the struct behind a worker, and the queue of its flows. worker.c gives access to
 * them, flow.c moves flows through the queue, worker_loop.c runs both. Private to loop/.
 */
#ifndef TENANTGATE_LOOP_WORKER_INTERNAL_H
#define TENANTGATE_LOOP_WORKER_INTERNAL_H

#include <sys/queue.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "loop/mailbox.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/loop/timer.h"

struct event;
struct event_base;

#define WORKER_MAGIC	0x574f524bu	/* "WORK" */

TAILQ_HEAD(flow_list, flow);

/* A worker's flows. */
struct run_queue {
	struct flow_list	queue;	/* woken: their turn comes from the loop */
	struct flow_list	live;	/* all, from flow_start() to their release */
	_Atomic size_t		count;	/* of live; written by the worker, read by any thread */
};

struct worker {
	unsigned		 magic;
	unsigned		 index;
	struct event_base	*base;		/* owned */
	struct event		*wakeup;	/* owned: the mailbox's */
	struct mailbox		 mailbox;
	struct task_list	 later;		/* for the safe point */
	struct run_queue	 flows;
	struct timer		 turn;		/* bounds worker_turn()'s wait */
	struct timer		 lag_timer;
	uint64_t		 lag_due_us;	/* monotonic */
	_Atomic uint64_t	 lag_us;
	_Atomic uint64_t	 lag_worst_us;
	_Atomic pthread_t	 owner;		/* the thread that runs it, or made it */
	pthread_t		 thread;
	bool			 threaded;	/* worker_start() made a thread to join */
	struct task		 stop_task;
	atomic_bool		 stop_posted;
	bool			 stopping;
};

struct run_queue	*worker_run_queue(struct worker *);
size_t			 worker_flow_count(const struct worker *);	/* any thread */

void	run_queue_init(struct run_queue *);
/* Gives a turn to each queued flow, `turns` at most; true when some are left. */
bool	run_queue_run(struct run_queue *, unsigned turns);

#endif
