/* SPDX-License-Identifier: MIT */
/*
 * share_queue: the holders of a share's budget, their waiters, and who is next: what share.c does
 * under its lock. No function here locks, posts, wakes or frees a waiter.
 *
 * What always holds between two calls of share_pass(): the first waiter of the first holder in the
 * order is not admitted. A holder is in the map while it holds or wants something, and until
 * share_holder_settle() is called after that.
 */
#ifndef TENANTGATE_LOOP_SHARE_QUEUE_H
#define TENANTGATE_LOOP_SHARE_QUEUE_H

#include <sys/queue.h>

#include <pthread.h>

#include "loop/grant_rate.h"
#include "tenantgate/base/budget.h"
#include "tenantgate/base/map.h"
#include "tenantgate/loop/share.h"

enum share_waiter_state {
	SHARE_QUEUED,
	SHARE_NOTIFIED,		/* granted or refused; its task is on its way */
	SHARE_LEFT,		/* notified, but the flow is gone: the task gives the units back */
};

/* A flow in its holder's queue. Its memory is its own and not the flow's, for the flow may be gone
 * before the task arrives. Freed on its own worker. */
struct share_waiter {
	TAILQ_ENTRY(share_waiter) link;	/* on holder.waiters; else on a list of the woken */
	TAILQ_ENTRY(share_waiter) queued;	/* on budget.waiters */
	enum share_waiter_state	 state;
	struct share_budget	*budget;	/* borrowed */
	struct share_holder	*holder;	/* borrowed; while it is queued or has units */
	struct flow		*flow;		/* borrowed; not to be touched once LEFT */
	struct worker		*worker;	/* borrowed: the flow's */
	struct share_grant	*grant;		/* borrowed: in the flow's struct */
	uint64_t		 units;
	uint64_t		 serial;	/* order of arrival over all holders */
	uint64_t		 since_us;	/* monotonic */
	uint64_t		 timeout_us;	/* of its wait */
	struct err		 err;		/* set: refused */
	struct task		 task;
	struct timer		 timer;
};
TAILQ_HEAD(share_waiter_list, share_waiter);

struct share_holder {
	struct budget_holder	 place;
	struct share_waiter_list waiters;	/* in order of arrival */
	unsigned		 waiting;	/* their number */
	uint64_t		 turn;		/* the serial after its last grant */
	size_t			 len;		/* of the name, bytes */
	char			 name[];
};

struct share_budget {
	pthread_mutex_t		 lock;
	struct share_conf	 conf;
	struct budget		 budget;
	struct map		*holders;	/* owned: struct share_holder by name */
	struct share_waiter_list waiters;	/* of all holders, in order of arrival */
	unsigned		 waiting;	/* their number */
	uint64_t		 serial;	/* of the next waiter */
	struct grant_rate	 rate;
	uint64_t		 granted_total;
	uint64_t		 refused_total;
};

/* Made when the name is new. */
struct share_holder	*share_holder_find(struct share_budget *, struct slice name);
/* Forgets a holder that holds and wants nothing; it may be gone afterwards. */
void			 share_holder_settle(struct share_budget *, struct share_holder *);

/* The most units that one taker may have; that one may have who takes them in steps. */
uint64_t share_units_max(const struct share_budget *);
uint64_t share_grown_max(const struct share_budget *);
/* Takes at once, without a waiter, for a grant of so many units already: false with err set when
 * the holder may not have more. */
bool	share_add(struct share_budget *, struct share_holder *, uint64_t already, uint64_t units,
	    struct err *);
/* Queues the waiter, or says in its err why there is no point in waiting. */
void	share_waiter_queue(struct share_waiter *, struct share_holder *);
void	share_waiter_unqueue(struct share_waiter *);
/* Grants to those whose turn it is: they are NOTIFIED and on the list. */
void	share_pass(struct share_budget *, struct share_waiter_list *woken);
/* Refuses those that could wait for ever since the capacity or the ceiling was lowered. */
void	share_refuse_impossible(struct share_budget *, struct share_waiter_list *woken);

/* Seconds until a newcomer of this holder would be served, 1 to 60. */
int	share_retry_after(struct share_budget *, const struct share_holder *);

#endif
