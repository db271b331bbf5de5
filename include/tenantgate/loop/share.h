/* SPDX-License-Identifier: MIT */
/*
 * share: a budget of something scarce (model streams, embedding calls, memory of documents), exact
 * over all workers, lent to holders by the rule of base/budget.h: no holder can keep the others
 * from their share, however many flows of its own wait.
 *
 *	share_take:  admitted and nobody before us --> FLOW_NEXT, the grant is filled
 *	                   | no
 *	                   v
 *	             [waiting] --given back by others--> woken with the grant
 *	                   \____ deadline (503), flow aborted: unlinked at once
 *
 * A holder is named by bytes of the caller's: as a rule the tenant's id, so that a tenant's flows
 * compete with one another and not with other tenants'. A holder is forgotten when it holds and
 * wants nothing.
 *
 * One lock a budget, held for a few dozen instructions and across no callback. A grant to a waiter
 * goes through its worker's mailbox, whose lock is the only one that is taken under it.
 */
#ifndef TENANTGATE_LOOP_SHARE_H
#define TENANTGATE_LOOP_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/condition.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/loop/flow.h"

struct share_budget;
struct share_holder;

#define SHARE_HOLDER_MAX 160	/* bytes of a holder's name */
#define SHARE_UNBOUNDED	 ((uint64_t)1 << 40)	/* a capacity: each holder has its ceiling alone */

struct share_conf {
	const char	*noun;		/* static: "model streams", for the sentences of a 503 */
	const char	*setting;	/* static: what an operator raises: "max_model_streams" */
	uint64_t	 capacity;	/* units */
	uint64_t	 ceiling;	/* of one holder, units; 0: the rule's alone */
	bool		 has_headroom;	/* for what is held long; else holders take turns */
	unsigned	 waiting_max;	/* waiters of one holder; more get ERR_OVERLOADED at once */
	uint64_t	 wait_timeout_us;	/* of a waiter: then ERR_OVERLOADED */
};

/* One per process and scarce thing, opened before the workers start, closed when they have been
 * freed and every grant is given back. conf is copied. */
struct share_budget	*share_open(const struct share_conf *);
void			 share_close(struct share_budget *);	/* NULL is fine */

/* A member of the taker's struct, zeroed before the first use. */
struct share_grant {
	struct share_budget	*budget;	/* borrowed; NULL: nothing is held */
	struct share_holder	*holder;
	uint64_t		 units;
};

/*
 * Takes `units` for the holder, waiting for its turn if need be. weight: 1 unless the holder is to
 * have more than others; the last word counts. Fails with ERR_OVERLOADED, the noun and retry_after
 * (the place in the queue over the grants of late, 1 to 60 s) when the holder has too many waiters
 * or the wait was too long; with ERR_TOO_LARGE when more is wanted than one may ever have (capacity
 * less a tenth, with headroom). The grant lives in the flow's struct until it is given back: defer
 * share_give() before the call, for the flow may be aborted between the grant and its next step.
 */
enum flow_rc	 share_take(struct flow *, struct share_budget *, struct slice holder,
		    unsigned weight, uint64_t units, struct share_grant *)
		    __attribute__((warn_unused_result));
/* The same without waiting: true when the units are taken, added to what the grant has already of
 * the same budget and holder. Else false with err set as above (ERR_TOO_LARGE: the grant would be
 * larger than share_largest_grown()); what the grant has stays. For what grows while it is held, of
 * which nobody may wait for more (two who do would wait for each other); in a budget where others
 * wait it overtakes them. Any thread. */
bool		 share_try(struct share_budget *, struct slice holder, unsigned weight,
		    uint64_t units, struct share_grant *, struct err *);
/* Idempotent: an empty grant is nothing to give back. Any thread. */
void		 share_give(struct share_grant *);
/* A part of it; all, when that is no more. Any thread. */
void		 share_give_some(struct share_grant *, uint64_t units);
void		 share_give_later(void *grant);		/* the same as a flow_defer_fn */

/* Any thread. A lower capacity or ceiling is reached as grants come back, and who waits for more
 * than one may now ever have is refused; a higher one wakes waiters. 0: the rule's alone. */
void		 share_resize(struct share_budget *, uint64_t capacity);
void		 share_set_ceiling(struct share_budget *, uint64_t ceiling);
/* For those who come from now on; likewise any thread. */
void		 share_set_waiting(struct share_budget *, unsigned waiting_max,
		    uint64_t wait_timeout_us);
/* The most units that a grant can be made to have by share_try(), step by step, when nobody else
 * holds any. Any thread. */
uint64_t	 share_largest_grown(struct share_budget *);

/* A moment's figures. The totals only grow. Any thread. */
struct share_stats {
	uint64_t capacity, held, granted_total, refused_total;
	uint64_t longest_wait_us;	/* of those who wait now */
	unsigned holders, waiting;
};
void		 share_stats(struct share_budget *, struct share_stats *);

/* Who holds or wants most of it, at a moment: up to `max`, the first has most. Any thread; the lock
 * is held for a look at each holder. */
struct share_hold {
	char		name[SHARE_HOLDER_MAX + 1];
	uint64_t	held;		/* units */
	unsigned	waiting;	/* waiters */
};
unsigned	 share_holders(struct share_budget *, struct share_hold *out, unsigned max);
/* Ill when it is used up, but for what is kept for newcomers, by several holders, and somebody has
 * waited for a second. One that waits for its own units alone keeps nobody from theirs. Any
 * thread. */
void		 share_condition(struct share_budget *, struct condition *);

#endif
