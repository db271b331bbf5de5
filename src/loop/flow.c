/* SPDX-License-Identifier: MIT */
/*
 * flow.c: the engine that runs flows: their states, their turns, their end. The diagram is in
 * tenantgate/loop/flow.h; flow_move() is the one function that changes a flow's state.
 *
 * What always holds:
 *  - When err is set, no further step runs and the flow ends at its next turn. Failing, waking with
 *    an error and aborting all do just that, and the first reason given is the one kept.
 *  - A flow is on the worker's run queue exactly while it is QUEUED. Only a WAITING flow has a
 *    cancel function.
 *  - An aborted parent ends after its child: the child is queued first, and the run queue is
 *    first in, first out. So a child never outlives the struct it is embedded in.
 *  - The clock is read once a step, and at the end. Time that passes between two steps, waits
 *    included, counts for the earlier one.
 */
#include "tenantgate/loop/flow.h"

#include <assert.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "loop/worker_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

/* A flow whose operations are always done at once would keep the loop from its sockets: after so
 * many steps it goes to the end of the run queue. */
#define STEPS_A_TURN 64

/* The flows of a long queue do not have their turns all at once, either: after so long the loop
 * looks at its sockets (WORKER_TURN_LIMIT_US is for all of it). */
#define RUN_MAX_US 2000

/* A wild pointer or a call from another thread ends the process here, near its cause. */
static void
flow_check(const struct flow *f)
{
	assert(f->magic == FLOW_MAGIC);
	assert(worker_is_mine(f->worker));
}

/* Changes the state, and with it the membership of the run queue. The cancel function goes as soon
 * as the wait is over: it must not be called for an operation that has completed. */
static void
flow_move(struct flow *f, enum flow_state to)
{
	struct run_queue *rq = worker_run_queue(f->worker);

	assert(f->state != FLOW_ENDED);
	if (f->state == FLOW_QUEUED)
		TAILQ_REMOVE(&rq->queue, f, queue_link);
	if (to == FLOW_QUEUED)
		TAILQ_INSERT_TAIL(&rq->queue, f, queue_link);
	if (to != FLOW_WAITING)
		f->cancel = NULL;
	f->state = to;
}

/* Any thread reads the count, only the worker's own writes it: no locked instruction is needed. */
static void
run_queue_count(struct run_queue *rq, int by)
{
	size_t n = atomic_load_explicit(&rq->count, memory_order_relaxed);

	atomic_store_explicit(&rq->count, n + (size_t)by, memory_order_relaxed);
}

static unsigned
steps_count(const struct flow_step *steps)
{
	unsigned n = 0;

	while (steps[n].name != NULL)
		n++;
	return n;
}

void
flow_start(struct flow *f, const struct flow_kind *kind, struct worker *w, struct arena *arena)
{
	struct run_queue *rq = worker_run_queue(w);
	unsigned n = steps_count(kind->steps);

	assert(n > 0 && n <= FLOW_STEPS_MAX);
	/* Starting a live flow again would leave a dangling link on the worker's lists. */
	assert(f->state == FLOW_IDLE || (f->state == FLOW_ENDED && f->magic == FLOW_MAGIC));
	memset(f, 0, sizeof(*f));
	f->magic = FLOW_MAGIC;
	f->kind = kind;
	f->worker = w;
	f->arena = arena;
	f->began_us = f->step_began_us = clock_mono_us();
	TAILQ_INSERT_TAIL(&rq->live, f, live_link);
	run_queue_count(rq, 1);
	flow_move(f, FLOW_QUEUED);
}

/* Adds the time since the last call to the current step, and returns the time. A step that a loop
 * in the table runs many times adds up; the sum stays at 2^32 - 1 us (71 minutes) rather than wrap.
 */
static uint64_t
step_account(struct flow *f)
{
	uint64_t now = clock_mono_us();
	uint64_t us = f->step_us[f->step] + (now - f->step_began_us);

	f->step_us[f->step] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
	f->step_began_us = now;
	return now;
}

/* Newest first, so that what was acquired last is given back first. A cleanup may defer another: it
 * becomes the newest and runs next. */
