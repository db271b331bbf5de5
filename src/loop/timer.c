/* SPDX-License-Identifier: MIT */
/*
 * timer.c: a libevent timer event that is allocated once and started many times: to move a deadline
 * costs no allocation.
 */
#include "tenantgate/loop/timer.h"

#include <sys/time.h>

#include <assert.h>
#include <stdlib.h>

#include <event2/event.h>

#include "tenantgate/loop/worker.h"

static void
timer_on_event(evutil_socket_t fd, short what, void *arg)
{
	struct timer *t = arg;

	(void)fd;
	(void)what;
	t->set = false; /* before the call: it may start the timer again, or free it */
	t->fn(t->arg);
}

bool
timer_init(struct timer *t, struct worker *w, timer_fn *fn, void *arg)
{
	t->event = evtimer_new(worker_base(w), timer_on_event, t);
	t->fn = fn;
	t->arg = arg;
	t->set = false;
	return t->event != NULL;
}

/* Aborts when libevent has no memory for its heap of timers: the operation that this timer bounds
 * would never time out. */
void
timer_start(struct timer *t, uint64_t us)
{
	struct timeval tv = { .tv_sec = (time_t)(us / 1000000), .tv_usec = us % 1000000 };

	assert(t->event != NULL);
	if (evtimer_add(t->event, &tv) != 0)
		abort();
	t->set = true;
}

void
timer_stop(struct timer *t)
{
	if (t->set)
		evtimer_del(t->event);
	t->set = false;
}

/* event_free() deletes a pending event first. */
void
timer_free(struct timer *t)
{
	if (t->event != NULL)
		event_free(t->event);
	t->event = NULL;
	t->set = false;
}
