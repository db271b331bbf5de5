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
	TAILQ_INIT(&j->seats);
	j->count = 0;
}

static void
seat_leave(void *arg)
{
	struct join_seat *seat = arg;
	struct join *j = seat->join;

	assert(j != NULL && j->count > 0);
	TAILQ_REMOVE(&j->seats, seat, link);
	j->count--;
	seat->join = NULL;
}

enum flow_rc
join_wait(struct join *j, struct flow *f, struct join_seat *seat)
{
	assert(seat->join == NULL);
	seat->join = j;
	seat->flow = f;
	TAILQ_INSERT_TAIL(&j->seats, seat, link);
	j->count++;
	return flow_wait(f, seat_leave, seat);
}

void
join_finish(struct join *j, const struct err *err)
{
	struct join_seat *seat;

	while ((seat = TAILQ_FIRST(&j->seats)) != NULL) {
		struct flow *f = seat->flow;

		seat_leave(seat);
		flow_wake_err(f, err);
	}
}
