/* SPDX-License-Identifier: MIT */
/* A budget of a share: who is granted at once, who waits, who is next. */
#include "share_fixture.h"

static void
a_taker_who_is_admitted_does_not_wait(void **state)
{
	(void)state;
	open_budget(2, 0, false);
	take("t1", 'a');
	take("t2", 'b');
	assert_string_equal(traced, "ab");
	assert_int_equal(stats_now().held, 2);
	assert_int_equal(stats_now().holders, 2);
}

static void
what_is_given_back_goes_to_who_holds_least(void **state)
{
	struct share_taker *first;

	(void)state;
	open_budget(3, 0, false);
	first = take("noisy", 'a');
	take("noisy", 'b');
	take("noisy", 'c');
	take("noisy", 'd');
	take("quiet", 'e');
	assert_string_equal(traced, "abc");
	assert_int_equal(stats_now().waiting, 2);
	share_taker_leaves(first);
	assert_string_equal(traced, "abce");
}

static void
who_leaves_gives_its_place_to_the_next(void **state)
{
	struct share_taker *a, *b;

	(void)state;
	open_budget(1, 0, false);
	a = take("t", 'a');
	b = take("t", 'b');
	take("t", 'c');
	share_taker_leaves(b);
	assert_int_equal(stats_now().waiting, 1);
	share_taker_leaves(a);
	assert_string_equal(traced, "ac");
}

/* A large one holds up the small ones behind it; when it leaves, they are served at once. */
static void
a_large_one_that_leaves_lets_the_small_ones_in(void **state)
{
	struct share_taker *large;

	(void)state;
	open_budget(10, 0, false);
	take_weighted("t1", 'a', 1, 5);
	large = take_weighted("t2", 'b', 1, 8);
	take_weighted("t3", 'c', 1, 2);
	assert_string_equal(traced, "a");
	share_taker_leaves(large);
	assert_string_equal(traced, "ac");
}

/* Granted while it left in the same turn: the units are not lost. */
static void
a_grant_to_one_that_has_left_is_given_back(void **state)
{
	struct share_taker *a, *b;

	(void)state;
	open_budget(1, 0, false);
	a = take("t", 'a');
	b = take("t", 'b');
	take("t", 'c');
	share_give(&a->grant); /* b's grant is in the mailbox now */
	flow_abort(&b->flow, ERR_CLIENT_GONE, "left");
	flow_fixture_turns(3);
	assert_string_equal(traced, "ac");
}

static void
giving_back_twice_is_giving_back_once(void **state)
{
	struct share_taker *a;

	(void)state;
	open_budget(2, 0, false);
	a = take("t", 'a');
	take("t", 'b');
	share_give(&a->grant);
	share_give(&a->grant);
	assert_int_equal(stats_now().held, 1);
}

/* 20: alone three quarters; the last tenth is for those who hold nothing. */
static void
headroom_is_left_for_others(void **state)
{
	static const char *const quiet[] = { "q1", "q2", "q3", "q4", "q5" };
	unsigned i;

	(void)state;
	open_budget(20, 0, true);
	for (i = 0; i < 18; i++)
		take("noisy", 'n');
	assert_int_equal(stats_now().held, 15);
	for (i = 0; i < 5; i++)
		take(quiet[i], 'q');
	assert_string_equal(traced, "nnnnnnnnnnnnnnnqqqqq");
}

static void
holders_of_what_is_held_briefly_take_turns(void **state)
{
	struct share_taker *a, *b, *l;

	(void)state;
	open_budget(1, 0, false);
	a = take("crowd", 'a');
	b = take("crowd", 'b');
	take("crowd", 'c');
	take("crowd", 'd');
	l = take("late", 'l');
	share_taker_leaves(a);
	share_taker_leaves(b);
	share_taker_leaves(l);
	assert_string_equal(traced, "ablc");
}

static void
a_weight_divides_what_is_held(void **state)
{
	struct share_taker *a;

	(void)state;
	open_budget(4, 0, false);
	a = take_weighted("heavy", 'h', 4, 1);
	take_weighted("heavy", 'h', 4, 1);
	take_weighted("heavy", 'h', 4, 1);
	take_weighted("light", 'l', 1, 1);
	take_weighted("light", 'm', 1, 1);
	take_weighted("heavy", 'i', 4, 1);
	share_taker_leaves(a);
	assert_string_equal(traced, "hhhli");
}

static void
a_ceiling_stops_one_and_not_the_others(void **state)
{
	(void)state;
	open_budget(10, 2, false);
	take("t1", 'a');
	take("t1", 'b');
	take("t1", 'c');
	take("t2", 'd');
	assert_string_equal(traced, "abd");
	share_set_ceiling(budget, 3);
	flow_fixture_turns(2);
	assert_string_equal(traced, "abdc");
}

static void
a_higher_capacity_wakes_waiters(void **state)
{
	(void)state;
	open_budget(1, 0, false);
	take("t1", 'a');
	take("t2", 'b');
	take("t3", 'c');
	share_resize(budget, 3);
	flow_fixture_turns(2);
	assert_string_equal(traced, "abc");
}

static void
a_lower_capacity_is_reached_as_grants_come_back(void **state)
{
	struct share_taker *a, *b;

	(void)state;
	open_budget(3, 0, false);
	a = take("t1", 'a');
	b = take("t2", 'b');
	share_resize(budget, 1);
	take("t3", 'c');
	share_taker_leaves(a);
	assert_string_equal(traced, "ab");
	share_taker_leaves(b);
	assert_string_equal(traced, "abc");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SHARE_TEST(a_taker_who_is_admitted_does_not_wait),
		SHARE_TEST(what_is_given_back_goes_to_who_holds_least),
		SHARE_TEST(who_leaves_gives_its_place_to_the_next),
		SHARE_TEST(a_large_one_that_leaves_lets_the_small_ones_in),
		SHARE_TEST(a_grant_to_one_that_has_left_is_given_back),
		SHARE_TEST(giving_back_twice_is_giving_back_once),
		SHARE_TEST(headroom_is_left_for_others),
		SHARE_TEST(holders_of_what_is_held_briefly_take_turns),
		SHARE_TEST(a_weight_divides_what_is_held),
		SHARE_TEST(a_ceiling_stops_one_and_not_the_others),
		SHARE_TEST(a_higher_capacity_wakes_waiters),
		SHARE_TEST(a_lower_capacity_is_reached_as_grants_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
