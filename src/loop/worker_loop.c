/* SPDX-License-Identifier: MIT */
/*
 * worker_loop.c: how a worker is made, runs, and ends. Its loop goes round in turns:
 *
 *	+-> event_base_loop(): wait for events, call their callbacks
 *	|        |
 *	|        v
 *	|   run queue: steps of the flows that were woken, TURNS_MAX turns at most
 *	|        |
 *	|        v
 *	+-- the safe point: tasks of worker_later()
 *
 * What always holds: steps and put-off tasks run between two passes of libevent's loop, never
 * inside a callback. A turn's work is bounded, so that flows which keep each other busy do not
 * starve the sockets; when work is left, the next pass does not wait. What a turn computes is
 * measured (turn_clock.h).
 */
#include "tenantgate/loop/worker.h"

#include <sys/prctl.h>
#include <sys/time.h>

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>
#include <event2/thread.h>

#include "loop/worker_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/loop/timer.h"

#define TURNS_MAX    256    /* of flows, between two looks at the sockets */
#define LAG_EVERY_US 100000 /* how often the lag is measured; as worker.h says */
#define LAG_TURNS    32	    /* of the loop, that end the measure's rest */
#define LAG_CALM     4	    /* in LAG_EVERY_US: not more, and it begins */

/* libevent would print its warnings to stderr, past the log. */
static void
libevent_on_log(int severity, const char *text)
{
	int level = severity >= EVENT_LOG_ERR ? LOG_ERR : LOG_WARNING;

	if (severity >= EVENT_LOG_WARN)
		log_event(level, "libevent", NULL, "%s", text);
}

/* Once for the process, before the first base. Each base is one worker's, but libevent also has
 * state that all bases share (the random numbers of its DNS queries, for one), which needs its
 * locks. */
static void
libevent_init(void)
{
	event_set_log_callback(libevent_on_log);
	if (evthread_use_pthreads() != 0)
		abort();
}

/* With precise timers: libevent's default clock (CLOCK_MONOTONIC_COARSE) moves in steps of some
 * milliseconds, which would show as lag. NULL: no memory. */
