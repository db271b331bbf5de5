/* SPDX-License-Identifier: MIT */
/* Who is served, and at whose cost: headroom, order, the turn of a young connection, the victim. */
#include "pool_fixture.h"

enum { CLIENTS = 40 };

static struct client crowd[CLIENTS];

/* So many clients of one key, from this place on; those that were granted one hold it. */
static void
borrow_many(unsigned from, unsigned n, unsigned key)
{
	unsigned i;

	for (i = from; i < from + n; i++) {
		crowd[i] = (struct client){ .name = "", .key = key };
		borrow(&crowd[i]);
	}
}

static void
give_back_all(void)
{
	bool any = true;
	unsigned i;

	while (any) {
		any = false;
		for (i = 0; i < CLIENTS; i++)
			if (crowd[i].holds) {
				give_back(&crowd[i]);
				any = true;
			}
	}
}

static void
budget_open(unsigned budget, unsigned size)
{
	memset(crowd, 0, sizeof(crowd));
	conf.max_server_connections = budget;
	conf.default_pool_size = size;
	reopen();
}

static void
one_pool_alone_leaves_a_quarter(void **state)
{
	(void)state;
	budget_open(20, 20);
	borrow_many(0, 25, 1);
	assert_int_equal(stats().server_active, 15);
	assert_int_equal(stats().client_waiting, 10);
	borrow_many(25, 1, 2);
	assert_true(crowd[25].holds);
	give_back_all();
	assert_int_equal(fake.open, 16);
}

/* Ten pools that hold two each of 20 have not left the last two to each other. */
static void
the_last_tenth_is_for_those_who_hold_nothing(void **state)
{
	unsigned i;

	(void)state;
	budget_open(20, 20);
	for (i = 0; i < 9; i++)
		borrow_many(2 * i, 2, 1 + i);
	assert_int_equal(stats().server_active, 18);
	borrow_many(18, 1, 1);
	assert_int_equal(stats().client_waiting, 1);
	borrow_many(19, 1, 20);
	borrow_many(20, 1, 21);
	assert_true(crowd[19].holds && crowd[20].holds);
	give_back_all();
}

/* All pools are one owner's (the catalog's): nothing is kept free for others. */
static void
a_single_owner_uses_all(void **state)
{
	(void)state;
	conf.single_owner = true;
	budget_open(8, 8);
	borrow_many(0, 8, 1);
	assert_int_equal(stats().server_active, 8);
	give_back_all();
}

/* An idle connection is free, but for others too: its own pool asks the rule before it takes it. */
static void
ones_own_idle_connection_is_asked_for_too(void **state)
{
	(void)state;
	budget_open(8, 8);
	borrow_many(0, 6, 1);
	give_back(&crowd[5]);
	borrow_many(10, 1, 2);
	borrow_many(11, 1, 3);
	assert_int_equal(stats().server_idle, 1);
	borrow_many(12, 1, 1);
	assert_false(crowd[12].holds);
	give_back(&crowd[10]);
	give_back(&crowd[11]);
	assert_true(crowd[12].holds);
	assert_int_equal(fake.connects, 8);
	give_back_all();
}

/* The one that waits longer holds more. */
static void
who_holds_least_is_next(void **state)
{
	CLIENT(more, 1);
	CLIENT(less, 2);
	CLIENT(least, 5);

	(void)state;
	budget_open(4, 4);
	borrow_many(0, 1, 1);
	borrow_many(1, 1, 3);
	borrow_many(2, 1, 4);
	borrow_many(3, 1, 6);
	borrow(&more);
	borrow(&less);
	borrow(&least);
	give_back(&crowd[1]);
	assert_string_equal(traced, "less"); /* of those that hold nothing, who came first */
	give_back(&crowd[2]);
	assert_string_equal(traced, "lessleast");
	give_back_all();
	assert_string_equal(traced, "lessleastmore");
	give_back(&more);
	give_back(&less);
	give_back(&least);
}

static struct pg_conn *late_login;
static void (*late_login_over)(void *);

static void
keep_for_later(struct pg_conn *c, uint64_t us, void (*fn)(void *))
{
	(void)us;
	late_login = c;
	late_login_over = fn;
}

/* A login of ten seconds. */
static void
borrow_slowly(struct client *c)
{
	fake_later = keep_for_later;
	borrow(c);
	fake_later = NULL;
	clock_test_advance(10 * 1000000);
	late_login_over(late_login);
	pool_fixture_turns();
}

/* A login of ten seconds has the longest turn: 250 ms. */
static void
young_connection_is_returned(uint64_t age_us, const char *expected)
{
	CLIENT(a, 1);
	CLIENT(own, 1);
	CLIENT(other, 2);
	CLIENT(x, 3);

	budget_open(2, 2);
	borrow(&x);
	traced[0] = '\0';
	clock_test_freeze(true);
	borrow_slowly(&a);
	borrow(&other);
	borrow(&own);
	clock_test_advance(age_us);
	give_back(&a);
	clock_test_freeze(false);
	assert_string_equal(traced, expected);
	give_back(&x);
	give_back(own.holds ? &own : &other);
	give_back(own.holds ? &own : &other);
}

static void
a_young_connection_serves_its_own_pool_first(void **state)
{
	(void)state;
	young_connection_is_returned(0, "aown");
}

static void
a_turn_has_an_end(void **state)
{
	(void)state;
	young_connection_is_returned(260000, "aother");
}

/* query_wait_timeout / 4 for a round of all who wait: two pools share two connections. */
static void
a_turn_is_short_when_the_wait_is(void **state)
{
	(void)state;
	conf.query_wait_timeout_us = 4 * 40000;
	young_connection_is_returned(50000, "aother");
}

