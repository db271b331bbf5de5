/* SPDX-License-Identifier: MIT */
/* Servers that take fewer connections than we would open: 53300, max_connections, replicas. */
#include "pool_fixture.h"
#include "pool_host_view.h"

enum { SECOND_US = 1000000 };

#define FULL(n, k) struct client n = { .name = #n, .key = k, .host = "full" }

static void
open_wide(void)
{
	conf.default_pool_size = 20;
	conf.max_server_connections = 40;
	reopen();
}

/* Three fit; the fourth is refused, and waits for one of them instead. */
static void
a_full_server_is_given_no_more_logins(void **state)
{
	FULL(a, 1);
	FULL(b, 1);
	FULL(c, 2);
	FULL(d, 3);
	FULL(e, 4);
	CLIENT(elsewhere, 5);

	(void)state;
	open_wide();
	fake.full_at = 3;
	borrow(&a);
	borrow(&b);
	borrow(&c);
	borrow(&d);
	borrow(&e);
	assert_string_equal(traced, "abc");
	assert_int_equal(host_view("full:0").stats.limit, 3);
	assert_int_equal(host_view("full:0").stats.want, 5);
	assert_int_equal(fake.connects, 4);
	borrow(&elsewhere); /* is not held up */
	assert_string_equal(traced, "abcelsewhere");
	give_back(&a); /* its slot, at that server, is d's */
	assert_string_equal(traced, "abcelsewhered");
	assert_int_equal(fake.full_open, 3);
	give_back(&c);
	assert_string_equal(traced, "abcelsewherede");
	assert_int_equal(fake.connects, 7); /* none was refused any more */
	give_back(&b);
	give_back(&d);
	give_back(&e);
	give_back(&elsewhere);
}

static void
the_learned_limit_grows(void **state)
{
	FULL(a, 1);
	FULL(b, 2);
	FULL(c, 3);

	(void)state;
	conf.server_login_retry_us = 100000; /* the janitor comes four times as often */
	open_wide();
	fake.full_at = 2;
	borrow(&a);
	borrow(&b);
	borrow(&c);
	assert_string_equal(traced, "ab");
	fake.full_at = 3;
	worker_turn(worker, 200);
	pool_fixture_turns();
	assert_int_equal(host_view("full:0").stats.limit, 2);
	clock_test_advance(10 * SECOND_US);
	while (!c.holds)
		worker_turn(worker, 200);
	assert_int_equal(host_view("full:0").stats.limit, 3);
	give_back(&a);
	give_back(&b);
	give_back(&c);
	clock_test_advance(3600ull * SECOND_US);
	while (host_view("full:0").stats.limit != UINT_MAX)
		worker_turn(worker, 200);
}

/* Four at once, and the first of them is the one that is refused. */
static void
logins_that_work_after_a_refusal_raise_the_limit(void **state)
{
	struct client c[4] = { 0 };
	unsigned i;

	(void)state;
	open_wide();
	fake.full_at = 3;
	for (i = 0; i < 4; i++) {
		c[i] = (struct client){ .name = "c", .key = 1, .host = "full" };
		flow_start(&c[i].flow, &client_kind, worker, NULL);
	}
	pool_fixture_turns();
	assert_string_equal(traced, "ccc");
	assert_int_equal(host_view("full:0").stats.limit, 3);
	for (i = 0; i < 4; i++)
		give_back(&c[i]);
	assert_string_equal(traced, "cccc");
	assert_int_equal(fake.connects, 4);
}

/* A server with a limit of 8: how many of them one pool of it gets. */
static unsigned
held_beside(bool is_shared)
{
	static struct client c[10];
	FULL(other, 2);
	unsigned i, held;

	open_wide();
	fake.full_at = 40;
	c[0] = (struct client){ .name = "", .key = 1, .host = "full" };
	borrow(&c[0]);
	if (is_shared) {
		borrow(&other);
		give_back(&other);
	}
	pools_host_limit(pools, SLICE_LIT("full:0"), 8);
	for (i = 1; i < 10; i++) {
		c[i] = (struct client){ .name = "", .key = 1, .host = "full" };
		borrow(&c[i]);
	}
	held = stats().server_active;
	for (i = 0; i < 10; i++)
		give_back(&c[i]);
	return held;
}

static void
a_shared_server_has_headroom_of_its_own(void **state)
{
	(void)state;
	assert_int_equal(held_beside(true), 6);
}

static void
a_server_of_one_pool_is_that_pools_whole(void **state)
{
	(void)state;
	assert_int_equal(held_beside(false), 8);
}

/* Nothing of ours is in use there: there is nothing to wait for. */
static void
who_finds_a_full_server_is_told(void **state)
{
	FULL(a, 1);
	FULL(b, 1);

	(void)state;
	open_wide();
	fake.full_at = 0;
	borrow(&a);
	assert_string_equal(traced, "a!overloaded");
	assert_string_equal(a.flow.err.detail,
	    "The tenant's database has no connection free. Try again in a moment.");
	assert_non_null(strstr(a.flow.err.cause, "too many clients already (SQLSTATE 53300)"));
	assert_in_range(a.flow.err.retry_after, 1, 5);
	assert_false(a.lease.login_failed);
	borrow(&b);
	assert_int_equal(fake.connects, 1);
}

