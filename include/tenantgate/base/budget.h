/* SPDX-License-Identifier: MIT */
/*
 * budget: who may take how much of something scarce. A budget has a capacity in units (connections,
 * streams, bytes); holders (tenants) take units and give them back. Pure arithmetic and one order:
 * no lock, no clock, no waiting. Its owner has all of these (loop/share, pool/).
 *
 *	free = capacity - what all hold
 *	A holder may take `units` more when it stays below its ceiling and, after that, still
 *		held == 0 ? 0 : clamp(held / weight, low, high)
 *	units are free; low is a tenth of the capacity, high a quarter, both at least 1.
 *
 * So the first one needs only a free one; the more a holder has for its weight, the more must be
 * left for others (dynamic thresholds, Choudhury and Hahne 1998, with a floor and a roof); alone, a
 * holder gets about three quarters. Without headroom the second half of the rule is left out, for
 * what is held so briefly that the order alone is fair.
 *
 * Of those who wait, the one that holds least for its weight is next, then whose first waiter came
 * first. The threshold never falls along that order: when the first is not admitted, nobody is.
 *
 * One thread at a time, or under the owner's lock.
 */
#ifndef TENANTGATE_BASE_BUDGET_H
#define TENANTGATE_BASE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/heap.h"

struct budget {
	uint64_t	capacity;	/* units; budget_resize() changes it */
	uint64_t	held;		/* by all; above the capacity after it was lowered */
	bool		has_headroom;
	struct heap	waiting;	/* holders that wait and are below their ceiling */
};

/* A member of the owner's struct for one holder, which outlives its units and its waiting. */
struct budget_holder {
	struct heap_item item;
	struct budget	*budget;	/* borrowed */
	uint64_t	held;
	uint64_t	ceiling;	/* of held; budget_set_ceiling() changes it */
	unsigned	weight;		/* a divisor of what is held; 1 or more */
	bool		waits;
	uint64_t	serial;		/* of its first waiter: order of arrival over all holders */
	uint64_t	units;		/* that its first waiter wants */
};

#define BUDGET_NO_CEILING UINT64_MAX

void	budget_init(struct budget *, uint64_t capacity, bool has_headroom);
void	budget_free(struct budget *);	/* nobody waits */
/* What is held stays held: a lower capacity is reached as units come back. */
void	budget_resize(struct budget *, uint64_t capacity);

void	budget_join(struct budget_holder *, struct budget *, unsigned weight, uint64_t ceiling);
/* May this holder take so many more now, whoever else waits? */
bool	budget_admits(const struct budget_holder *, uint64_t units);
void	budget_take(struct budget_holder *, uint64_t units);
void	budget_give(struct budget_holder *, uint64_t units);
void	budget_set_ceiling(struct budget_holder *, uint64_t ceiling);
void	budget_set_weight(struct budget_holder *, unsigned weight);
/* The most units that one taker may ever have at once, whatever its ceiling: with headroom the
 * capacity less low. More would wait until nobody else held anything. At least 1. */
uint64_t budget_largest(const struct budget *);
/* The same for who takes it in steps, and so has to leave more and more: the capacity less high. */
uint64_t budget_largest_grown(const struct budget *);

/* Enters the order, or changes the place in it: the holder's first waiter is another now. */
void	budget_wait(struct budget_holder *, uint64_t serial, uint64_t units);
void	budget_leave(struct budget_holder *);	/* nobody of this holder waits; idempotent */
/* The holder whose turn it is, when it may take what its first waiter wants; else NULL: nobody
 * behind it is admitted either, and units that are too few for it are not given to others. */
struct budget_holder *budget_next(const struct budget *);

#endif
