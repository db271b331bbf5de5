/* SPDX-License-Identifier: MIT */
/* Other settings while connections are lent, idle and waited for, as a reload brings them. */
#include "pool/pool_internal.h"
#include "pool_fixture.h"

static void
configure(unsigned max_server_connections)
{
	conf.max_server_connections = max_server_connections;
	pools_configure(pools, &conf);
	pool_fixture_turns();
}

static void
the_same_settings_close_nothing(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 2);

	(void)state;
	borrow(&a);
	borrow(&b);
	give_back(&a);
	configure(4);
	assert_int_equal(fake.closes, 0);
	assert_int_equal(stats().server_idle, 1);
	borrow(&a);
	assert_true(a.reused);
	give_back(&a);
	give_back(&b);
}

static void
a_lower_budget_closes_idle_ones_and_none_that_is_lent(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 2);
	CLIENT(c, 3);

	(void)state;
	borrow(&a);
	borrow(&b);
	borrow(&c);
	give_back(&a);
	give_back(&b);
	configure(1);
	assert_int_equal(fake.open, 1);
	assert_true(c.holds);
	give_back(&c);
	assert_int_equal(stats().server_max, 1);
	borrow(&c);
	assert_true(c.reused);
	give_back(&c);
}

static void
a_higher_budget_serves_who_waits(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 2);

	(void)state;
	conf.max_server_connections = 1;
	reopen();
	borrow(&a);
	borrow(&b);
	assert_false(b.holds);
	fake.limit = 4;
	configure(4);
	assert_true(b.holds);
	give_back(&a);
	give_back(&b);
}

static void
times_are_those_of_the_next_round(void **state)
{
	CLIENT(a, 1);

	(void)state;
	borrow(&a);
	give_back(&a);
	conf.server_idle_timeout_us = 1000;
	configure(4);
	for (unsigned i = 0; i < 500 && fake.open > 0; i++)
		worker_turn(worker, 10);
	assert_int_equal(fake.open, 0);
}

/* A rest is up to twenty seconds long. */
static void
a_rest_ends_where_times_are_others(void **state)
{
	CLIENT(a, 1);

	(void)state;
	borrow(&a);
	give_back(&a);
	timer_start(&pools->janitor, 0);
	while (!pools->janitor_rests)
		worker_turn(worker, 10);
	conf.server_idle_timeout_us = 1000;
	configure(4);
	for (unsigned i = 0; i < 500 && fake.open > 0; i++)
		worker_turn(worker, 10);
	assert_int_equal(fake.open, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		POOL_CASE(the_same_settings_close_nothing),
		POOL_CASE(a_lower_budget_closes_idle_ones_and_none_that_is_lent),
		POOL_CASE(a_higher_budget_serves_who_waits),
		POOL_CASE(times_are_those_of_the_next_round),
		POOL_CASE(a_rest_ends_where_times_are_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
