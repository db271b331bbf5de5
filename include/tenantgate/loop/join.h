/* SPDX-License-Identifier: MIT */
/*
 * join: identical questions share one flow. The first asker starts it, the others join; leaving
 * only unlinks. The shared flow has its own deadline and goes on when everybody has left.
 * Lives inside the shared flow's struct. The worker's thread only.
 *
 *	struct lookup { struct flow flow; struct join join; ... };
 *
 *	static enum flow_rc
 *	tenant_ask(struct flow *f, struct lookup *l, struct join_waiter *seat)
 *	{
 *		return join_wait(&l->join, f, seat);	(woken, or failed, by join_finish)
 *	}
 */
#ifndef TENANTGATE_LOOP_JOIN_H
#define TENANTGATE_LOOP_JOIN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "tenantgate/base/err.h"
#include "tenantgate/loop/flow.h"

/* One waiter's place; lives in the waiting flow's struct, one at a time. */
struct join_waiter {
	TAILQ_ENTRY(join_waiter)	 link;
	struct join		*join;		/* NULL when not seated */
	struct flow		*flow;
};

struct join {
	TAILQ_HEAD(, join_waiter)	 waiters;
	size_t			 count;
};

void		join_init(struct join *);
enum flow_rc	join_wait(struct join *, struct flow *, struct join_waiter *)
		    __attribute__((warn_unused_result));
/* Wakes everybody, in order of arrival; with err (not ERR_NONE) they fail with it. Called in the
 * shared flow's end(). The join is empty afterwards. */
void		join_finish(struct join *, const struct err *);

#endif
