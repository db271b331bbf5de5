/* SPDX-License-Identifier: MIT */
/*
 * flow: the engine. The diagram is in tenantgate/loop/flow.h; flow_move() is the one function that
 * moves a flow along it.
 *
 * What always holds:
 *  - err set means: no further step runs, the flow ends at its next turn. Failing, waking with an
 *    error and aborting are therefore one thing, and the first reason is the one kept.
 *  - QUEUED is on the worker's run queue; WAITING has a cancel; nothing else is or has.
 *  - A child's turn comes before its aborted parent's: it is queued first.
 *  - The clock is read once a step: what passes between two steps is the earlier one's time.
 */
#include "tenantgate/loop/flow.h"

#include <assert.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop/worker_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"

#define STEPS_A_TURN 64 /* then others get theirs */

static void
flow_check(const struct flow *f)
{
	assert(f->magic == FLOW_MAGIC);
	assert(worker_is_mine(f->worker));
}

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

/* One writer: no need for a locked instruction. */
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

/* The time since the last call was spent in the current step. */
static void
step_account(struct flow *f)
{
	uint64_t now = clock_mono_us();
	uint64_t us = f->step_us[f->step] + (now - f->step_began_us);

	f->step_us[f->step] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
	f->step_began_us = now;
}

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

static void
parent_wake(struct flow *f)
{
	struct flow *parent = f->parent;

	f->parent = NULL;
	if (parent == NULL)
		return;
	if (f->tried == NULL) {
		flow_wake_err(parent, &f->err);
		return;
	}
	*f->tried = f->err;
	flow_wake(parent);
}

/* The only way out. f may be gone afterwards. */
static void
flow_finish(struct flow *f)
{
	struct run_queue *rq = worker_run_queue(f->worker);
	const struct flow_kind *kind = f->kind;

	step_account(f);
	flow_move(f, FLOW_ENDED);
	timer_free(&f->deadline);
	if (kind->end != NULL)
		kind->end(f, &f->err);
	defers_run(f);
	parent_wake(f);
	TAILQ_REMOVE(&rq->live, f, live_link);
	run_queue_count(rq, -1);
	if (kind->release != NULL)
		kind->release(f);
}

static void
wait_cancel(struct flow *f)
{
	flow_cancel_fn *cancel = f->cancel;

	f->cancel = NULL;
	if (cancel != NULL) /* NULL: we are inside it, and it aborts us again */
		cancel(f->cancel_arg);
}

/* What a step's return means. True: on to the next. */
static bool
step_returned(struct flow *f, enum flow_rc rc)
{
	switch (rc) {
	case FLOW_NEXT:
		assert(f->state == FLOW_RUNNING);
		return true;
	case FLOW_WAIT:
		/* QUEUED: woken already. */
		assert(f->state == FLOW_WAITING || f->state == FLOW_QUEUED);
		if (f->state == FLOW_QUEUED || !err_is(&f->err))
			return false;
		/* It was aborted earlier in this very step: as in flow_abort(), it ends at its next
		 * turn, for what it has called ends first. */
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

/* Steps until the flow waits, ends, or has had its turn. */
static void
flow_take_turn(struct flow *f)
{
	unsigned n;

	flow_move(f, FLOW_RUNNING);
	for (n = 0; !err_is(&f->err) && n < STEPS_A_TURN; n++) {
		const struct flow_step *step = &f->kind->steps[f->next];

		step_account(f);
		if (step->name == NULL)
			break;
		f->step = f->next++;
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
	atomic_init(&rq->count, 0);
}

bool
run_queue_run(struct run_queue *rq, unsigned turns)
{
	struct flow *f;

	while (turns-- > 0 && (f = TAILQ_FIRST(&rq->queue)) != NULL)
		flow_take_turn(f);
	return !TAILQ_EMPTY(&rq->queue);
}

enum flow_rc
flow_wait(struct flow *f, flow_cancel_fn *cancel, void *arg)
{
	flow_check(f);
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
	if (!err_is(&f->err))
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
	assert(steps[i].name != NULL);
	f->next = i;
	return FLOW_NEXT;
}

void
flow_wake(struct flow *f)
{
	flow_check(f);
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
	if (f->state != FLOW_WAITING)
		return;
	wait_cancel(f);
	flow_move(f, FLOW_QUEUED);
}

static void
deadline_passed(void *arg)
{
	struct flow *f = arg;
	char why[96];

	snprintf(why, sizeof(why), "deadline passed in step '%s'", flow_step_name(f));
	flow_abort(f, ERR_TIMEOUT, why);
}

void
flow_deadline(struct flow *f, uint64_t us)
{
	flow_check(f);
	if (f->state == FLOW_ENDED)
		return;
	if (us == 0) {
		timer_stop(&f->deadline);
		return;
	}
	if (f->deadline.event == NULL && !timer_init(&f->deadline, f->worker, deadline_passed, f)) {
		flow_abort(f, ERR_OVERLOADED, "no memory for a deadline");
		return;
	}
	timer_start(&f->deadline, us);
}

/* Not from the arena: at its ceiling, a lease must still find its way back. */
void
flow_defer(struct flow *f, flow_defer_fn *fn, void *arg)
{
	struct flow_defer *d = xmalloc(sizeof(*d));

	flow_check(f);
	*d = (struct flow_defer){ .next = f->defers, .fn = fn, .arg = arg };
	f->defers = d;
}

const char *
flow_step_name(const struct flow *f)
{
	assert(f->magic == FLOW_MAGIC);
	return f->kind->steps[f->step].name;
}

uint64_t
flow_age_us(const struct flow *f)
{
	assert(f->magic == FLOW_MAGIC);
	return clock_mono_us() - f->began_us;
}