static void
the_wait_for_a_full_server_names_it(void **state)
{
	FULL(a, 1);
	FULL(b, 2);

	(void)state;
	conf.query_wait_timeout_us = 300000;
	open_wide();
	fake.full_at = 1;
	borrow(&a);
	flow_start(&b.flow, &client_kind, worker, NULL);
	while (b.flow.err.code == ERR_NONE)
		worker_turn(worker, 20);
	assert_string_equal(b.flow.err.detail,
	    "The database's server takes 1 connections from here, and none was free for this "
	    "database within 0.3 s; try again later or raise its max_connections.");
	assert_in_range(b.flow.err.retry_after, 1, 60);
	give_back(&a);
}

/* The budget has room, but that server has not: an idle connection there makes it, not another
 * server's. */
static void
room_at_a_full_server_is_made_there(void **state)
{
	FULL(a, 1);
	FULL(b, 2);
	FULL(c, 3);
	CLIENT(elsewhere, 4);

	(void)state;
	open_wide();
	fake.full_at = 2;
	borrow(&elsewhere);
	give_back(&elsewhere);
	borrow(&a);
	borrow(&b);
	give_back(&a);
	fake.full_at = 1; /* it takes even less: one refusal, then a's is closed */
	borrow(&c);
	assert_string_equal(traced, "elsewhereab");
	fake.full_at = 2;
	give_back(&b);
	assert_string_equal(traced, "elsewhereabc");
	assert_int_equal(fake.key_open[4], 1);
	give_back(&c);
}

/* Its own role's limit is no other pool's. */
static void
the_limit_of_a_role_is_that_pools_own(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 2);

	(void)state;
	open_wide();
	borrow(&a);
	fake.sqlstate = "53300";
	fake.message = "too many connections for role \"app\"";
	fake.fail_logins = 1000;
	borrow(&b);
	assert_string_equal(traced, "a");
	assert_int_equal(host_view("fake:0").stats.limit, UINT_MAX);
	fake.fail_logins = 0;
	borrow(&c);
	assert_string_equal(traced, "ac");
	assert_int_equal(fake.connects, 3);
	give_back(&a); /* goes to b */
	assert_string_equal(traced, "acb");
	assert_int_equal(fake.connects, 3);
	give_back(&b);
	give_back(&c);
}

/* The server has room: its max_connections is not what is to be raised. */
static void
the_wait_for_a_role_at_its_limit_names_that(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);

	(void)state;
	conf.query_wait_timeout_us = 300000;
	open_wide();
	borrow(&a);
	fake.sqlstate = "53300";
	fake.message = "too many connections for role \"app\"";
	fake.fail_logins = 1000;
	flow_start(&b.flow, &client_kind, worker, NULL);
	while (b.flow.err.code == ERR_NONE)
		worker_turn(worker, 20);
	assert_string_equal(b.flow.err.detail,
	    "All 1 connections that the role or database takes from here were in use for 0.3 s; "
	    "try again later or raise its CONNECTION LIMIT.");
	give_back(&a);
}

/* 23 - 17 are for all processes like this one. */
static void
a_pool_takes_its_part_of_max_connections(void **state)
{
	struct client c[8] = { 0 };
	unsigned i;

	(void)state;
	open_wide();
	fake.max_connections = 23;
	for (i = 0; i < 8; i++) {
		c[i] = (struct client){ .name = "c", .key = 1 };
		borrow(&c[i]);
	}
	assert_string_equal(traced, "cccccc");
	assert_int_equal(fake.asks, 1);
	pools_replicas(pools, 3);
	for (i = 0; i < 4; i++)
		give_back(&c[i]); /* what is too many is closed, and lent to nobody */
	assert_string_equal(traced, "cccccc");
	assert_int_equal(fake.open, 2);
	give_back(&c[4]);
	assert_string_equal(traced, "ccccccc");
	pools_replicas(pools, 100);
	for (i = 5; i < 8; i++)
		give_back(&c[i]);
	assert_int_equal(fake.open, 1);
	assert_int_equal(host_view("fake:0").stats.max_connections, 23);
}

static void
a_pool_of_a_tiny_server_has_one(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);

	(void)state;
	open_wide();
	fake.max_connections = 10;
	borrow(&a);
	borrow(&b);
	assert_string_equal(traced, "a");
	give_back(&a);
	give_back(&b);
}

/* Once for each host, and again after ten minutes, at a login. */
static void
the_question_is_rare(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 2);
	CLIENT(c, 3);
	FULL(d, 4);

	(void)state;
	open_wide();
	fake.full_at = 10;
	fake.max_connections = 100;
	borrow(&a);
	borrow(&b);
	borrow(&d);
	assert_int_equal(fake.asks, 2);
	clock_test_advance(POOL_ASK_AGAIN_US);
	borrow(&c);
	assert_int_equal(fake.asks, 3);
	give_back(&a);
	give_back(&b);
	give_back(&c);
	give_back(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		POOL_CASE(a_full_server_is_given_no_more_logins),
		POOL_CASE(the_learned_limit_grows),
		POOL_CASE(logins_that_work_after_a_refusal_raise_the_limit),
		POOL_CASE(a_shared_server_has_headroom_of_its_own),
		POOL_CASE(a_server_of_one_pool_is_that_pools_whole),
		POOL_CASE(who_finds_a_full_server_is_told),
		POOL_CASE(the_wait_for_a_full_server_names_it),
		POOL_CASE(room_at_a_full_server_is_made_there),
		POOL_CASE(the_limit_of_a_role_is_that_pools_own),
		POOL_CASE(the_wait_for_a_role_at_its_limit_names_that),
		POOL_CASE(a_pool_takes_its_part_of_max_connections),
		POOL_CASE(a_pool_of_a_tiny_server_has_one),
		POOL_CASE(the_question_is_rare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
