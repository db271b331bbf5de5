/* SPDX-License-Identifier: MIT */
/* test_heap: the first is the first whatever was added, changed and taken out before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tenantgate/base/heap.h"

#define NUMBERS 200

struct number {
	struct heap_item item;
	unsigned value;
};

static struct number numbers[NUMBERS];
static struct heap heap;
static uint64_t rng;

static const struct number *
heap_number(const struct heap_item *item)
{
	return (const struct number *)item;
}

static bool
number_before(const struct heap_item *a, const struct heap_item *b)
{
	return heap_number(a)->value < heap_number(b)->value;
}

static unsigned
random_below(unsigned n)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(rng >> 33) % n;
}

static int
set_up(void **state)
{
	unsigned i;

	(void)state;
	rng = 1;
	heap_init(&heap, number_before);
	for (i = 0; i < NUMBERS; i++)
		numbers[i] = (struct number){ .value = random_below(1000) };
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	while (heap_first(&heap) != NULL)
		heap_remove(&heap, heap_first(&heap));
	heap_free(&heap);
	return 0;
}

static void
an_empty_heap_has_no_first(void **state)
{
	(void)state;
	assert_null(heap_first(&heap));
	assert_false(heap_holds(&numbers[0].item));
}

/* Found by looking at all. */
static unsigned
least_held(void)
{
	unsigned i, least = UINT32_MAX;

	for (i = 0; i < NUMBERS; i++)
		if (heap_holds(&numbers[i].item) && numbers[i].value < least)
			least = numbers[i].value;
	return least;
}

static void
first_is_least(void)
{
	const struct heap_item *first = heap_first(&heap);

	assert_int_equal(first == NULL ? UINT32_MAX : heap_number(first)->value, least_held());
}

static void
items_come_out_in_order(void **state)
{
	unsigned i, last = 0;

	(void)state;
	for (i = 0; i < NUMBERS; i++)
		heap_add(&heap, &numbers[i].item);
	for (i = 0; i < NUMBERS; i++) {
		struct heap_item *first = heap_first(&heap);

		assert_true(heap_number(first)->value >= last);
		last = heap_number(first)->value;
		heap_remove(&heap, first);
		assert_false(heap_holds(first));
	}
	assert_null(heap_first(&heap));
}

/* Added, moved up and down, taken out of the middle, 20,000 times. */
static void
the_first_is_the_least_after_every_change(void **state)
{
	unsigned turn;

	(void)state;
	for (turn = 0; turn < 20000; turn++) {
		struct number *n = &numbers[random_below(NUMBERS)];

		if (!heap_holds(&n->item)) {
			heap_add(&heap, &n->item);
		} else if (random_below(2) == 0) {
			heap_remove(&heap, &n->item);
		} else {
			n->value = random_below(1000);
			heap_update(&heap, &n->item);
		}
		first_is_least();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_empty_heap_has_no_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(items_come_out_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_first_is_the_least_after_every_change, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
