/* SPDX-License-Identifier: MIT */
/* What the pool does with connections that come back, that are dead, old or forgotten. */
#include "pool_fixture.h"

static void
bring_back(enum pg_conn_state left_as, enum pool_hygiene hygiene)
{
	CLIENT(a, 1);

	borrow(&a);
	a.lease.conn->state = left_as;
	a.hygiene = hygiene;
	give_back(&a);
}

static void
a_clean_session_needs_no_reset(void **state)
{
	(void)state;
	bring_back(PG_IDLE, POOL_CLEAN);
	assert_int_equal(fake.resets, 0);
	assert_int_equal(stats().server_idle, 1);
}

static void
a_dirty_session_is_reset(void **state)
{
	(void)state;
	bring_back(PG_IDLE, POOL_DIRTY);
	assert_int_equal(fake.resets, 1);
	assert_int_equal(stats().server_idle, 1);
}

/* Whatever the borrower says of its hygiene. */
static void
an_open_transaction_is_reset(void **state)
{
	(void)state;
	bring_back(PG_IN_TRANSACTION, POOL_CLEAN);
	assert_int_equal(fake.resets, 1);
	assert_int_equal(stats().server_idle, 1);
}

static void
busy_and_broken_sessions_are_closed(void **state)
{
	(void)state;
	bring_back(PG_BROKEN, POOL_CLEAN);
	bring_back(PG_BUSY, POOL_DIRTY);
	assert_int_equal(fake.resets, 0);
	assert_int_equal(fake.closes, 2);
	assert_int_equal(fake.open, 0);
}

static void
a_failed_reset_is_closed(void **state)
{
	(void)state;
	fake.fail_resets = 1000;
	bring_back(PG_IDLE, POOL_DIRTY);
	assert_int_equal(fake.resets, 1);
	assert_int_equal(fake.open, 0);
}

/* No new login for a waiter while a reset is about to free a connection. */
static void
a_waiter_gets_the_reset_one(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 1);

	(void)state;
	a.hygiene = POOL_DIRTY;
	borrow(&a);
	borrow(&b);
	borrow(&c);
	give_back(&a);
	assert_string_equal(traced, "abc");
	assert_int_equal(c.serial, a.serial);
	assert_int_equal(fake.connects, 2);
	give_back(&b);
	give_back(&c);
}

static void
a_session_that_died_while_idle_is_closed(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 1);

	(void)state;
	borrow(&a);
	borrow(&b);
	a.lease.conn->dead = true;
	b.lease.conn->dead = true;
	give_back(&a);
	give_back(&b);
	borrow(&c);
	assert_string_equal(traced, "abc");
	assert_false(c.reused);
	assert_int_equal(fake.connects, 3);
	assert_int_equal(fake.closes, 2);
	assert_int_equal(stats().borrowed_total, 3);
	give_back(&c);
}

static void
a_session_idle_for_too_long_is_closed(void **state)
{
	(void)state;
	conf.server_idle_timeout_us = 60 * 1000000ull;
	conf.server_login_retry_us = 100000; /* makes the janitor come often */
	reopen();
	bring_back(PG_IDLE, POOL_CLEAN);
	assert_int_equal(fake.open, 1);
	clock_test_advance(60 * 1000000ull);
	while (fake.open > 0)
		worker_turn(worker, 200);
	assert_int_equal(stats().pools, 1);
}

static void
a_session_ends_at_its_lifetime(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);

	(void)state;
	conf.server_lifetime_us = 3600 * 1000000ull;
	conf.server_lifetime_jitter_us = 0;
	reopen();
	borrow(&a);
	clock_test_advance(3601 * 1000000ull);
	give_back(&a);
	assert_int_equal(fake.open, 0);
	bring_back(PG_IDLE, POOL_CLEAN);
	clock_test_advance(3601 * 1000000ull);
	borrow(&b); /* before the janitor has run */
	assert_false(b.reused);
	give_back(&b);
}

static void
an_empty_pool_is_forgotten(void **state)
{
	(void)state;
	conf.server_idle_timeout_us = 50000;
	conf.pool_idle_timeout_us = 50000;
	reopen();
	bring_back(PG_IDLE, POOL_CLEAN);
	clock_test_advance(100000);
	while (fake.open > 0)
		worker_turn(worker, 200);
	clock_test_advance(100000);
	while (stats().pools > 0)
		worker_turn(worker, 200);
}

