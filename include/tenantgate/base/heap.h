/* SPDX-License-Identifier: MIT */
/*
 * heap: a binary heap: the first of its items by an order of the owner's, in O(1), and every change
 * in O(log n). An item is a member of the owner's struct and knows its place, so that any item can
 * be moved or taken out, not only the first.
 *
 * One thread at a time, or under the owner's lock.
 */
#ifndef TENANTGATE_BASE_HEAP_H
#define TENANTGATE_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

struct heap_item {
	size_t	place;		/* from 1, as heaps are counted; 0: in no heap */
};

/* True when the first comes strictly before the second. It must not change the heap. */
typedef bool heap_before_fn(const struct heap_item *, const struct heap_item *);

struct heap {
	struct heap_item	**items;	/* owned; the items are their owners' */
	size_t			 count;
	size_t			 room;		/* of the array */
	heap_before_fn		*before;
};

void			 heap_init(struct heap *, heap_before_fn *);
void			 heap_free(struct heap *);	/* must be empty */

/* The item is in no heap. The array grows by doubling; without memory the process ends, for the
 * owner bounds the number of items (alloc.h). */
void			 heap_add(struct heap *, struct heap_item *);
void			 heap_remove(struct heap *, struct heap_item *);
/* To be called after what the order looks at has changed in this item. */
void			 heap_update(struct heap *, struct heap_item *);
struct heap_item	*heap_first(const struct heap *);	/* NULL when empty */

static inline bool
heap_holds(const struct heap_item *item)
{
	return item->place != 0;
}

#endif
