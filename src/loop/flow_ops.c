/* SPDX-License-Identifier: MIT */
/*
 * flow_ops.c: the operations that the engine itself offers to steps (run a child flow, sleep), the
 * deadline, and what others ask of flows: the age, and the walks over all flows of a worker that
 * the log of live flows and the shutdown make.
 *
 * The operations use flow.c as all others do: flow_wait() with a cancel function, flow_wake().
 */
#include <assert.h>
#include <stdio.h>

#include "loop/worker_internal.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/loop/flow.h"

/* The parent was aborted: its err holds the reason already, which becomes the child's too. The tie
 * is cut first, for the child's end must not wake a parent that waits no more. The parent is queued
 * after this returns, so the child, which lives in the parent's memory, ends first. */
static void
call_cancel(void *arg)
{
	struct flow *child = arg;
	struct flow *parent = child->parent;

	child->parent = NULL;
	flow_abort(child, parent->err.code, parent->err.detail);
}

enum flow_rc
flow_call(struct flow *parent, struct flow *child, const struct flow_kind *kind)
{
	assert(parent->magic == FLOW_MAGIC && parent != child);
	flow_start(child, kind, parent->worker, parent->arena);
	child->parent = parent;
	child->request_id = parent->request_id;
	child->trace_id = parent->trace_id;
	return flow_wait(parent, call_cancel, child);
}

enum flow_rc
flow_try(struct flow *parent, struct flow *child, const struct flow_kind *kind, struct err *why)
{
	enum flow_rc rc = flow_call(parent, child, kind);

	err_clear(why);
	child->outcome = why; /* before the child's first turn: flow_start() has only queued it */
	return rc;
}

/* Called by the engine; freeing the timer is what keeps sleep_done() from coming. */
static void
sleep_cancel(void *arg)
{
	timer_free(arg);
}

static void
sleep_done(void *arg)
{
	struct flow *f = arg;

	timer_free(f->cancel_arg); /* the storage that flow_sleep() was given */
	flow_wake(f);
}

enum flow_rc
flow_sleep(struct flow *f, struct timer *storage, uint64_t us)
{
	assert(f->magic == FLOW_MAGIC);
	if (!timer_init(storage, f->worker, sleep_done, f))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "a timer");
	timer_start(storage, us);
	return flow_wait(f, sleep_cancel, storage);
}

/* The name of the step, for it says what the time was spent on; the code becomes a 504 unless the
 * owner of the flow turns it into one of its own. */
static void
deadline_passed(void *arg)
{
	struct flow *f = arg;
	char why[96];

	snprintf(why, sizeof(why), "The deadline passed in step '%s'. Try again.",
	    flow_step_name(f));
	flow_abort(f, ERR_TIMEOUT, why);
}

void
flow_deadline(struct flow *f, uint64_t us)
{
	assert(f->magic == FLOW_MAGIC && worker_is_mine(f->worker));
	if (f->state == FLOW_ENDED) /* its timer is freed: a new one would leak */
		return;
	if (us == 0) {
		timer_stop(&f->deadline);
		return;
	}
	if (f->deadline.event == NULL && !timer_init(&f->deadline, f->worker, deadline_passed, f)) {
		flow_abort(f, ERR_OVERLOADED,
		    "There is no memory for a deadline now. Try again in a moment.");
		return;
	}
	timer_start(&f->deadline, us);
}

uint64_t
flow_age_us(const struct flow *f)
{
	assert(f->magic == FLOW_MAGIC);
	return clock_mono_us() - f->began_us;
}

/* The walk needs no safe iterator: only the loop frees flows, and neither fn nor a cancel function
 * runs it. fn may abort flows and start new ones; new ones go to the end and are visited too. */
void
flow_each(struct worker *w, flow_each_fn *fn, void *arg)
{
	struct flow *f;

	TAILQ_FOREACH(f, &worker_run_queue(w)->live, live_link)
		fn(f, arg);
}

size_t
flow_count(const struct worker *w)
{
	return worker_flow_count(w);
}

/* Oldest first. What a cleanup starts afterwards is not aborted by this: at the end of the process
 * it is repeated until no flow is left. */
void
flow_abort_all(struct worker *w, enum err_code code, const char *why)
{
	struct flow *f;

	TAILQ_FOREACH(f, &worker_run_queue(w)->live, live_link)
		flow_abort(f, code, why);
}
