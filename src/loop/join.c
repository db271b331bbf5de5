/* SPDX-License-Identifier: MIT */
/*
 * join: a list of seats. A seat leaves it by being woken or by its flow being aborted; waking only
 * queues, so nobody comes back in while the list is walked.
 */
#include "tenantgate/loop/join.h"

#include <assert.h>

void
join_init(struct join *j)
{
	TAILQ_INIT(&j->waiters);
	j->count = 0;
}

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
	assert(waiter->join == NULL);
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

		join_leave(waiter);
		flow_wake_err(f, err);
	}
}
