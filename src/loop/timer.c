/* SPDX-License-Identifier: MIT */
/*
 * timer: one deadline, as a libevent timer event that is made once and started many times.
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
	t->set = false;
	t->fn(t->arg); /* may free the timer */
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

void
timer_start(struct timer *t, uint64_t us)
{
	struct timeval tv = { .tv_sec = (time_t)(us / 1000000), .tv_usec = us % 1000000 };

	assert(t->event != NULL);
	if (evtimer_add(t->event, &tv) != 0)
		abort(); /* no memory for the heap of timers: nothing would ever time out */
	t->set = true;
}

void
timer_stop(struct timer *t)
{
	if (t->set)
		evtimer_del(t->event);
	t->set = false;
}

void
timer_free(struct timer *t)
{
	if (t->event != NULL)
		event_free(t->event);
	t->event = NULL;
	t->set = false;
}
