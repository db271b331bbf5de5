/* SPDX-License-Identifier: MIT */
/*
 * test_quota_orders: what Redis is told of a hold when an answer is lost, or is another one: what
 * is reserved is given back and what was spent is counted, once. What the orders do in a true
 * Redis: tests/live/test_quota_script and test_quota_hold.
 */
#include "quota_peer.h"

static void
an_adjusted_lease_has_its_new_name_when_redis_says_so(void **state)
{
	struct quota_hold *h = hold_of_ten("redis");

	(void)state;
	quota_adjust(h, 700);
	quota_adjust(h, 600); /* before a word has left */
	seen_until(2);
	check_seen(1, "adjust", 600, seen[0].lease, seen[1].other);
	assert_non_null(strstr(seen[1].other, ":600:1"));
	turn_until_so(worker, is_idle, NULL);
	quota_settle(&h, 5);
	seen_until(3);
	check_seen(2, "settle", 5, seen[1].other, "");
	turn_until_so(worker, is_idle, NULL);
	assert_int_equal(seen_count, 3);
}

/* Redis may have adjusted it, or not: both names are told until it says. */
static void
an_adjustment_without_an_answer_is_sent_again_as_it_was(void **state)
{
	struct quota_hold *h = hold_of_ten("redis");

	(void)state;
	peer_will(HANGS_UP, "adjust", 1);
	quota_adjust(h, 600);
	seen_until(2);
	quota_adjust(h, 500);
	seen_until(4);
	check_seen(2, "adjust", 600, seen[1].lease, seen[1].other);
	check_seen(3, "adjust", 500, seen[1].other, seen[3].other);
	turn_until_so(worker, is_idle, NULL);
	quota_settle(&h, 5);
	seen_until(5);
	check_seen(4, "settle", 5, seen[3].other, "");
}

static void
a_settlement_in_such_a_doubt_names_both(void **state)
{
	struct quota_hold *h = hold_of_ten("redis");

	(void)state;
	peer_will(HANGS_UP, "adjust", 1);
	quota_adjust(h, 600);
	seen_until(2);
	quota_settle(&h, 5);
	seen_until(3);
	check_seen(2, "settle", 5, seen[0].lease, seen[1].other);
	turn_until_so(worker, is_idle, NULL);
	assert_int_equal(seen_count, 3);
}

static void
what_was_refused_or_not_known_is_sent_again(void **state)
{
	struct quota_hold *h = hold_of_ten("redis");

	(void)state;
	peer_will(SAYS_NOSCRIPT, "adjust", 1);
	quota_adjust(h, 600);
	seen_until(3);
	assert_false(seen[1].has_script);
	assert_true(seen[2].has_script);
	check_seen(2, "adjust", 600, seen[1].lease, seen[1].other);
	turn_until_so(worker, is_idle, NULL);
	peer_will(REFUSES, "settle", 1);
	quota_settle(&h, 5);
	seen_until(5);
	check_seen(4, "settle", 5, seen[1].other, "");
	turn_until_so(worker, is_idle, NULL);
	assert_int_equal(seen_count, 5);
}

/* The process has counted it for itself then. */
static void
a_check_without_an_answer_gives_back_what_it_may_have_taken(void **state)
{
	struct quota_hold *h;

	(void)state;
	peer_will(HANGS_UP, "take", 1);
	h = hold_of_ten("local");
	seen_until(2);
	check_seen(1, "settle", 0, seen[0].lease, "");
	quota_settle(&h, 5);
}

static void
what_is_spent_counts_though_its_lease_is_gone(void **state)
{
	struct quota_hold *h = hold_of_ten("redis");

	(void)state;
	peer_will(SAYS_NO_LEASE, "settle", 1);
	quota_settle(&h, 5);
	seen_until(3);
	check_seen(2, "count", 5, seen[0].lease, "");
	turn_until_so(worker, is_idle, NULL);
	assert_int_equal(seen_count, 3);
	h = hold_of_ten("redis"); /* nothing was spent: nothing is to be counted */
	peer_will(SAYS_NO_LEASE, "settle", 1);
	quota_settle(&h, 0);
	seen_until(5);
	turn_until_so(worker, is_idle, NULL);
	assert_int_equal(seen_count, 5);
}

/* It may have been the settlement whose answer was lost that has taken the lease. */
static void
what_may_have_been_counted_is_not_again(void **state)
{
	struct quota_hold *h = hold_of_ten("redis");

	(void)state;
	peer_will(HANGS_UP, "settle", 1);
	quota_settle(&h, 5);
	seen_until(2);
	peer_will(SAYS_NO_LEASE, "settle", 1);
	seen_until(3);
	turn_until_so(worker, is_idle, NULL);
	assert_int_equal(seen_count, 3);
	h = hold_of_ten("redis");
	peer_will(SAYS_NO_LEASE, "settle", 1);
	quota_settle(&h, 5);
	seen_until(5);
	peer_will(HANGS_UP, "count", 1);
	seen_until(6);
	redis_wait(worker, redis, true);
	turn_until_so(worker, is_idle, NULL);
	assert_int_equal(seen_count, 6);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(an_adjusted_lease_has_its_new_name_when_redis_says_so),
		TEST(an_adjustment_without_an_answer_is_sent_again_as_it_was),
		TEST(a_settlement_in_such_a_doubt_names_both),
		TEST(what_was_refused_or_not_known_is_sent_again),
		TEST(a_check_without_an_answer_gives_back_what_it_may_have_taken),
		TEST(what_is_spent_counts_though_its_lease_is_gone),
		TEST(what_may_have_been_counted_is_not_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
