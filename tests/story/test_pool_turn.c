/* SPDX-License-Identifier: MIT */
/*
 * Who gives way to whom at a shared server, when the pools wait for it and all slots are taken:
 * connections that are kept, turns, guards. The clock stands still.
 */
#include <unistd.h>

#include "pool_fixture.h"

enum { STATEMENTS = 1, YOUNG_US = 5000, QUANTUM_US = 400000, QUIET_US = 50000, LOGIN_US = 50000 };

static void
open_small_shared(unsigned budget)
{
	conf.default_pool_size = 4;
	conf.max_server_connections = budget;
	conf.hosts_are_shared = true;
	conf.max_host_statements = STATEMENTS;
	fake.max_connections = POOL_HOST_RESERVED + 40;
	reopen();
}

/* And its statement is short no more. */
static void
borrow_old(struct client *c)
{
	borrow(c);
	clock_test_advance(YOUNG_US);
}

/* One waits for its turn, and its pool's size is less by now: it holds all that it may, and its
 * idle connection is no reason for another to wait. */
static void
what_a_pool_may_not_lend_is_not_waited_for(void **state)
{
	CLIENT(kept, 3);
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 2);
	CLIENT(waits, 1);
	CLIENT(small, 1);
	CLIENT(e, 2);

	(void)state;
	open_small_shared(4);
	borrow_old(&kept);
	borrow_old(&a);
	borrow_old(&b);
	borrow_old(&c);
	clock_test_advance(QUANTUM_US);
	give_back(&kept);
	give_back(&b);
	give_back(&c);
	borrow(&b);
	give_back(&b);
	borrow(&c);
	borrow(&waits);
	small.size = 1;
	borrow(&small);
	assert_string_equal(traced, "keptabcbc");
	assert_int_equal(stats().server_idle, 2);
	clock_test_advance(YOUNG_US);
	borrow_old(&e); /* closes one of them */
	assert_string_equal(traced, "keptabcbce");
	give_back(&a);
	assert_string_equal(traced, "keptabcbcewaits");
	give_back(&waits);
	assert_string_equal(traced, "keptabcbcewaitssmall");
	give_back(&small);
	give_back(&c);
	give_back(&e);
}

static void
serve_old(unsigned key, unsigned times)
{
	struct client c = { .name = "", .key = key };

	for (; times > 0; times--) {
		borrow_old(&c);
		give_back(&c);
	}
}

/* The order names it before the one that waits for a turn, and would name it again, without end. */
static void
who_holds_nothing_waits_for_no_turn_of_another(void **state)
{
	CLIENT(quiet, 2);
	CLIENT(young, 3);
	CLIENT(waits, 1);

	(void)state;
	open_small_shared(4);
	borrow_old(&quiet);
	quiet.lease.conn->state = PG_BROKEN;
	give_back(&quiet);
	serve_old(4, 3);
	serve_old(5, 3);
	serve_old(1, 1);
	clock_test_advance(QUIET_US);
	serve_old(1, 1);
	borrow(&young);
	borrow(&waits);
	assert_int_equal(stats().server_idle, 3);
	assert_string_equal(traced, "quietyoung");
	borrow(&quiet); /* closes that of the one that waits: it has the fewest uses */
	assert_string_equal(traced, "quietyoungquiet");
	leave(&waits);
	give_back(&young);
	give_back(&quiet);
}

static void
who_has_no_connection_logs_in_first(void **state)
{
	CLIENT(has, 1);
	CLIENT(hung, 8);
	CLIENT(more, 1);
	CLIENT(newcomer, 2);

	(void)state;
	open_small_shared(10);
	borrow_old(&has);
	fake.login_us = 3600u * 1000000u;
	borrow(&hung);
	assert_int_equal(stats().server_login, 1);
	fake.login_us = 0;
	borrow(&more);
	borrow(&newcomer);
	assert_int_equal(stats().client_waiting, 3);
	clock_test_advance(LOGIN_US);
	while (stats().client_waiting == 3)
		worker_turn(worker, 200);
	pool_fixture_turns();
	assert_string_equal(traced, "hasnewcomer");
	leave(&hung);
	leave(&more);
	give_back(&newcomer);
	give_back(&has);
}

/* ---- whom a newcomer spares ---- */

/* As many tenants that come again and again, each with its connection, which is idle. */
static void
open_warm(unsigned budget, unsigned warm)
{
	unsigned key;

	conf.max_server_connections = budget;
	reopen();
	for (key = 1; key <= warm; key++)
		serve_old(key, 4);
}

static void
nobody_waits_for_logins_that_are_not_there(void **state)
{
	CLIENT(held, 9);
	CLIENT(newcomer, 10);

	(void)state;
	open_warm(4, 3);
	borrow(&held);
	clock_test_advance(QUANTUM_US);
	borrow(&newcomer);
	assert_string_equal(traced, "heldnewcomer");
	give_back(&held);
	give_back(&newcomer);
}

/* All are warm, and a login hangs. */
static void
a_quarter_is_not_guarded(void **state)
{
	struct client n[3] = { 0 };
	unsigned i;

	(void)state;
	open_warm(8, 8);
	fake.login_us = 3600u * 1000000u;
	for (i = 0; i < 3; i++) {
		n[i] = (struct client){ .name = "", .key = 11 + i };
		borrow(&n[i]);
	}
	assert_int_equal(stats().server_login, 2);
	assert_int_equal(stats().server_idle, 6);
	for (i = 0; i < 3; i++)
		leave(&n[i]);
	flow_abort_all(worker, ERR_SHUTDOWN, "over");
	pool_fixture_turns();
}

static void
of_equals_the_longest_idle_is_closed(void **state)
{
	struct client c[4] = { 0 };
	CLIENT(newcomer, 9);
	CLIENT(second, 2);
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++) {
		c[i] = (struct client){ .name = "", .key = 1 + i };
		borrow(&c[i]);
	}
	for (i = 0; i < 4; i++)
		give_back(&c[i]);
	borrow(&newcomer);
	give_back(&newcomer);
	borrow(&second);
	assert_true(second.reused);
	give_back(&second);
	borrow(&c[0]);
	assert_false(c[0].reused);
	give_back(&c[0]);
}

static int
set_up(void **state)
{
	clock_test_freeze(true);
	alarm(20); /* a decision without an end */
	return pool_fixture_set_up(state);
}

static int
tear_down(void **state)
{
	int rc = pool_fixture_tear_down(state);

	clock_test_freeze(false);
	return rc;
}

#define TURN_CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TURN_CASE(what_a_pool_may_not_lend_is_not_waited_for),
		TURN_CASE(who_holds_nothing_waits_for_no_turn_of_another),
		TURN_CASE(who_has_no_connection_logs_in_first),
		TURN_CASE(nobody_waits_for_logins_that_are_not_there),
		TURN_CASE(a_quarter_is_not_guarded),
		TURN_CASE(of_equals_the_longest_idle_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
