/* SPDX-License-Identifier: MIT */
/*
 * timer: one callback after a time, on a worker's loop. A member of its owner's struct, zeroed
 * before timer_init(); the worker's thread only. After timer_stop() the callback does not come.
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
	void		*arg;		/* borrowed */
	bool		 set;		/* started, and neither stopped nor called since */
};

/* False when there is no memory. */
bool	timer_init(struct timer *, struct worker *, timer_fn *, void *arg);
/* fn(arg) is called once, us microseconds from now; replaces an earlier start. fn may start, stop
 * or free the timer. */
void	timer_start(struct timer *, uint64_t us);
void	timer_stop(struct timer *);			/* idempotent; also before timer_init() */
void	timer_free(struct timer *);			/* stops, releases; idempotent */

#endif
