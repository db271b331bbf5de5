/* SPDX-License-Identifier: MIT */
/*
 * A server of several tenants that computes for as many short statements at once as it has
 * processors. The clock stands still, so that a statement is short until the test says otherwise.
 */
#include "pool_fixture.h"
#include "pool_host_view.h"
#include "pool_warm.h"

static void
serve_once(unsigned key)
{
	struct client c = { .name = "", .key = key };

	borrow(&c);
	give_back(&c);
}

/* The tenants 1 to n are served just now: they are the crowd. */
static void
serve_each(unsigned n)
{
	unsigned key;

	for (key = 1; key <= n; key++)
		serve_once(key);
}

static void
a_shared_host_is_given_so_many_short_statements(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 1);
	CLIENT(d, 2);

	(void)state;
	open_shared();
	warm_up(1, 3);
	warm_up(2, 1);
	serve_each(2);
	borrow(&a);
	borrow(&b);
	borrow(&c);
	borrow(&d);
	assert_string_equal(traced, "ab");
	assert_int_equal(stats().client_waiting, 2);
	assert_int_equal(stats().server_idle, 2); /* not for want of a connection */
	give_back(&a);
	assert_string_equal(traced, "abd"); /* who holds nothing before who holds one */
	give_back(&b);
	assert_string_equal(traced, "abdc");
	give_back(&c);
	give_back(&d);
}

/* Ten tenants with many waiters each: one that was not served lately is next. */
static void
tenants_take_turns(void **state)
{
	struct client noisy[6] = { 0 };
	CLIENT(quiet, 9);
	unsigned i;

	(void)state;
	open_shared();
	for (i = 1; i <= 3; i++)
		warm_up(i, 2);
	warm_up(9, 1);
	clock_test_advance(YOUNG_US);
	serve_once(9);
	clock_test_advance(1);
	serve_each(3);
	for (i = 0; i < 6; i++) {
		noisy[i] = (struct client){ .name = "n", .key = 1 + i % 3 };
		borrow(&noisy[i]);
		clock_test_advance(1);
	}
	assert_string_equal(traced, "nn");
	borrow(&quiet); /* came last, and is served before the four that wait */
	for (i = 0; i < 2; i++)
		give_back(&noisy[i]);
	assert_string_equal(traced, "nnquietn");
	give_back(&quiet);
	for (i = 2; i < 6; i++)
		give_back(&noisy[i]);
	assert_string_equal(traced, "nnquietnnnn");
}

/* What is kept from it is for others, and there are none. */
static void
a_tenant_alone_is_given_all_it_asks_for(void **state)
{
	struct client alone[5] = { 0 };
	CLIENT(other, 2);
	unsigned i;

	(void)state;
	open_shared();
	warm_up(1, 5);
	warm_up(2, 1);
	serve_once(2);
	serve_once(1);
	clock_test_advance(CROWD_US);
	for (i = 0; i < 5; i++) {
		if (i == 4)
			borrow(&other);
		alone[i] = (struct client){ .name = "a", .key = 1 };
		borrow(&alone[i]);
	}
	assert_string_equal(traced, "aaaaother"); /* not alone any more: the fifth waits */
	give_back(&other);
	for (i = 0; i < 5; i++)
		give_back(&alone[i]);
	assert_string_equal(traced, "aaaaothera");
}

/* Who was not served lately is none of the crowd: up to twice as many. */
static void
a_quiet_tenant_does_not_wait_for_a_turn(void **state)
{
	struct client c[6] = { 0 };
	unsigned i;

	(void)state;
	open_shared();
	for (i = 1; i <= 4; i++)
		warm_up(i, 2);
	clock_test_advance(QUIET_US);
	for (i = 0; i < 6; i++) {
		c[i] = (struct client){ .name = "c", .key = 1 + i };
		if (i == 4)
			c[i].key = 1; /* it was served just now */
		if (i == 5)
			c[i].key = 2;
		borrow(&c[i]);
	}
	assert_string_equal(traced, "cccc");
	assert_int_equal(stats().client_waiting, 2);
	for (i = 0; i < 6; i++)
		give_back(&c[i]);
	assert_string_equal(traced, "cccccc");
}

