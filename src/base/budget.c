/* SPDX-License-Identifier: MIT */
/*
 * budget.c: the rule and the order of budget.h.
 *
 * What always holds: a holder is in the heap exactly while it waits and its first waiter's units
 * would not pass its ceiling; budget.held is the sum of what the holders hold.
 */
#include "tenantgate/base/budget.h"

#include <assert.h>
#include <stddef.h>

#define LOW_DIVISOR  10 /* of the capacity: kept for those who hold nothing */
#define HIGH_DIVISOR 4	/* the most that one holder leaves to others */

static const struct budget_holder *
holder_of(const struct heap_item *item)
{
	return (const struct budget_holder *)((const char *)item -
	    offsetof(struct budget_holder, item));
}

/* held / weight is compared by cross-multiplication: whole numbers, and no division by rounding.
 * Both products fit: units are bytes at most, weights small. */
static bool
holder_before(const struct heap_item *a, const struct heap_item *b)
{
	const struct budget_holder *x = holder_of(a), *y = holder_of(b);
	uint64_t xs = x->held * y->weight, ys = y->held * x->weight;

	return xs != ys ? xs < ys : x->serial < y->serial;
}

void
budget_init(struct budget *b, uint64_t capacity, bool has_headroom)
{
	*b = (struct budget){ .capacity = capacity, .has_headroom = has_headroom };
	heap_init(&b->waiting, holder_before);
}

void
budget_free(struct budget *b)
{
	heap_free(&b->waiting);
}

void
budget_resize(struct budget *b, uint64_t capacity)
{
	b->capacity = capacity;
}

static uint64_t
at_least_one(uint64_t n)
{
	return n > 0 ? n : 1;
}

uint64_t
budget_largest(const struct budget *b)
{
	uint64_t low = b->has_headroom ? at_least_one(b->capacity / LOW_DIVISOR) : 0;

	return at_least_one(b->capacity > low ? b->capacity - low : 0);
}

uint64_t
budget_largest_grown(const struct budget *b)
{
	uint64_t high = b->has_headroom ? at_least_one(b->capacity / HIGH_DIVISOR) : 0;

	return at_least_one(b->capacity > high ? b->capacity - high : 0);
}

/* What must stay free for others after a holder with so much has taken more. */
static uint64_t
holder_headroom(const struct budget_holder *h)
{
	const struct budget *b = h->budget;
	uint64_t low = at_least_one(b->capacity / LOW_DIVISOR);
	uint64_t high = at_least_one(b->capacity / HIGH_DIVISOR);
	uint64_t share = h->held / h->weight;

	if (!b->has_headroom || h->held == 0)
		return 0;
	if (share < low)
		return low;
	return share < high ? share : high;
}

static bool
below_ceiling(const struct budget_holder *h, uint64_t units)
{
	return h->held < h->ceiling && units <= h->ceiling - h->held;
}

bool
budget_admits(const struct budget_holder *h, uint64_t units)
{
	const struct budget *b = h->budget;
	uint64_t free_units = b->capacity > b->held ? b->capacity - b->held : 0;

	return below_ceiling(h, units) && units <= free_units &&
	    free_units - units >= holder_headroom(h);
}

/* Puts the holder where what it holds and waits for belongs. */
static void
holder_place(struct budget_holder *h)
{
	struct heap *waiting = &h->budget->waiting;
	bool wanted = h->waits && below_ceiling(h, h->units);

	if (wanted && heap_holds(&h->item))
		heap_update(waiting, &h->item);
	else if (wanted)
		heap_add(waiting, &h->item);
	else if (heap_holds(&h->item))
		heap_remove(waiting, &h->item);
}

void
budget_join(struct budget_holder *h, struct budget *b, unsigned weight, uint64_t ceiling)
{
	assert(weight > 0);
	*h = (struct budget_holder){ .budget = b, .weight = weight, .ceiling = ceiling };
}

void
budget_take(struct budget_holder *h, uint64_t units)
{
	h->held += units;
	h->budget->held += units;
	holder_place(h);
}

void
budget_give(struct budget_holder *h, uint64_t units)
{
	assert(units <= h->held && units <= h->budget->held);
	h->held -= units;
	h->budget->held -= units;
	holder_place(h);
}

void
budget_set_ceiling(struct budget_holder *h, uint64_t ceiling)
{
	h->ceiling = ceiling;
	holder_place(h);
}

void
budget_set_weight(struct budget_holder *h, unsigned weight)
{
	assert(weight > 0);
	h->weight = weight;
	holder_place(h);
}

void
budget_wait(struct budget_holder *h, uint64_t serial, uint64_t units)
{
	h->waits = true;
	h->serial = serial;
	h->units = units;
	holder_place(h);
}

void
budget_leave(struct budget_holder *h)
{
	h->waits = false;
	holder_place(h);
}

struct budget_holder *
budget_next(const struct budget *b)
{
	struct heap_item *item = heap_first(&b->waiting);
	struct budget_holder *h;

	if (item == NULL)
		return NULL;
	h = (struct budget_holder *)(void *)((char *)item - offsetof(struct budget_holder, item));
	return budget_admits(h, h->units) ? h : NULL;
}
