/* SPDX-License-Identifier: MIT */
/* A budget of a share: who is refused, what they are told, and its figures. */
#include "share_fixture.h"

#include "tenantgate/base/clock.h"

static void
more_than_one_may_ever_have_is_too_large(void **state)
{
	struct share_taker *t;

	(void)state;
	open_budget(100, 0, true);
	t = take_weighted("t", 'a', 1, 91);
	assert_int_equal(t->outcome.code, ERR_TOO_LARGE);
	assert_non_null(strstr(t->outcome.detail, "91 model streams"));
	assert_non_null(strstr(t->outcome.detail, "may have 90"));
	assert_int_equal(stats_now().refused_total, 1);
	take_weighted("t", 'b', 1, 90);
	assert_string_equal(traced, "b");
}

/* It could wait for ever, and hold up all who are behind it. */
static void
who_waits_for_more_than_a_lowered_capacity_is_refused(void **state)
{
	struct share_taker *large;

	(void)state;
	open_budget(10, 0, false);
	take_weighted("t1", 'a', 1, 4);
	large = take_weighted("t2", 'b', 1, 8);
	take_weighted("t3", 'c', 1, 1);
	share_resize(budget, 6);
	flow_fixture_turns(3);
	assert_int_equal(large->outcome.code, ERR_TOO_LARGE);
	assert_string_equal(traced, "ac");
}

static void
too_many_waiters_of_one_holder_are_refused_at_once(void **state)
{
	struct share_taker *t;
	unsigned i;

	(void)state;
	open_budget(1, 0, false);
	for (i = 0; i < 4; i++)
		take("noisy", 'n');
	t = take("noisy", 'x');
	assert_int_equal(t->outcome.code, ERR_OVERLOADED);
	assert_non_null(strstr(t->outcome.detail, "wait for model streams"));
	assert_in_range(t->outcome.retry_after, 1, 60);
	take("quiet", 'q');
	assert_int_equal(stats_now().waiting, 4);
}

static void
a_wait_that_is_too_long_says_what_was_scarce(void **state)
{
	struct share_conf conf = { "embedding calls", "max_embedding_calls", 1, 0, true, 9, 1000 };
	struct share_taker *t;

	(void)state;
	budget = share_open(&conf);
	take("t1", 'a');
	t = take("t2", 'b');
	while (t->outcome.code == ERR_NONE)
		worker_turn(worker, 5);
	assert_int_equal(t->outcome.code, ERR_OVERLOADED);
	assert_non_null(strstr(t->outcome.detail, "embedding calls"));
	assert_non_null(strstr(t->outcome.detail, "max_embedding_calls"));
	assert_in_range(t->outcome.retry_after, 1, 60);
	assert_int_equal(stats_now().waiting, 0);
	assert_int_equal(stats_now().refused_total, 1);
}

static void
retry_after_is_the_place_over_the_grants_of_late(void **state)
{
	struct share_taker *t;
	unsigned i;

	(void)state;
	open_budget(2, 1, false);
	clock_test_advance(20 * 1000000u);
	for (i = 0; i < 5; i++) {
		taken = 0;
		share_taker_leaves(take("t1", '.'));
	}
	take("t1", 'a');
	for (i = 0; i < 3; i++)
		take("t1", 'w');
	/* Six grants in ten seconds, four places: seven seconds. */
	t = take("t1", 'x');
	assert_int_equal(t->outcome.retry_after, 7);
	clock_test_advance(20 * 1000000u);
	t = take("t1", 'y');
	assert_int_equal(t->outcome.retry_after, 60);
}

static bool
grant_grows(struct share_grant *grant, const char *holder, uint64_t units, struct err *err)
{
	err_clear(err);
	return share_try(budget, slice_str(holder), 1, units, grant, err);
}