static void
a_statement_that_takes_long_counts_no_more(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 2);

	(void)state;
	open_shared();
	warm_up(1, 2);
	warm_up(2, 1);
	serve_each(2);
	borrow(&a);
	borrow(&b);
	borrow(&c);
	worker_turn(worker, 50);
	pool_fixture_turns();
	assert_string_equal(traced, "ab");
	clock_test_advance(YOUNG_US);
	while (!c.holds) /* the timer looks */
		worker_turn(worker, 200);
	give_back(&a);
	give_back(&b);
	give_back(&c);
}

static void
a_waiter_that_leaves_is_not_served(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 2);
	CLIENT(d, 3);

	(void)state;
	open_shared();
	warm_up(1, 2);
	warm_up(2, 1);
	warm_up(3, 1);
	serve_each(3);
	borrow(&a);
	borrow(&b);
	borrow(&c);
	borrow(&d);
	leave(&c);
	give_back(&a);
	assert_string_equal(traced, "abc!client_goned");
	give_back(&b);
	give_back(&d);
}

/* On Neon each tenant has a server of its own. */
static void
a_host_of_one_tenant_has_no_such_ceiling(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 1);

	(void)state;
	open_shared();
	conf.hosts_are_shared = false;
	reopen();
	borrow(&a);
	borrow(&b);
	borrow(&c);
	assert_string_equal(traced, "abc");
	give_back(&a);
	give_back(&b);
	give_back(&c);
}

static unsigned
lent_at_once(const char *host)
{
	static struct client c[200];
	unsigned i, lent = 0;

	open_shared();
	conf.default_pool_size = conf.max_server_connections = 400;
	conf.max_host_statements = 0;
	reopen();
	for (i = 0; i < 200; i++) {
		c[i] = (struct client){ .name = "", .key = 1 + i % 100, .host = host };
		borrow(&c[i]);
	}
	for (i = 0; i < 200; i++)
		lent += c[i].holds;
	for (i = 0; i < 200; i++) {
		traced[0] = '\0'; /* it has no room for all */
		leave(&c[i]);
	}
	return lent;
}

/* Its processors are ours; of another machine's nothing is known. */
static void
without_a_setting_only_a_local_host_has_it(void **state)
{
	(void)state;
	assert_int_equal(lent_at_once("db.example"), 200);
	assert_in_range(lent_at_once("127.0.0.1"), 1, 199);
	assert_in_range(lent_at_once("localhost"), 1, 199);
	assert_in_range(lent_at_once("/run/postgresql"), 1, 199);
}

/* Logins hang at one host. Who waits for another's is not behind those who wait for them. */
static void
hosts_do_not_wait_for_each_other(void **state)
{
	struct client hung[STATEMENTS + 1] = { 0 };
	struct client quick[STATEMENTS + 1] = { 0 };
	unsigned i;

	(void)state;
	open_shared();
	fake.login_us = 3600u * 1000000u;
	for (i = 0; i <= STATEMENTS; i++) {
		hung[i] = (struct client){ .name = "h", .key = 1 + i, .host = "hung" };
		borrow(&hung[i]);
	}
	fake.login_us = 0;
	for (i = 0; i <= STATEMENTS; i++) {
		quick[i] = (struct client){ .name = "q", .key = 11 + i, .host = "quick" };
		flow_start(&quick[i].flow, &client_kind, worker, NULL);
	}
	pool_fixture_turns();
	assert_int_equal(stats().server_login, STATEMENTS);
	for (i = 0; i < STATEMENTS; i++)
		give_back(&quick[i]);
	assert_string_equal(traced, "qqq");
	give_back(&quick[STATEMENTS]);
	flow_abort_all(worker, ERR_SHUTDOWN, "over");
	pool_fixture_turns();
}

#define BUSY_CASE(fn) cmocka_unit_test_setup_teardown(fn, pool_warm_set_up, pool_warm_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BUSY_CASE(a_shared_host_is_given_so_many_short_statements),
		BUSY_CASE(tenants_take_turns),
		BUSY_CASE(a_tenant_alone_is_given_all_it_asks_for),
		BUSY_CASE(a_quiet_tenant_does_not_wait_for_a_turn),
		BUSY_CASE(a_statement_that_takes_long_counts_no_more),
		BUSY_CASE(a_waiter_that_leaves_is_not_served),
		BUSY_CASE(a_host_of_one_tenant_has_no_such_ceiling),
		BUSY_CASE(without_a_setting_only_a_local_host_has_it),
		BUSY_CASE(hosts_do_not_wait_for_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
