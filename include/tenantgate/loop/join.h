/* SPDX-License-Identifier: MIT */
/*
 * join: a list of flows that wait for the same shared flow, so that expensive work which many want
 * at once (provisioning a tenant, fetching a record) is done once. The first who wants it starts
 * the shared flow, the others join it.
 *
 * A waiter that is aborted only leaves the list: the shared flow has its own deadline and goes on
 * when everybody has left, for its result is of use to the next who asks. The join is a member of
 * the shared flow's struct. The worker's thread only.
 *
 *	struct fetch { struct flow flow; struct join join; ... };
 *
 *	static enum flow_rc
 *	fetch_wait(struct flow *f, struct fetch *shared, struct join_waiter *waiter)
 *	{
 *		return join_wait(&shared->join, f, waiter);	(woken, or failed, by join_finish)
 *	}
 */
#ifndef TENANTGATE_LOOP_JOIN_H
#define TENANTGATE_LOOP_JOIN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "tenantgate/base/err.h"
#include "tenantgate/loop/flow.h"

/* One waiter's place in the list: zeroed, a member of the waiting flow's struct, in one join at a
 * time. */
struct join_waiter {
	TAILQ_ENTRY(join_waiter)	 link;
	struct join		*join;		/* borrowed; NULL when it waits in none */
	struct flow		*flow;		/* borrowed: the one to wake */
};

struct join {
	TAILQ_HEAD(, join_waiter)	 waiters;
	size_t			 count;		/* of waiters */
};

void		join_init(struct join *);
/* The flow waits, and is woken by join_finish(). */
enum flow_rc	join_wait(struct join *, struct flow *, struct join_waiter *)
		    __attribute__((warn_unused_result));
/* Wakes everybody, in order of arrival; when err is set (not ERR_NONE) they fail with it. Called in
 * the shared flow's end(). The join is empty afterwards. */
void		join_finish(struct join *, const struct err *);

#endif
