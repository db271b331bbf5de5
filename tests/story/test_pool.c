/* SPDX-License-Identifier: MIT */
/* The pool's queue: limits, order, deadlines, departures, and who gets a free connection. */
#include "pool_fixture.h"

static void
a_connection_is_used_again(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);

	(void)state;
	borrow(&a);
	assert_string_equal(traced, "a");
	assert_false(a.reused);
	give_back(&a);
	assert_int_equal(stats().server_idle, 1);
	borrow(&b);
	assert_int_equal(b.serial, a.serial);
	assert_true(b.reused);
	assert_int_equal(fake.connects, 1);
	assert_int_equal(fake.resets, 0);
	give_back(&b);
}

static void
waiters_are_served_in_order(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 1);
	CLIENT(d, 1);

	(void)state;
	borrow(&a);
	borrow(&b);
	borrow(&c);
	borrow(&d);
	assert_string_equal(traced, "ab");
	assert_int_equal(fake.open, 2); /* the pool's size */
	assert_int_equal(stats().client_waiting, 2);
	give_back(&b);
	assert_string_equal(traced, "abc");
	assert_int_equal(c.serial, b.serial);
	give_back(&a);
	assert_string_equal(traced, "abcd");
	give_back(&c);
	give_back(&d);
	assert_int_equal(stats().borrowed_total, 4);
}

/* What is lent for long is beside the pool's size, as long as it is lent. */
static void
one_lent_for_long_keeps_nobody(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 1);
	CLIENT(d, 1);

	(void)state;
	borrow(&a);
	borrow(&b);
	borrow(&c);
	assert_string_equal(traced, "ab");
	pool_set_aside(&a.lease);
	pool_set_aside(&a.lease); /* twice is once */
	pool_fixture_turns();
	assert_string_equal(traced, "abc");
	assert_int_equal(fake.open, 3);
	borrow(&d);
	assert_int_equal(stats().client_waiting, 1);
	give_back(&a); /* one too many, and closed */
	assert_int_equal(stats().client_waiting, 1);
	assert_int_equal(fake.open, 2);
	give_back(&b);
	assert_string_equal(traced, "abcd");
	give_back(&c);
	give_back(&d);
	assert_int_equal(fake.open, 2);
}

static void
the_wait_has_an_end(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 1);

	(void)state;
	conf.query_wait_timeout_us = 300000;
	reopen();
	borrow(&a);
	borrow(&b);
	borrow(&c);
	while (c.flow.err.code == ERR_NONE)
		worker_turn(worker, 20);
	assert_string_equal(traced, "abc!pool_timeout");
	assert_string_equal(c.flow.err.detail,
	    "All 2 connections of this database were in use for 0.3 s; try again later or raise "
	    "default_pool_size.");
	assert_int_equal(stats().client_waiting, 0);
	give_back(&a);
	give_back(&b);
}

static void
the_queue_has_an_end(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 1);
	CLIENT(d, 1);

	(void)state;
	conf.max_waiting = 1;
	reopen();
	borrow(&a);
	borrow(&b);
	borrow(&c);
	borrow(&d);
	assert_string_equal(traced, "abd!overloaded");
	leave(&c);
	assert_string_equal(traced, "abd!overloadedc!client_gone");
	give_back(&a);
	give_back(&b);
}

/* Aborted between the grant and the task that brings it: the connection goes to the next. */
static void
a_waiter_may_leave_when_granted(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 1);
	CLIENT(d, 1);

	(void)state;
	borrow(&a);
	borrow(&b);
	borrow(&c);
	borrow(&d);
	a.lease.conn->held = false;
	pool_return(&a.lease, POOL_CLEAN);
	flow_abort(&c.flow, ERR_CLIENT_GONE, "left");
	pool_fixture_turns();
	assert_string_equal(traced, "abc!client_goned");
	assert_int_equal(d.serial, a.serial);
	give_back(&a);
	give_back(&b);
	give_back(&d);
	assert_int_equal(stats().server_idle, 2);
}