static void
a_forgotten_target_is_emptied(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 1);
	CLIENT(d, 1);

	(void)state;
	borrow(&a);
	borrow(&b);
	give_back(&b);
	borrow(&c);
	borrow(&d); /* waits */
	pool_forget(pools, SLICE_LIT("1"));
	pool_forget(pools, SLICE_LIT("1"));
	pool_forget(pools, SLICE_LIT("never heard of"));
	give_back(&a); /* not lent again: d gets a fresh one */
	assert_string_equal(traced, "abcd");
	assert_false(d.reused);
	give_back(&c);
	assert_int_equal(fake.open, 1);
	give_back(&d);
	assert_int_equal(stats().server_idle, 1);
	pool_forget(pools, SLICE_LIT("1"));
	assert_int_equal(fake.open, 0);
	assert_int_equal(stats().pools, 0);
}

static void
another_password_is_another_target(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);

	(void)state;
	a.password = "old";
	b.password = "new";
	borrow(&a);
	give_back(&a);
	borrow(&b);
	assert_false(b.reused);
	give_back(&b);
	assert_int_equal(stats().pools, 1);
}

/* One worker still has the old record: neither closes the other's connections, and the third
 * target's coming retires the oldest. */
static void
two_targets_of_a_key_live_side_by_side(void **state)
{
	static const char *const passwords[] = { "old", "new" };
	unsigned i;

	(void)state;
	for (i = 0; i < 20; i++) {
		CLIENT(a, 1);
		a.password = passwords[i % 2];
		borrow(&a);
		give_back(&a);
	}
	assert_int_equal(fake.connects, 2);
	for (i = 0; i < 2; i++) {
		CLIENT(a, 1);
		a.password = i == 0 ? "newest" : "new";
		borrow(&a);
		give_back(&a);
	}
	assert_int_equal(fake.connects, 3);
	assert_int_equal(fake.open, 2);
	pool_forget(pools, SLICE_LIT("1"));
	assert_int_equal(fake.open, 0);
	assert_int_equal(stats().pools, 0);
}

static void
a_shutdown_cuts_logins_and_resets(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 2);

	(void)state;
	a.hygiene = POOL_DIRTY;
	borrow(&a);
	fake.login_us = 3600u * 1000000;
	flow_start(&b.flow, &client_kind, worker, NULL);
	worker_turn(worker, 0);
	worker_turn(worker, 0);
	a.holds = false;
	flow_wake(&a.flow);
	worker_turn(worker, 0);
	while (flow_count(worker) > 0) {
		flow_abort_all(worker, ERR_SHUTDOWN, "stopping");
		worker_turn(worker, 0);
	}
	assert_int_equal(fake.open, 0);
}

/* What the server has not ended still counts there, and so it does here. */
static void
a_slot_is_free_when_the_server_has_ended_its_side(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 2);

	(void)state;
	conf.max_server_connections = 1;
	reopen_ops(&fake_ending_ops);
	fake_holds_ends = true;
	borrow(&a);
	give_back(&a);
	borrow(&b);
	assert_string_equal(traced, "a");
	assert_int_equal(fake.connects, 1);
	fake_end_now();
	pool_fixture_turns();
	assert_string_equal(traced, "ab");
	fake_holds_ends = false;
	give_back(&b);
}

/* The flow that waits for its end is aborted, or has not begun. */
static void
a_server_that_is_ending_does_not_hold_up_the_end_of_its_worker(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 2);

	(void)state;
	reopen_ops(&fake_ending_ops);
	fake_holds_ends = true;
	borrow(&a);
	borrow(&b);
	give_back(&a);
	pool_forget(pools, SLICE_LIT("1"));
	pool_fixture_turns();
	assert_int_equal(fake.closes, 0);
	give_back(&b);
	pool_forget(pools, SLICE_LIT("2"));
	flow_abort_all(worker, ERR_SHUTDOWN, "over");
	pool_fixture_turns();
	flow_abort_all(worker, ERR_SHUTDOWN, "over");
	pool_fixture_turns();
	assert_int_equal(fake.closes, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		POOL_CASE(a_clean_session_needs_no_reset),
		POOL_CASE(a_dirty_session_is_reset),
		POOL_CASE(an_open_transaction_is_reset),
		POOL_CASE(busy_and_broken_sessions_are_closed),
		POOL_CASE(a_failed_reset_is_closed),
		POOL_CASE(a_waiter_gets_the_reset_one),
		POOL_CASE(a_session_that_died_while_idle_is_closed),
		POOL_CASE(a_session_idle_for_too_long_is_closed),
		POOL_CASE(a_session_ends_at_its_lifetime),
		POOL_CASE(an_empty_pool_is_forgotten),
		POOL_CASE(a_forgotten_target_is_emptied),
		POOL_CASE(another_password_is_another_target),
		POOL_CASE(two_targets_of_a_key_live_side_by_side),
		POOL_CASE(a_shutdown_cuts_logins_and_resets),
		POOL_CASE(a_slot_is_free_when_the_server_has_ended_its_side),
		POOL_CASE(a_server_that_is_ending_does_not_hold_up_the_end_of_its_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