static void
defers_run(struct flow *f)
{
	struct flow_defer *d;

	while ((d = f->defers) != NULL) {
		f->defers = d->next;
		d->fn(d->arg);
		free(d);
	}
}

/* Hands the outcome to the flow that waits in flow_call() or flow_try(). An aborted parent has cut
 * the tie already (call_cancel() in flow_ops.c) and waits for nothing. */
static void
parent_wake(struct flow *f)
{
	struct flow *parent = f->parent;

	f->parent = NULL;
	if (parent == NULL)
		return;
	if (f->outcome == NULL) {
		flow_wake_err(parent, &f->err);
		return;
	}
	*f->outcome = f->err;
	flow_wake(parent);
}

/*
 * The one way a flow ends. The order matters: end() still sees everything that the flow holds; the
 * deferred cleanups then give back leases and memory; only after them the parent is woken, so it
 * never meets what its child still holds; release() frees the memory last. f may be gone
 * afterwards.
 */
static void
flow_finish(struct flow *f)
{
	struct run_queue *rq = worker_run_queue(f->worker);
	const struct flow_kind *kind = f->kind;
	uint64_t now = step_account(f);

	turn_clock_part(&rq->clock, kind->name, "end", now);
	flow_move(f, FLOW_ENDED);
	timer_free(&f->deadline);
	if (kind->end != NULL)
		kind->end(f, &f->err);
	flow_counts_add(&rq->kinds, f, now);
	defers_run(f);
	parent_wake(f);
	flow_walks_pass(rq, f);
	TAILQ_REMOVE(&rq->live, f, live_link);
	run_queue_count(rq, -1);
	log_trace(NULL);
	if (kind->release != NULL)
		kind->release(f);
}

/* Takes the flow off the operation it waits on: afterwards nothing can wake it. */
static void
wait_cancel(struct flow *f)
{
	flow_cancel_fn *cancel = f->cancel;

	/* Cleared first: cancelling may lead back to a flow_abort() of this flow, which then finds
	 * nothing to cancel. */
	f->cancel = NULL;
	if (cancel != NULL)
		cancel(f->cancel_arg);
}

/* Acts on what a step returned, and checks that the step did what its return value says. True when
 * the next step is to be run in this turn; false when the flow waits, is queued, or has ended. */
static bool
step_returned(struct flow *f, enum flow_rc rc)
{
	switch (rc) {
	case FLOW_NEXT:
		assert(f->state == FLOW_RUNNING);
		return true;
	case FLOW_WAIT:
		/* QUEUED: the operation completed before the step returned. */
		assert(f->state == FLOW_WAITING || f->state == FLOW_QUEUED);
		if (f->state == FLOW_QUEUED || !err_is(&f->err))
			return false;
		/* The flow was aborted earlier in this step, and the step then began a wait. As in
		 * flow_abort(), it is queued rather than ended here, so that a child which it has
		 * just started ends before it. */
		wait_cancel(f);
		flow_move(f, FLOW_QUEUED);
		return false;
	case FLOW_FAILED:
		assert(err_is(&f->err));
		break;
	case FLOW_DONE:
		assert(f->state == FLOW_RUNNING);
		break;
	}
	flow_finish(f);
	return false;
}

/* Runs steps until the flow waits, ends, or has used up its turn. */
static void
flow_run_turn(struct flow *f, struct turn_clock *clock)
{
	unsigned n;

	flow_move(f, FLOW_RUNNING);
	for (n = 0; !err_is(&f->err) && n < STEPS_A_TURN; n++) {
		const struct flow_step *step = &f->kind->steps[f->next];
		uint64_t now = step_account(f);

		if (step->name == NULL)
			break;
		turn_clock_part(clock, f->kind->name, step->name, now);
		f->step = f->next++;
		f->steps_ran |= UINT32_C(1) << f->step;
		if (!step_returned(f, step->run(f)))
			return;
	}
	if (n == STEPS_A_TURN && !err_is(&f->err))
		flow_move(f, FLOW_QUEUED);
	else
		flow_finish(f);
}

