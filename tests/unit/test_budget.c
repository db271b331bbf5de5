/* SPDX-License-Identifier: MIT */
/* test_budget: the rule (who may take how much) and the order (who is next). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tenantgate/base/budget.h"

#define HOLDERS 64

static struct budget budget;
static struct budget_holder holders[HOLDERS];
static unsigned joined;
static uint64_t serial;

static void
budget_set_up(uint64_t capacity, bool has_headroom)
{
	budget_init(&budget, capacity, has_headroom);
	joined = 0;
	serial = 0;
}

static void
budget_tear_down(void)
{
	unsigned i;

	for (i = 0; i < joined; i++)
		budget_leave(&holders[i]);
	budget_free(&budget);
}

static struct budget_holder *
join_with(unsigned weight, uint64_t ceiling)
{
	struct budget_holder *h = &holders[joined++];

	assert_true(joined <= HOLDERS);
	budget_join(h, &budget, weight, ceiling);
	return h;
}

static struct budget_holder *
join_plainly(void)
{
	return join_with(1, BUDGET_NO_CEILING);
}

static void
want_units(struct budget_holder *h, uint64_t units)
{
	budget_wait(h, serial++, units);
}

/* One unit at a time, as long as the rule lets it. */
static uint64_t
take_all(struct budget_holder *h)
{
	while (budget_admits(h, 1))
		budget_take(h, 1);
	return h->held;
}

/* ---- thresholds ---- */

/* The most that one holder gets alone, another beside it, and how many more get their first. */
struct threshold {
	uint64_t capacity, first, second, newcomers;
};

static const struct threshold thresholds[] = {
	{ 1, 1, 0, 0 },
	{ 2, 1, 1, 0 },
	{ 8, 6, 1, 1 },
	{ 20, 15, 3, 2 },
	{ 256, 192, 32, 32 },
};

static void
thresholds_are_kept(const struct threshold *t)
{
	uint64_t newcomers = 0;

	budget_set_up(t->capacity, true);
	assert_int_equal(take_all(join_plainly()), t->first);
	assert_int_equal(take_all(join_plainly()), t->second);
	for (; budget_admits(join_plainly(), 1); newcomers++)
		budget_take(&holders[joined - 1], 1);
	assert_int_equal(newcomers, t->newcomers);
	assert_int_equal(budget.held, t->capacity);
	budget_tear_down();
}

static void
one_alone_leaves_a_quarter_and_two_a_tenth(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(thresholds) / sizeof(thresholds[0]); i++)
		thresholds_are_kept(&thresholds[i]);
}

static void
without_headroom_one_alone_gets_all(void **state)
{
	(void)state;
	budget_set_up(8, false);
	assert_int_equal(take_all(join_plainly()), 8);
	budget_tear_down();
}

static void
what_is_given_back_is_free_again(void **state)
{
	struct budget_holder *h;

	(void)state;
	budget_set_up(20, true);
	h = join_plainly();
	take_all(h);
	budget_give(h, 3);
	assert_int_equal(budget.held, 12);
	assert_int_equal(take_all(h), 15);
	budget_tear_down();
}

/* ---- ceilings, weights ---- */

static void
a_ceiling_is_never_passed(void **state)
{
	struct budget_holder *h;

	(void)state;
	budget_set_up(20, true);
	h = join_with(1, 4);
	assert_int_equal(take_all(h), 4);
	budget_set_ceiling(h, 6);
	assert_int_equal(take_all(h), 6);
	budget_set_ceiling(h, 2);
	assert_false(budget_admits(h, 1));
	budget_give(h, 5);
	assert_int_equal(take_all(h), 2);
	budget_tear_down();
}

static void
who_is_at_its_ceiling_stands_in_nobodys_way(void **state)
{
	struct budget_holder *low, *other;

	(void)state;
	budget_set_up(8, false);
	low = join_with(1, 1);
	other = join_plainly();
	budget_take(low, 1);
	budget_take(other, 2);
	want_units(low, 1);
	want_units(other, 1);
	assert_ptr_equal(budget_next(&budget), other);
	budget_set_ceiling(low, 2);
	assert_ptr_equal(budget_next(&budget), low);
	budget_tear_down();
}

/* Everyone wants more than there is: what they get is in the proportion of their weights. */
static void
weights_divide_what_is_held(void **state)
{
	static const unsigned weights[] = { 1, 2, 4 };
	struct budget_holder *next;
	unsigned i;

	(void)state;
	budget_set_up(70, false);
	for (i = 0; i < 3; i++)
		want_units(join_with(weights[i], BUDGET_NO_CEILING), 1);
	while ((next = budget_next(&budget)) != NULL)
		budget_take(next, 1);
	assert_int_equal(holders[0].held, 10);
	assert_int_equal(holders[1].held, 20);
	assert_int_equal(holders[2].held, 40);
	budget_tear_down();
}

