/* SPDX-License-Identifier: MIT */
/*
 * Newcomers at a server whose connections are those of tenants that come again and again.
 */
#include "pool_fixture.h"
#include "pool_warm.h"

/* Logins of newcomers are counted apart. */
static void
newcomers_delay_each_other(void **state)
{
	struct client n[6] = { 0 };
	CLIENT(warm, 9);
	unsigned i;

	(void)state;
	open_shared();
	warm_up(9, 1);
	fake.login_us = 3600u * 1000000u;
	for (i = 0; i < 6; i++) {
		n[i] = (struct client){ .name = "n", .key = 1 + i };
		borrow(&n[i]);
	}
	assert_int_equal(stats().server_login, STATEMENTS);
	borrow(&warm);
	assert_string_equal(traced, "warm");
	give_back(&warm);
	assert_int_equal(stats().server_login, STATEMENTS);
	clock_test_advance(LOGIN_US); /* these hang: the next are tried */
	while (stats().server_login == STATEMENTS)
		worker_turn(worker, 200);
	flow_abort_all(worker, ERR_SHUTDOWN, "over");
	pool_fixture_turns();
}

/* A login hangs, all other connections are those of tenants that come again and again: a newcomer
 * waits a moment before it takes one of them, and not until something else happens. */
static void
a_newcomers_patience_ends_by_itself(void **state)
{
	CLIENT(hung, 8);
	CLIENT(newcomer, 9);
	unsigned i;

	(void)state;
	for (i = 0; i < 9; i++)
		warm_up(1 + i % 3, 1);
	fake.login_us = 3600u * 1000000u;
	borrow(&hung);
	borrow(&newcomer);
	assert_int_equal(stats().server_login, 1);
	clock_test_advance(GUARD_US);
	for (i = 0; i < 100 && stats().server_login == 1; i++)
		worker_turn(worker, 20); /* sooner than the janitor comes */
	assert_int_equal(stats().server_login, 2);
	flow_abort_all(worker, ERR_SHUTDOWN, "over");
	pool_fixture_turns();
}

/* Nobody's connection is about to come free. */
static void
a_newcomer_does_not_wait_where_no_login_is_under_way(void **state)
{
	CLIENT(newcomer, 9);
	unsigned i;

	(void)state;
	for (i = 0; i < 12; i++)
		warm_up(1 + i % 4, 1);
	assert_int_equal(stats().server_idle, 4);
	borrow(&newcomer);
	assert_string_equal(traced, "newcomer");
	give_back(&newcomer);
}

/* More than three quarters of the budget are never kept from newcomers. */
static void
warm_tenants_leave_a_quarter_to_newcomers(void **state)
{
	CLIENT(hung, 8);
	CLIENT(newcomer, 9);
	unsigned i;

	(void)state;
	conf.max_server_connections = 8;
	reopen();
	for (i = 0; i < 21; i++)
		warm_up(1 + i % 7, 1);
	assert_int_equal(stats().server_idle, 7);
	fake.login_us = 3600u * 1000000u;
	borrow(&hung);
	borrow(&newcomer);
	assert_int_equal(stats().server_login, 2);
	flow_abort_all(worker, ERR_SHUTDOWN, "over");
	pool_fixture_turns();
}

#define NEWCOMER_CASE(fn) cmocka_unit_test_setup_teardown(fn, pool_warm_set_up, pool_warm_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		NEWCOMER_CASE(newcomers_delay_each_other),
		NEWCOMER_CASE(a_newcomers_patience_ends_by_itself),
		NEWCOMER_CASE(a_newcomer_does_not_wait_where_no_login_is_under_way),
		NEWCOMER_CASE(warm_tenants_leave_a_quarter_to_newcomers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