void
run_queue_init(struct run_queue *rq)
{
	TAILQ_INIT(&rq->queue);
	TAILQ_INIT(&rq->live);
	LIST_INIT(&rq->walks);
	atomic_init(&rq->count, 0);
}

bool
run_queue_run(struct run_queue *rq, unsigned turns)
{
	uint64_t began_us = 0;
	struct flow *f;

	while (turns-- > 0 && (f = TAILQ_FIRST(&rq->queue)) != NULL) {
		log_trace(f->trace_id);
		flow_run_turn(f, &rq->clock);
		if (began_us == 0)
			began_us = rq->clock.running_since_us;
		else if (rq->clock.running_since_us - began_us > RUN_MAX_US)
			break;
	}
	log_trace(NULL);
	return !TAILQ_EMPTY(&rq->queue);
}

enum flow_rc
flow_wait(struct flow *f, flow_cancel_fn *cancel, void *arg)
{
	flow_check(f);
	/* RUNNING: a flow that waits already would lose the cancel of its first operation. */
	assert(f->state == FLOW_RUNNING && cancel != NULL);
	flow_move(f, FLOW_WAITING);
	f->cancel = cancel;
	f->cancel_arg = arg;
	return FLOW_WAIT;
}

enum flow_rc
flow_fail(struct flow *f, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	flow_check(f);
	assert(f->state == FLOW_RUNNING && code != ERR_NONE);
	va_start(ap, fmt);
	err_vset(&f->err, code, fmt, ap);
	va_end(ap);
	return FLOW_FAILED;
}

enum flow_rc
flow_fail_err(struct flow *f, const struct err *err)
{
	flow_check(f);
	assert(f->state == FLOW_RUNNING && err_is(err));
	if (!err_is(&f->err)) /* as err_vset() does: the first reason is the one kept */
		f->err = *err;
	return FLOW_FAILED;
}

enum flow_rc
flow_goto(struct flow *f, flow_step_fn *step)
{
	const struct flow_step *steps = f->kind->steps;
	unsigned i = 0;

	flow_check(f);
	assert(f->state == FLOW_RUNNING);
	while (steps[i].name != NULL && steps[i].run != step)
		i++;
	assert(steps[i].name != NULL); /* a step of another table */
	f->next = i;
	return FLOW_NEXT;
}

void
flow_wake(struct flow *f)
{
	flow_check(f);
	/* A second wake, or one after the cancel, is an operation that left something behind. */
	assert(f->state == FLOW_WAITING);
	flow_move(f, FLOW_QUEUED);
}

void
flow_wake_err(struct flow *f, const struct err *err)
{
	flow_check(f);
	if (err_is(err) && !err_is(&f->err))
		f->err = *err;
	flow_wake(f);
}

void
flow_wake_fail(struct flow *f, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	flow_check(f);
	assert(code != ERR_NONE);
	va_start(ap, fmt);
	err_vset(&f->err, code, fmt, ap);
	va_end(ap);
	flow_wake(f);
}

void
flow_abort(struct flow *f, enum err_code code, const char *why)
{
	flow_check(f);
	assert(code != ERR_NONE);
	if (f->state == FLOW_ENDED)
		return;
	err_set(&f->err, code, "%s", why);
	/* A running flow sees err when its step returns, a queued one at its turn. */
	if (f->state != FLOW_WAITING)
		return;
	wait_cancel(f);
	flow_move(f, FLOW_QUEUED);
}

const char *
flow_step_name(const struct flow *f)
{
	assert(f->magic == FLOW_MAGIC);
	return f->kind->steps[f->step].name;
}

/* Not from the flow's arena: when that is at its ceiling, which a client can bring about, a lease
 * taken must still be given back. */
void
flow_defer(struct flow *f, flow_defer_fn *fn, void *arg)
{
	struct flow_defer *d = xmalloc(sizeof(*d));

	flow_check(f);
	*d = (struct flow_defer){ .next = f->defers, .fn = fn, .arg = arg };
	f->defers = d;
}
