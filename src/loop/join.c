/* SPDX-License-Identifier: MIT */
/*
 * join.c: the list of waiters of a shared flow.
 *
 * What always holds: a waiter is on the list exactly while its flow waits here. It leaves in one of
 * two ways, both through join_leave(): woken by join_finish(), or aborted, when the engine calls
 * join_leave() as the flow's cancel function. Waking only queues the flow (flow.h), so nobody joins
 * or leaves while join_finish() empties the list.
 */
#include "tenantgate/loop/join.h"

#include <assert.h>

void
join_init(struct join *j)
{
	TAILQ_INIT(&j->waiters);
	j->count = 0;
}

/* The cancel function of the wait. */
static void
join_leave(void *arg)
{
	struct join_waiter *waiter = arg;
	struct join *j = waiter->join;

	assert(j != NULL && j->count > 0);
	TAILQ_REMOVE(&j->waiters, waiter, link);
	j->count--;
	waiter->join = NULL;
}

enum flow_rc
join_wait(struct join *j, struct flow *f, struct join_waiter *waiter)
{
	assert(waiter->join == NULL); /* it waits in another join */
	waiter->join = j;
	waiter->flow = f;
	TAILQ_INSERT_TAIL(&j->waiters, waiter, link);
	j->count++;
	return flow_wait(f, join_leave, waiter);
}

void
join_finish(struct join *j, const struct err *err)
{
	struct join_waiter *waiter;

	while ((waiter = TAILQ_FIRST(&j->waiters)) != NULL) {
		struct flow *f = waiter->flow;

		/* Off the list first: the waiter is its flow's memory, and no longer ours once the
		 * flow is woken. */
		join_leave(waiter);
		flow_wake_err(f, err);
	}
}