static void
a_weight_that_changes_changes_the_place(void **state)
{
	struct budget_holder *a, *b;

	(void)state;
	budget_set_up(20, false);
	a = join_plainly();
	b = join_plainly();
	budget_take(a, 3);
	budget_take(b, 2);
	want_units(a, 1);
	want_units(b, 1);
	assert_ptr_equal(budget_next(&budget), b);
	budget_set_weight(a, 2);
	assert_ptr_equal(budget_next(&budget), a);
	budget_tear_down();
}

/* ---- the order ---- */

static void
who_holds_least_is_next_then_who_came_first(void **state)
{
	struct budget_holder *a, *b, *c;

	(void)state;
	budget_set_up(20, false);
	a = join_plainly();
	b = join_plainly();
	c = join_plainly();
	budget_take(a, 2);
	want_units(a, 1);
	want_units(b, 1);
	want_units(c, 1);
	assert_ptr_equal(budget_next(&budget), b);
	budget_take(b, 1);
	assert_ptr_equal(budget_next(&budget), c);
	budget_take(c, 3);
	assert_ptr_equal(budget_next(&budget), b);
	budget_leave(b);
	budget_leave(b);
	assert_ptr_equal(budget_next(&budget), a);
	budget_tear_down();
}

static void
nobody_is_next_when_the_first_is_not_admitted(void **state)
{
	struct budget_holder *large, *small;

	(void)state;
	budget_set_up(100, false);
	large = join_plainly();
	small = join_plainly();
	budget_take(small, 50);
	want_units(large, 60);
	want_units(small, 1);
	assert_true(budget_admits(small, 1));
	assert_null(budget_next(&budget));
	budget_give(small, 10);
	assert_ptr_equal(budget_next(&budget), large);
	budget_tear_down();
}

/* ---- units ---- */

#define MIB ((uint64_t)1 << 20)

static void
bytes_are_units_like_any_other(void **state)
{
	struct budget_holder *h, *other;

	(void)state;
	budget_set_up(512 * MIB, true);
	h = join_plainly();
	other = join_plainly();
	assert_true(budget_admits(h, 400 * MIB));
	budget_take(h, 100 * MIB);
	assert_true(budget_admits(h, 312 * MIB)); /* 100 more must stay free */
	assert_false(budget_admits(h, 312 * MIB + 1));
	budget_take(h, 300 * MIB);
	assert_false(budget_admits(h, 1)); /* a quarter, 128, must stay free; 112 are */
	assert_true(budget_admits(other, 112 * MIB));
	assert_false(budget_admits(other, 112 * MIB + 1));
	budget_tear_down();
}

static void
the_largest_is_all_but_the_last_tenth(void **state)
{
	(void)state;
	budget_set_up(100, true);
	assert_int_equal(budget_largest(&budget), 90);
	budget_resize(&budget, 1);
	assert_int_equal(budget_largest(&budget), 1);
	budget_resize(&budget, 0);
	assert_int_equal(budget_largest(&budget), 1);
	budget_tear_down();
	budget_set_up(100, false);
	assert_int_equal(budget_largest(&budget), 100);
	budget_tear_down();
}

static void
the_largest_that_grows_is_what_one_alone_gets(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(thresholds) / sizeof(thresholds[0]); i++) {
		budget_set_up(thresholds[i].capacity, true);
		assert_int_equal(budget_largest_grown(&budget), thresholds[i].first);
		budget_tear_down();
	}
	budget_set_up(100, false);
	assert_int_equal(budget_largest_grown(&budget), 100);
	budget_tear_down();
}

/* ---- a capacity that changes ---- */

static void
a_lower_capacity_is_reached_by_giving_back(void **state)
{
	struct budget_holder *h, *other;

	(void)state;
	budget_set_up(20, true);
	h = join_plainly();
	other = join_plainly();
	take_all(h);
	budget_resize(&budget, 10);
	assert_false(budget_admits(other, 1));
	budget_give(h, 6);
	assert_true(budget_admits(other, 1));
	assert_false(budget_admits(h, 1));
	budget_resize(&budget, 20);
	assert_int_equal(take_all(h), 15);
	budget_tear_down();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_alone_leaves_a_quarter_and_two_a_tenth),
		cmocka_unit_test(without_headroom_one_alone_gets_all),
		cmocka_unit_test(what_is_given_back_is_free_again),
		cmocka_unit_test(a_ceiling_is_never_passed),
		cmocka_unit_test(who_is_at_its_ceiling_stands_in_nobodys_way),
		cmocka_unit_test(weights_divide_what_is_held),
		cmocka_unit_test(a_weight_that_changes_changes_the_place),
		cmocka_unit_test(who_holds_least_is_next_then_who_came_first),
		cmocka_unit_test(nobody_is_next_when_the_first_is_not_admitted),
		cmocka_unit_test(bytes_are_units_like_any_other),
		cmocka_unit_test(the_largest_is_all_but_the_last_tenth),
		cmocka_unit_test(the_largest_that_grows_is_what_one_alone_gets),
		cmocka_unit_test(a_lower_capacity_is_reached_by_giving_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
