/* SPDX-License-Identifier: MIT */
/*
 * flow_ops: the engine's own operations (a child, a nap), and the walks over a worker's flows.
 */
#include <assert.h>

#include "loop/worker_internal.h"
#include "tenantgate/loop/flow.h"

/* The parent has its reason already and is queued after this: the child ends before it does. */
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
	return flow_wait(parent, call_cancel, child);
}

enum flow_rc
flow_try(struct flow *parent, struct flow *child, const struct flow_kind *kind, struct err *why)
{
	enum flow_rc rc = flow_call(parent, child, kind);

	err_clear(why);
	child->tried = why;
	return rc;
}

static void
sleep_cancel(void *arg)
{
	timer_free(arg);
}

static void
sleep_done(void *arg)
{
	struct flow *f = arg;

	timer_free(f->cancel_arg);
	flow_wake(f);
}

enum flow_rc
flow_sleep(struct flow *f, struct timer *storage, uint64_t us)
{
	assert(f->magic == FLOW_MAGIC);
	if (!timer_init(storage, f->worker, sleep_done, f))
		return flow_fail(f, ERR_OVERLOADED, "no memory for a timer");
	timer_start(storage, us);
	return flow_wait(f, sleep_cancel, storage);
}

/* fn frees no flow: only the loop does. It may abort them and start new ones. */
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

void
flow_abort_all(struct worker *w, enum err_code code, const char *why)
{
	struct flow *f;

	TAILQ_FOREACH(f, &worker_run_queue(w)->live, live_link)
		flow_abort(f, code, why);
}
