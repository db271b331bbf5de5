/* SPDX-License-Identifier: MIT */
/*
 * heap.c: items in an array; the children of place n are at 2n and 2n + 1, and no child comes
 * before its parent. Places are counted from 1, so that 0 can say "in no heap".
 */
#include "tenantgate/base/heap.h"

#include <assert.h>
#include <stdlib.h>

#include "tenantgate/base/alloc.h"

#define ROOM_FIRST 16

void
heap_init(struct heap *h, heap_before_fn *before)
{
	*h = (struct heap){ .before = before };
}

void
heap_free(struct heap *h)
{
	assert(h->count == 0);
	free(h->items);
	h->items = NULL;
	h->room = 0;
}

static struct heap_item *
item_at(const struct heap *h, size_t place)
{
	return h->items[place - 1];
}

static void
item_set_place(struct heap *h, struct heap_item *item, size_t place)
{
	h->items[place - 1] = item;
	item->place = place;
}

/* Towards the first place, past every parent that does not come before it. */
static void
item_rise(struct heap *h, struct heap_item *item, size_t place)
{
	while (place > 1 && h->before(item, item_at(h, place / 2))) {
		item_set_place(h, item_at(h, place / 2), place);
		place /= 2;
	}
	item_set_place(h, item, place);
}

/* The place of the child that comes first, or 0 when there is none. */
static size_t
first_child(const struct heap *h, size_t place)
{
	size_t left = 2 * place, right = left + 1;

	if (left > h->count)
		return 0;
	if (right <= h->count && h->before(item_at(h, right), item_at(h, left)))
		return right;
	return left;
}

static void
item_sink(struct heap *h, struct heap_item *item, size_t place)
{
	size_t child;

	while ((child = first_child(h, place)) != 0 && h->before(item_at(h, child), item)) {
		item_set_place(h, item_at(h, child), place);
		place = child;
	}
	item_set_place(h, item, place);
}

static void
heap_grow(struct heap *h)
{
	size_t room = h->room == 0 ? ROOM_FIRST : 2 * h->room;
	struct heap_item **items = reallocarray(h->items, room, sizeof(struct heap_item *));

	if (items == NULL)
		alloc_die(room * sizeof(struct heap_item *));
	h->items = items;
	h->room = room;
}

void
heap_add(struct heap *h, struct heap_item *item)
{
	assert(!heap_holds(item));
	if (h->count == h->room)
		heap_grow(h);
	h->count++;
	item_rise(h, item, h->count);
}

/* The last item takes the place that comes free, and finds its own from there. */
void
heap_remove(struct heap *h, struct heap_item *item)
{
	size_t place = item->place;
	struct heap_item *last;

	assert(place > 0 && place <= h->count && item_at(h, place) == item);
	last = item_at(h, h->count--);
	item->place = 0;
	if (last == item)
		return;
	item_set_place(h, last, place);
	heap_update(h, last);
}

void
heap_update(struct heap *h, struct heap_item *item)
{
	size_t place = item->place;

	assert(place > 0 && item_at(h, place) == item);
	item_rise(h, item, place);
	if (item->place == place)
		item_sink(h, item, place);
}

struct heap_item *
heap_first(const struct heap *h)
{
	return h->count > 0 ? item_at(h, 1) : NULL;
}