static void
what_grows_is_taken_at_once_or_refused(void **state)
{
	struct share_grant noisy = { 0 }, quiet = { 0 }, other = { 0 };
	struct err err = { 0 };

	(void)state;
	open_budget(100, 0, true);
	assert_true(grant_grows(&noisy, "noisy", 70, &err));
	assert_true(grant_grows(&noisy, "noisy", 5, &err));
	assert_false(grant_grows(&other, "noisy", 1, &err));
	assert_int_equal(err.code, ERR_OVERLOADED);
	assert_in_range(err.retry_after, 1, 60);
	assert_int_equal(noisy.units, 75);
	assert_true(grant_grows(&quiet, "quiet", 25, &err));
	assert_false(grant_grows(&other, "other", 91, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	share_give(&noisy);
	assert_int_equal(stats_now().held, 25);
	share_give(&quiet);
}

/* Alone, and no time would help: that is to be said, and not "try again later". */
static void
what_grows_past_every_share_is_too_large(void **state)
{
	struct share_grant grant = { 0 };
	struct err err = { 0 };

	(void)state;
	open_budget(100, 0, true);
	assert_int_equal(share_largest_grown(budget), 75);
	assert_true(grant_grows(&grant, "t", 40, &err));
	assert_true(grant_grows(&grant, "t", 35, &err));
	assert_false(grant_grows(&grant, "t", 1, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	assert_non_null(strstr(err.detail, "76"));
	assert_non_null(strstr(err.detail, "75"));
	share_give(&grant);
	share_set_ceiling(budget, 50);
	assert_int_equal(share_largest_grown(budget), 50);
}

static void
a_part_is_given_back_and_then_the_rest(void **state)
{
	struct share_grant grant = { 0 }, other = { 0 };
	struct err err = { 0 };

	(void)state;
	open_budget(100, 0, true);
	assert_true(grant_grows(&grant, "t", 75, &err));
	share_give_some(&grant, 0);
	assert_int_equal(stats_now().held, 75);
	share_give_some(&grant, 30);
	assert_int_equal(grant.units, 45);
	assert_int_equal(stats_now().held, 45);
	assert_true(grant_grows(&other, "t", 30, &err));
	share_give_some(&grant, 46);
	assert_int_equal(stats_now().held, 30);
	share_give_some(&grant, 1);
	share_give(&other);
	assert_int_equal(stats_now().held, 0);
}

static void
figures_tell_the_longest_wait(void **state)
{
	(void)state;
	open_budget(1, 0, false);
	take("t1", 'a');
	take("t2", 'b');
	clock_test_advance(3 * 1000000u);
	assert_true(stats_now().longest_wait_us >= 3 * 1000000u);
	assert_int_equal(stats_now().granted_total, 1);
	assert_int_equal(stats_now().capacity, 1);
}

static const char *
share_reason(void)
{
	static struct condition found;

	found = (struct condition){ .is_ill = false };
	share_condition(budget, &found);
	return found.reason;
}

/* Of ten, one is kept for who holds nothing. */
static void
a_budget_that_several_have_used_up_is_a_condition_after_a_second(void **state)
{
	struct share_taker *last;

	(void)state;
	open_budget(10, 0, true);
	take_weighted("t1", 'a', 1, 8);
	take_weighted("t1", 'x', 1, 1);
	clock_test_advance(5 * 1000000u);
	assert_string_equal(share_reason(), ""); /* it has no more of its own: nobody else waits */
	take_weighted("t2", 'b', 1, 1);
	assert_int_equal(stats_now().held, 9);
	last = take_weighted("t2", 'd', 1, 1);
	assert_non_null(
	    strstr(share_reason(), "9 of 10 model streams are lent, and 2 requests wait"));
	assert_non_null(strstr(share_reason(), "max_model_streams"));
	share_taker_leaves(&takers[1]);
	share_taker_leaves(last);
	take_weighted("t2", 'e', 1, 1);
	assert_string_equal(share_reason(), ""); /* it waits for less than a second */
	clock_test_advance(1000000u);
	assert_string_not_equal(share_reason(), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SHARE_TEST(more_than_one_may_ever_have_is_too_large),
		SHARE_TEST(who_waits_for_more_than_a_lowered_capacity_is_refused),
		SHARE_TEST(too_many_waiters_of_one_holder_are_refused_at_once),
		SHARE_TEST(a_wait_that_is_too_long_says_what_was_scarce),
		SHARE_TEST(retry_after_is_the_place_over_the_grants_of_late),
		SHARE_TEST(what_grows_is_taken_at_once_or_refused),
		SHARE_TEST(what_grows_past_every_share_is_too_large),
		SHARE_TEST(a_part_is_given_back_and_then_the_rest),
		SHARE_TEST(figures_tell_the_longest_wait),
		SHARE_TEST(a_budget_that_several_have_used_up_is_a_condition_after_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
