/* SPDX-License-Identifier: MIT */
/* test_backoff: bounds, growth, jitter, the floor that a server asked for, and no overflow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tenantgate/base/backoff.h"

#define DRAWS 2000

static const struct backoff doubling = { 200000, 4000000, 200 };
static const struct backoff by_half = { 500001, 5000000, 150 };
static const struct backoff steady = { 100000, 100000, 100 };

static uint64_t chance;

static uint64_t
given(void)
{
	return chance;
}

/* The wait is a ceiling less chance: 0 draws the longest. */
static uint64_t
longest(const struct backoff *b, unsigned tries, uint64_t floor_us)
{
	backoff_test_random(given);
	chance = 0;
	return backoff_us(b, tries, floor_us);
}

static uint64_t
shortest(const struct backoff *b, unsigned tries)
{
	uint64_t most = longest(b, tries, 0);

	chance = most / 2;
	return backoff_us(b, tries, 0);
}

static int
random_again(void **state)
{
	(void)state;
	backoff_test_random(NULL);
	return 0;
}

static void
a_wait_doubles_up_to_the_most(void **state)
{
	static const uint64_t ceilings[] = { 200000, 400000, 800000, 1600000, 3200000, 4000000,
		4000000 };
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(ceilings) / sizeof(ceilings[0]); i++) {
		assert_int_equal(longest(&doubling, i + 1, 0), ceilings[i]);
		assert_int_equal(shortest(&doubling, i + 1), ceilings[i] / 2);
	}
	assert_int_equal(longest(&doubling, 0, 0), 200000);
}

/* To the microsecond: nothing is rounded to a coarser unit. */
static void
a_wait_may_grow_by_half(void **state)
{
	(void)state;
	assert_int_equal(longest(&by_half, 1, 0), 500001);
	assert_int_equal(shortest(&by_half, 1), 250001);
	assert_int_equal(longest(&by_half, 2, 0), 750001);
	assert_int_equal(longest(&by_half, 3, 0), 1125001);
	assert_int_equal(longest(&by_half, 7, 0), 5000000);
}

static void
a_steady_wait_does_not_grow(void **state)
{
	(void)state;
	assert_int_equal(longest(&steady, 1, 0), 100000);
	assert_int_equal(longest(&steady, UINT32_MAX, 0), 100000);
	assert_int_equal(shortest(&steady, 9), 50000);
}

static void
a_floor_is_kept_to(void **state)
{
	(void)state;
	/* It bounds what would be shorter, and adds nothing to what is longer. */
	assert_int_equal(longest(&doubling, 1, 1000000), 1000000);
	chance = 100000;
	assert_int_equal(backoff_us(&doubling, 1, 1000000), 1100000);
	assert_int_equal(longest(&doubling, 5, 1000000), 3200000);
	assert_int_equal(longest(&doubling, 5, 3200000), 3200000);
	assert_int_equal(longest(&doubling, 5, 3200001), 3200001);
}

/* Every draw is within bounds; all tenths of the span are hit, none by more than its share. */
static void
spread(const struct backoff *b, unsigned tries, uint64_t floor_us, uint64_t least, uint64_t most)
{
	unsigned tenths[10] = { 0 };
	unsigned i;

	backoff_test_random(NULL);
	for (i = 0; i < DRAWS; i++) {
		uint64_t us = backoff_us(b, tries, floor_us);

		assert_in_range(us, least, most);
		tenths[(us - least) * 10 / (most - least + 1)]++;
	}
	/* 200 each; five times the deviation of 13 either way. */
	for (i = 0; i < 10; i++)
		assert_in_range(tenths[i], 200 - 70, 200 + 70);
}

static void
jitter_spreads_the_waits(void **state)
{
	(void)state;
	spread(&doubling, 1, 0, 100000, 200000);
	spread(&doubling, 9, 0, 2000000, 4000000);
	spread(&steady, 3, 0, 50000, 100000);
	spread(&doubling, 2, 5000000, 5000000, 5200000);
}

static void
no_wait_overflows(void **state)
{
	static const struct backoff endless = { 1, UINT64_MAX, 200 };
	static const struct backoff slow = { 1, 50, 101 };
	static const struct backoff huge = { UINT64_MAX, UINT64_MAX, 1000 };
	static const struct backoff none = { 0, 0, 100 };

	(void)state;
	assert_int_equal(longest(&endless, 33, 0), 1ull << 32);
	assert_true(longest(&endless, UINT32_MAX, 0) == UINT64_MAX);
	assert_int_equal(shortest(&slow, 1), 1);
	/* A hundredth of 1 is 0, and still it grows. */
	assert_int_equal(longest(&slow, 2, 0), 2);
	assert_int_equal(longest(&slow, UINT32_MAX, 0), 50);
	assert_true(shortest(&huge, 2) == UINT64_MAX - UINT64_MAX / 2);
	chance = UINT64_MAX / 4;
	assert_true(backoff_us(&endless, UINT32_MAX, UINT64_MAX - 1) == UINT64_MAX);
	assert_int_equal(longest(&none, 5, 0), 0);
	assert_int_equal(longest(&none, 5, 7), 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_wait_doubles_up_to_the_most, random_again),
		cmocka_unit_test_teardown(a_wait_may_grow_by_half, random_again),
		cmocka_unit_test_teardown(a_steady_wait_does_not_grow, random_again),
		cmocka_unit_test_teardown(a_floor_is_kept_to, random_again),
		cmocka_unit_test_teardown(jitter_spreads_the_waits, random_again),
		cmocka_unit_test_teardown(no_wait_overflows, random_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