static struct event_base *
base_new(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct event_config *config;
	struct event_base *base = NULL;

	pthread_once(&once, libevent_init);
	config = event_config_new();
	if (config == NULL)
		return NULL;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static void
worker_on_wakeup(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	mailbox_run(&w->mailbox);
}

static void
worker_turn_timeout(void *arg)
{
	(void)arg; /* the timer is there to end the loop's wait, no more */
}

static void
lag_start(struct worker *w)
{
	w->lag_due_us = clock_mono_us() + LAG_EVERY_US;
	timer_start(&w->lag_timer, LAG_EVERY_US);
}

/* The timer was due at lag_due_us: what it comes later than that, any socket's event waited too. */
static void
lag_measure(void *arg)
{
	struct worker *w = arg;
	uint64_t now = clock_mono_us();
	uint64_t lag = now > w->lag_due_us ? now - w->lag_due_us : 0;
	uint64_t worst = atomic_load(&w->lag_worst_us);

	atomic_store(&w->lag_us, lag);
	/* When another thread resets in between, the exchange fails and reads the new worst. */
	while (lag > worst && !atomic_compare_exchange_weak(&w->lag_worst_us, &worst, lag))
		continue;
	/* A loop without work is not to wake for this alone. */
	if (w->lag_turns > LAG_CALM)
		lag_start(w);
	w->lag_turns = 0;
}

static void
lag_count_turn(struct worker *w)
{
	if (++w->lag_turns >= LAG_TURNS && !w->lag_timer.set)
		lag_start(w);
}

/* False without memory; worker_destroy() then frees what was made. */
static bool
worker_set_up(struct worker *w)
{
	w->base = base_new();
	if (w->base == NULL)
		return false;
	w->wakeup =
	    event_new(w->base, w->mailbox.wakeup_fd, EV_READ | EV_PERSIST, worker_on_wakeup, w);
	if (w->wakeup == NULL || event_add(w->wakeup, NULL) != 0)
		return false;
	return timer_init(&w->turn, w, worker_turn_timeout, w) &&
	    timer_init(&w->lag_timer, w, lag_measure, w);
}

static void
worker_destroy(struct worker *w)
{
	if (w->base != NULL) {
		timer_free(&w->turn);
		timer_free(&w->lag_timer);
		if (w->wakeup != NULL)
			event_free(w->wakeup);
		event_base_free(w->base);
	}
	mailbox_free(&w->mailbox);
	flow_kinds_free(&w->flows.kinds);
	meter_table_free(&w->meters);
	w->magic = 0;
	free(w);
}

struct worker *
worker_new(unsigned index)
{
	struct worker *w = xcalloc(1, sizeof(*w));

	if (!mailbox_init(&w->mailbox)) {
		free(w);
		return NULL;
	}
	w->magic = WORKER_MAGIC;
	w->index = index;
	w->owner = pthread_self();
	task_list_init(&w->later);
	run_queue_init(&w->flows);
	if (!worker_set_up(w)) {
		worker_destroy(w);
		return NULL;
	}
	return w;
}

/* What follows a pass of libevent's loop: the flows' turns, then the safe point. True when work is
 * left for the next turn, which a put-off task may have made by waking a flow. */
static bool
worker_drain(struct worker *w)
{
	bool left = run_queue_run(&w->flows, TURNS_MAX);

	if (!task_list_empty(&w->later)) {
		turn_clock_part(&w->flows.clock, NULL, NULL, clock_mono_us());
		task_list_run(&w->later);
	}
	return left || !TAILQ_EMPTY(&w->flows.queue) || !task_list_empty(&w->later);
}

/* Without the loop, for worker_free(): a task may wake a flow and a flow may post a task, so this
 * goes on until neither has work. */
static void
worker_run_until_idle(struct worker *w)
{
	do {
		mailbox_run(&w->mailbox);
	} while (worker_drain(w) || !mailbox_empty(&w->mailbox));
}

void
worker_free(struct worker *w)
{
	assert(w->magic == WORKER_MAGIC && !w->threaded);
	atomic_store(&w->owner, pthread_self());
	worker_run_until_idle(w);
	assert(worker_flow_count(w) == 0);
	worker_destroy(w);
}

/* The first pass does not wait: flows may have been started before the loop was. */
void
worker_run(struct worker *w)
{
	bool busy = true;

	assert(w->magic == WORKER_MAGIC);
	atomic_store(&w->owner, pthread_self());
	lag_start(w);
	turn_clock_start(&w->flows.clock);
	while (!w->stopping) {
		int flags = EVLOOP_ONCE | (busy ? EVLOOP_NONBLOCK : 0);

		if (event_base_loop(w->base, flags) == -1)
			abort();
		busy = worker_drain(w);
		turn_clock_end(&w->flows.clock, w->index);
		lag_count_turn(w);
	}
	/* As before the run, so that worker_free() or another run may follow. */
	timer_stop(&w->lag_timer);
	w->stopping = false;
	atomic_store(&w->stop_posted, false);
}

void
worker_turn(struct worker *w, unsigned ms)
{
	bool busy = !TAILQ_EMPTY(&w->flows.queue) || !task_list_empty(&w->later);

	assert(w->magic == WORKER_MAGIC && worker_is_mine(w));
	turn_clock_start(&w->flows.clock); /* the thread is the caller's between two turns */
	if (!busy && ms > 0)
		timer_start(&w->turn, (uint64_t)ms * 1000);
	if (event_base_loop(w->base, EVLOOP_ONCE | (busy || ms == 0 ? EVLOOP_NONBLOCK : 0)) == -1)
		abort();
	timer_stop(&w->turn);
	worker_drain(w);
	turn_clock_end(&w->flows.clock, w->index);
}

static void *
worker_thread(void *arg)
{
	struct worker *w = arg;
	char name[16]; /* as much as the kernel keeps, the NUL included: prctl(2) */

	snprintf(name, sizeof(name), "worker-%u", w->index);
	prctl(PR_SET_NAME, name);
	worker_run(w);
	return NULL;
}

/* Signals are the main thread's: a thread inherits its maker's mask, so all are blocked while it is
 * made. */
bool
worker_start(struct worker *w)
{
	sigset_t all, before;

	assert(w->magic == WORKER_MAGIC && !w->threaded);
	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return false;
	w->threaded = pthread_create(&w->thread, NULL, worker_thread, w) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return w->threaded;
}

void
worker_join(struct worker *w)
{
	assert(w->magic == WORKER_MAGIC);
	if (!w->threaded)
		return;
	if (pthread_join(w->thread, NULL) != 0)
		abort();
	w->threaded = false;
	atomic_store(&w->owner, pthread_self()); /* the caller may now use and free it */
}

/* On the worker's thread, so that `stopping` needs no atomic. */
static void
worker_stop_now(void *arg)
{
	struct worker *w = arg;

	w->stopping = true;
}

/* Through the mailbox: it wakes a loop that waits, and keeps the order among tasks. A second call
 * must not post the task again, for it is in the list already. */
void
worker_stop(struct worker *w)
{
	assert(w->magic == WORKER_MAGIC);
	if (!atomic_exchange(&w->stop_posted, true))
		mailbox_post(&w->mailbox, &w->stop_task, worker_stop_now, w);
}
