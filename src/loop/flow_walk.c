/* SPDX-License-Identifier: MIT */
/*
 * flow_walk: see the header. What always holds: the next flow of a walk is alive, for a flow that
 * is released moves the walks that were about to look at it on.
 */
#include "tenantgate/loop/flow_walk.h"

#include "loop/worker_internal.h"
#include "tenantgate/base/clock.h"

void
flow_walk_begin(struct flow_walk *walk, struct worker *w)
{
	struct run_queue *rq = worker_run_queue(w);

	*walk = (struct flow_walk){ .worker = w,
		.next = TAILQ_FIRST(&rq->live),
		.began_us = clock_mono_us() };
	LIST_INSERT_HEAD(&rq->walks, walk, link);
}

void
flow_walks_pass(struct run_queue *rq, const struct flow *f)
{
	struct flow_walk *walk;

	LIST_FOREACH(walk, &rq->walks, link)
		if (walk->next == f)
			walk->next = TAILQ_NEXT(f, live_link);
}

/* The list is in the order of their beginning. */
bool
flow_walk_on(struct flow_walk *walk, unsigned n, flow_each_fn *fn, void *arg)
{
	struct flow *f;

	for (; n > 0 && (f = walk->next) != NULL && f->began_us <= walk->began_us; n--) {
		walk->next = TAILQ_NEXT(f, live_link);
		fn(f, arg);
	}
	if (walk->next != NULL && walk->next->began_us <= walk->began_us)
		return true;
	LIST_REMOVE(walk, link);
	walk->worker = NULL;
	return false;
}