/* Budget 8: of five quiet pools' only connections, the four used last are kept from a pool that has
 * some; one that has none may take any. */
static void
only_connections_are_kept_up_to_half_of_the_budget(void **state)
{
	unsigned i;

	(void)state;
	budget_open(8, 8);
	for (i = 0; i < 5; i++)
		borrow_many(i, 1, 10 + i);
	for (i = 0; i < 5; i++)
		give_back(&crowd[i]);
	borrow_many(5, 3, 1);
	assert_int_equal(fake.open, 8);
	borrow_many(8, 1, 1);
	assert_true(crowd[8].holds);
	assert_int_equal(fake.key_open[10], 0);
	borrow_many(9, 1, 1);
	assert_false(crowd[9].holds);
	assert_int_equal(stats().server_idle, 4);
	borrow_many(10, 1, 2);
	assert_true(crowd[10].holds);
	assert_int_equal(stats().server_idle, 3);
	give_back_all();
}

/* One that was not used within server_idle_timeout is not kept, even before the janitor's round. */
static void
a_connection_left_over_is_not_kept(void **state)
{
	(void)state;
	budget_open(4, 4);
	borrow_many(0, 1, 10);
	give_back(&crowd[0]);
	clock_test_advance(conf.server_idle_timeout_us + 1);
	borrow_many(1, 1, 1);
	borrow_many(2, 1, 2);
	borrow_many(3, 1, 3);
	give_back(&crowd[2]); /* so that another is free, and kept */
	borrow_many(4, 1, 1);
	assert_true(crowd[4].holds);
	assert_int_equal(fake.key_open[10], 0);
	assert_int_equal(fake.key_open[2], 1);
	give_back_all();
}

/* A pool's second idle connection is not kept, however lately it was used. */
static void
what_is_not_the_only_one_is_not_kept(void **state)
{
	(void)state;
	budget_open(8, 8);
	borrow_many(0, 1, 11);
	give_back_all();
	borrow_many(0, 2, 10);
	give_back_all();
	borrow_many(0, 6, 1);
	assert_int_equal(stats().server_active, 6);
	assert_int_equal(fake.key_open[10], 1);
	assert_int_equal(fake.key_open[11], 1);
	give_back_all();
}

/* A login is coming for this waiter, but a connection of its own that comes back is there
 * before. */
static void
an_idle_connection_serves_while_a_login_is_coming(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);

	(void)state;
	budget_open(8, 8);
	borrow_slowly(&a);
	clock_test_advance(1000000); /* its turn is over */
	fake_later = keep_for_later;
	borrow(&b);
	fake_later = NULL;
	assert_int_equal(stats().server_login, 1);
	give_back(&a);
	assert_string_equal(traced, "ab");
	late_login_over(late_login);
	give_back(&b);
}

/* Not the longest idle, and not of the pool with the most: fewest uses for each connection. */
static void
the_least_used_is_closed(void **state)
{
	unsigned i;

	(void)state;
	budget_open(4, 2);
	for (i = 0; i < 20; i++) {
		borrow_many(0, 1, 1);
		give_back(&crowd[0]);
	}
	borrow_many(0, 2, 1);
	give_back_all();
	borrow_many(2, 2, 2);
	give_back_all();
	assert_int_equal(fake.open, 4);
	borrow_many(4, 1, 3);
	assert_int_equal(fake.key_open[1], 2);
	assert_int_equal(fake.key_open[2], 1);
	clock_test_advance(conf.server_idle_timeout_us - 20000000);
	borrow_many(5, 1, 2); /* the twenty uses have faded: one is more than they are now */
	give_back(&crowd[5]);
	borrow_many(6, 1, 4);
	assert_int_equal(fake.key_open[1], 1);
	assert_int_equal(fake.key_open[2], 1);
	give_back_all();
}

/* Granted from the idle ones while it waited, but dead: it keeps its place and gets another. */
static void
a_dead_idle_connection_is_replaced_for_its_waiter(void **state)
{
	(void)state;
	budget_open(8, 8);
	borrow_many(0, 6, 1);
	crowd[5].lease.conn->dead = true;
	give_back(&crowd[5]);
	borrow_many(10, 1, 2);
	borrow_many(11, 1, 3);
	borrow_many(12, 1, 1);
	give_back(&crowd[10]);
	give_back(&crowd[11]);
	assert_true(crowd[12].holds);
	assert_false(crowd[12].reused);
	assert_int_equal(stats().borrowed_total, 9);
	give_back_all();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		POOL_CASE(one_pool_alone_leaves_a_quarter),
		POOL_CASE(the_last_tenth_is_for_those_who_hold_nothing),
		POOL_CASE(a_single_owner_uses_all),
		POOL_CASE(ones_own_idle_connection_is_asked_for_too),
		POOL_CASE(who_holds_least_is_next),
		POOL_CASE(a_young_connection_serves_its_own_pool_first),
		POOL_CASE(a_turn_has_an_end),
		POOL_CASE(a_turn_is_short_when_the_wait_is),
		POOL_CASE(only_connections_are_kept_up_to_half_of_the_budget),
		POOL_CASE(a_connection_left_over_is_not_kept),
		POOL_CASE(what_is_not_the_only_one_is_not_kept),
		POOL_CASE(an_idle_connection_serves_while_a_login_is_coming),
		POOL_CASE(the_least_used_is_closed),
		POOL_CASE(a_dead_idle_connection_is_replaced_for_its_waiter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