/* A login that was begun for a flow that left serves the next. */
static void
a_waiter_may_leave_during_login(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);

	(void)state;
	fake.login_us = 1;
	flow_start(&a.flow, &client_kind, worker, NULL);
	worker_turn(worker, 0);
	flow_abort(&a.flow, ERR_CLIENT_GONE, "left");
	pool_fixture_turns();
	assert_int_equal(stats().server_idle, 1);
	borrow(&b);
	assert_int_equal(fake.connects, 1);
	give_back(&b);
}

static void
a_failed_login_reaches_all_waiters(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 1);

	(void)state;
	conf.server_login_retry_us = 900000;
	reopen();
	fake.fail_logins = 1000;
	flow_start(&a.flow, &client_kind, worker, NULL);
	flow_start(&b.flow, &client_kind, worker, NULL);
	pool_fixture_turns();
	assert_string_equal(traced, "a!database_failedb!database_failed");
	assert_string_equal(a.flow.err.detail,
	    "The tenant's database refused the login on record. The operator finds the reason in "
	    "the log.");
	assert_string_equal(a.flow.err.cause,
	    "Login to the database failed: the fake refuses (SQLSTATE 28P01).");
	assert_int_equal(a.flow.err.retry_after, 1);
	fake.fail_logins = 0;
	borrow(&c); /* too early: the same error, and no new login */
	assert_string_equal(c.flow.err.detail, a.flow.err.detail);
	assert_int_equal(fake.connects, 2);
	clock_test_advance(900000);
	traced[0] = '\0';
	borrow(&c);
	assert_string_equal(traced, "c");
	give_back(&c);
}

/* One lives on while another's login fails: the waiter waits, and a login is tried again. */
static void
a_login_is_tried_again(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);

	(void)state;
	conf.server_login_retry_us = 100000;
	reopen();
	borrow(&a);
	fake.fail_logins = 1000;
	borrow(&b);
	assert_string_equal(traced, "a");
	fake.fail_logins = 0;
	clock_test_advance(200000);
	while (!b.holds)
		worker_turn(worker, 200);
	assert_string_equal(traced, "ab");
	give_back(&a);
	give_back(&b);
}

/* The process's budget is 4: an idle connection of another pool is closed for a new one. */
static void
an_idle_connection_makes_room(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 2);
	CLIENT(d, 4);
	CLIENT(e, 3);

	(void)state;
	borrow(&a);
	borrow(&b);
	borrow(&c);
	borrow(&d);
	give_back(&b);
	give_back(&c);
	assert_int_equal(fake.open, 4);
	borrow(&e);
	assert_string_equal(traced, "abcde");
	assert_int_equal(fake.open, 4);
	assert_int_equal(fake.key_open[1] + fake.key_open[2], 2);
	give_back(&a);
	give_back(&d);
	give_back(&e);
}

/* With everything lent, what comes back goes to the pool that has none, not to the noisy one. */
static void
the_noisy_do_not_starve_the_quiet(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 2);
	CLIENT(d, 4);
	CLIENT(quiet, 3);
	CLIENT(e, 1);

	(void)state;
	borrow(&a);
	borrow(&b);
	borrow(&c);
	borrow(&d);
	borrow(&e);
	borrow(&quiet);
	assert_string_equal(traced, "abcd");
	give_back(&a);
	assert_string_equal(traced, "abcdquiet");
	give_back(&c); /* one free is too few for the noisy one, that has one and must leave one */
	assert_string_equal(traced, "abcdquiet");
	give_back(&d); /* half of the budget is kept for those whose only connections these are */
	assert_string_equal(traced, "abcdquiet");
	give_back(&quiet);
	assert_string_equal(traced, "abcdquiete");
	assert_int_equal(fake.open, 4);
	give_back(&b);
	give_back(&e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		POOL_CASE(a_connection_is_used_again),
		POOL_CASE(waiters_are_served_in_order),
		POOL_CASE(one_lent_for_long_keeps_nobody),
		POOL_CASE(the_wait_has_an_end),
		POOL_CASE(the_queue_has_an_end),
		POOL_CASE(a_waiter_may_leave_when_granted),
		POOL_CASE(a_waiter_may_leave_during_login),
		POOL_CASE(a_failed_login_reaches_all_waiters),
		POOL_CASE(a_login_is_tried_again),
		POOL_CASE(an_idle_connection_makes_room),
		POOL_CASE(the_noisy_do_not_starve_the_quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
