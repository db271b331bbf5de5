/* SPDX-License-Identifier: MIT */
/*
 * offload_queue: the jobs that wait for a helper, each in the queue of its holder, and the order
 * among the holders. Everything is under the lock of the offload that has it. Private to loop/.
 */
#ifndef TENANTGATE_LOOP_OFFLOAD_QUEUE_H
#define TENANTGATE_LOOP_OFFLOAD_QUEUE_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/budget.h"
#include "tenantgate/base/map.h"
#include "tenantgate/loop/offload.h"

/* Only offload.c moves a job from state to state: its diagram is there. */
enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_ABANDONED, JOB_DELIVERED };

struct offload_job {
	TAILQ_ENTRY(offload_job) link;	/* while QUEUED */
	struct job_holder	*holder;	/* borrowed: the queue's, until it is done */
	uint64_t		 serial;	/* order of arrival over all holders */
	uint64_t		 since_us;	/* when it was queued; monotonic */
	enum job_state		 state;
	struct offload		*offload;	/* borrowed */
	offload_fn		*fn;
	offload_drop_fn		*drop;
	void			*arg;		/* owned: the caller's job */
	struct flow		*flow;		/* borrowed, on the worker's thread; NULL: posted */
	struct worker		*worker;	/* borrowed: the flow's */
	void			**out;		/* borrowed: the flow's */
	struct timer		 timer;		/* the worker's thread only */
	uint64_t		 done_before;	/* jobs that had ended when the timer was started */
	struct task		 task;		/* in the worker's mailbox while DELIVERED */
};

struct offload_queue {
	struct budget	 budget;	/* in helpers; a holder's job takes one while it runs */
	struct map	*holders;	/* owned: struct job_holder by name */
	uint64_t	 serial;
	unsigned	 waiting;	/* jobs of all holders */
	unsigned	 running_max;	/* of one holder */
	unsigned	 waiting_max;	/* of one holder */
};

void	offload_queue_init(struct offload_queue *, unsigned helpers, unsigned running_max,
	    unsigned waiting_max);
void	offload_queue_free(struct offload_queue *);	/* no job is queued or running */

/* False, and nothing has changed, when the holder has too many waiting. The name is copied. */
bool	offload_queue_add(struct offload_queue *, struct slice holder, struct offload_job *);
/* The job whose turn it is, which runs from now on; NULL: none, or none may run now. */
struct offload_job	*offload_queue_take(struct offload_queue *);
void	offload_queue_remove(struct offload_queue *, struct offload_job *);	/* a queued one */
void	offload_queue_done(struct offload_queue *, struct offload_job *);	/* a taken one */
/* The one that has waited longest, of all holders; NULL when none is queued. A walk. */
struct offload_job	*offload_queue_earliest(const struct offload_queue *);

#endif
