/* SPDX-License-Identifier: MIT */
/*
 * test_quota_renewals: the leases of all holds are renewed, a batch a turn, and none is taken for
 * renewed that Redis has not confirmed.
 */
#include "quota_peer.h"

#define HOLDS 150

static unsigned
renewals_from(unsigned first)
{
	unsigned n = 0;

	for (unsigned i = first; i < seen_count; i++)
		n += strcmp(seen[i].act, "renew") == 0;
	return n;
}

static void
renewals_answer(unsigned n)
{
	while (n-- > 0)
		peer_send(conn, "*8\r\n:1\r\n:1000000000\r\n:0\r\n:0\r\n:0\r\n:0\r\n:0\r\n:0\r\n");
}

static void
holds_take(struct quota_hold *holds[HOLDS])
{
	for (unsigned i = 0; i < HOLDS; i++)
		holds[i] = hold_of_ten("redis");
}

static void
holds_settle(struct quota_hold *holds[HOLDS])
{
	habit_left = 0;
	for (unsigned i = 0; i < HOLDS; i++)
		quota_settle(&holds[i], 0);
}

/* The next batch waits for the answer to this one. */
static void
leases_are_renewed_a_batch_at_a_time(void **state)
{
	static struct quota_hold *holds[HOLDS];
	const unsigned batches[] = { RENEW_BATCH, RENEW_BATCH, HOLDS - 2 * RENEW_BATCH };
	unsigned sent = HOLDS;

	(void)state;
	limit_set_lease(limiter, 6 * 1000000ull);
	holds_take(holds);
	peer_will(IS_SILENT, "renew", HOLDS);
	for (unsigned i = 0; i < HOLDS; i++)
		holds[i]->renewed_us = 0; /* all are due */
	for (unsigned i = 0; i < 3; i++) {
		seen_until(sent + batches[i]);
		for (unsigned turns = 0; turns < 20; turns++)
			worker_turn(worker, 0);
		sent += batches[i];
		assert_int_equal(seen_count, sent);
		renewals_answer(batches[i]);
	}
	assert_int_equal(renewals_from(0), HOLDS);
	for (unsigned i = 0; i < HOLDS; i++) /* each once, the oldest first */
		assert_string_equal(seen[HOLDS + i].lease, seen[i].lease);
	holds_settle(holds);
}

/* The renewal that was not answered comes again before the lease is over; so does the script that
 * was flushed. */
static void
a_renewal_that_was_not_confirmed_comes_again(void **state)
{
	struct quota_hold *h;

	(void)state;
	limit_set_lease(limiter, 1500000);
	h = hold_of_ten("redis");
	peer_will(REFUSES, "renew", 1);
	seen_until(2);
	seen_until(3);
	check_seen(2, "renew", 0, seen[0].lease, "");
	turn_until_so(worker, is_idle, NULL);
	peer_will(SAYS_NOSCRIPT, "renew", 1);
	seen_until(5);
	assert_true(seen[4].has_script);
	quota_settle(&h, 0);
}

static void
who_settles_while_it_is_renewed_is_not_renewed_again(void **state)
{
	struct quota_hold *h;

	(void)state;
	limit_set_lease(limiter, 60000);
	h = hold_of_ten("redis");
	peer_will(IS_SILENT, "renew", 1);
	seen_until(2);
	assert_int_equal(h->place, HOLD_RENEWING);
	peer_will(IS_SILENT, "settle", 1);
	quota_settle(&h, 0);
	seen_until(3);
	renewals_answer(2);
	turn_until_so(worker, is_idle, NULL);
	assert_int_equal(renewals_from(0), 1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(leases_are_renewed_a_batch_at_a_time),
		TEST(a_renewal_that_was_not_confirmed_comes_again),
		TEST(who_settles_while_it_is_renewed_is_not_renewed_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
