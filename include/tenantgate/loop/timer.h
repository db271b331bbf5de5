/* SPDX-License-Identifier: MIT */
/*
 * timer: one deadline on a worker's loop. Embedded in its owner's struct; the worker's thread
 * only. timer_stop() is idempotent; after it the callback does not come.
 */
#ifndef TENANTGATE_LOOP_TIMER_H
#define TENANTGATE_LOOP_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct event;
struct worker;

typedef void timer_fn(void *arg);

struct timer {
	struct event	*event;		/* owned; NULL until timer_init() */
	timer_fn	*fn;
	void		*arg;
	bool		 set;
};

bool	timer_init(struct timer *, struct worker *, timer_fn *, void *arg);
void	timer_start(struct timer *, uint64_t us);	/* from now; replaces an earlier start */
void	timer_stop(struct timer *);
void	timer_free(struct timer *);			/* stops, releases; idempotent */

#endif
