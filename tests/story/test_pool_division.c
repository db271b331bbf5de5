/* SPDX-License-Identifier: MIT */
/* Servers that several databases share, divided among processes: what is told, what is kept. */
#include "pool_fixture.h"
#include "pool_host_view.h"

enum { SECOND_US = 1000000, HOSTS = 70 };

static unsigned wanted;

static void
count_wanted(void *arg)
{
	(void)arg;
	wanted++;
}

static void
open_whole(void)
{
	conf.default_pool_size = 20;
	conf.max_server_connections = 40;
	reopen();
}

static void
open_divided(unsigned max_connections)
{
	open_whole();
	fake.max_connections = max_connections;
	wanted = 0;
	pools_divide(pools, count_wanted, NULL);
}

/* Its own database's part is by the number of replicas alone. */
static void
a_server_of_one_database_is_not_divided(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 1);

	(void)state;
	open_divided(117);
	borrow(&a);
	borrow(&b);
	borrow(&c);
	assert_string_equal(traced, "abc");
	assert_int_equal(host_view("fake:0").stats.part, UINT_MAX);
	assert_false(host_view("fake:0").stats.is_shared);
	assert_int_equal(wanted, 0);
	give_back(&a);
	give_back(&b);
	give_back(&c);
}

static void
a_cluster_is_divided_from_its_first_database_on(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 1);

	(void)state;
	conf.hosts_are_shared = true;
	open_divided(27);
	borrow(&a);
	assert_true(host_view("fake:0").stats.is_shared);
	assert_int_equal(host_view("fake:0").stats.part, 1);
	borrow(&b);
	assert_string_equal(traced, "a");
	give_back(&a);
	borrow(&c);
	give_back(&b);
	give_back(&c);
	assert_int_equal(fake.connects, 1);
}

/* 20 - 17, over all of its databases. */
static void
a_shared_server_takes_what_it_has_for_clients(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 2);
	CLIENT(c, 3);
	CLIENT(d, 4);

	(void)state;
	open_whole();
	fake.max_connections = 20;
	borrow(&a);
	borrow(&b);
	borrow(&c);
	borrow(&d);
	assert_string_equal(traced, "abc");
	give_back(&a);
	assert_string_equal(traced, "abcd");
	give_back(&b);
	give_back(&c);
	give_back(&d);
}

/* (47 - 17) / 10 */
static void
a_shared_server_has_a_tenth_before_the_first_word(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 2);
	CLIENT(c, 3);
	CLIENT(d, 4);

	(void)state;
	open_divided(47);
	borrow(&a);
	borrow(&b);
	assert_true(host_view("fake:0").stats.is_shared);
	assert_false(host_view("fake:0").stats.is_told);
	assert_int_equal(host_view("fake:0").stats.part, 3);
	borrow(&c);
	wanted = 0;
	borrow(&d);
	assert_string_equal(traced, "abc");
	assert_int_equal(fake.open, 3);
	assert_int_equal(wanted, 1);
	pools_host_limit(pools, SLICE_LIT("fake:0"), 4);
	pool_fixture_turns();
	assert_string_equal(traced, "abcd");
	assert_true(host_view("fake:0").stats.is_told);
	give_back(&a);
	give_back(&b);
	give_back(&c);
	give_back(&d);
}

static void
a_server_that_has_said_nothing_has_two(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 2);
	CLIENT(c, 3);

	(void)state;
	open_divided(0);
	borrow(&a);
	borrow(&b);
	borrow(&c);
	assert_string_equal(traced, "ab");
	give_back(&a);
	assert_string_equal(traced, "abc");
	assert_int_equal(fake.open, 2);
	give_back(&b);
	give_back(&c);
}

/* The word of the others stays, whatever the server says of itself later. */
static void
what_was_told_is_not_lowered_to_a_tenth(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 2);

	(void)state;
	open_divided(47);
	borrow(&a);
	borrow(&b);
	pools_host_limit(pools, SLICE_LIT("fake:0"), 25);
	fake.max_connections = 57;
	clock_test_advance(POOL_ASK_AGAIN_US);
	give_back(&a);
	give_back(&b);
	borrow(&a);
	assert_int_equal(host_view("fake:0").stats.part, 25);
	give_back(&a);
}

/* The other replicas' need decides: idle ones go at once, what is lent when it comes back. */
static void
a_limit_from_outside_is_kept(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 2);
	CLIENT(c, 3);
	CLIENT(d, 4);
	CLIENT(e, 5);

	(void)state;
	open_whole();
	borrow(&a);
	borrow(&b);
	borrow(&c);
	borrow(&d);
	give_back(&d);
	pools_host_limit(pools, SLICE_LIT("elsewhere:1"), 1);
	pools_host_limit(pools, SLICE_LIT("fake:0"), 2);
	assert_int_equal(fake.open, 3);
	borrow(&e);
	assert_string_equal(traced, "abcd");
	give_back(&a);
	assert_int_equal(fake.open, 2);
	assert_string_equal(traced, "abcd");
	give_back(&b); /* within the limit: its slot is e's */
	assert_string_equal(traced, "abcde");
	assert_int_equal(fake.open, 2);
	pools_host_limit(pools, SLICE_LIT("fake:0"), UINT_MAX);
	give_back(&c);
	give_back(&e);
	borrow(&a);
	assert_int_equal(fake.open, 3);
	give_back(&a);
}

/* As when its password has changed: there are two pools for a while. */
static void
two_targets_of_one_tenant_do_not_share_a_server(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 2);

	(void)state;
	open_divided(47);
	a.password = "old";
	b.password = "new";
	borrow(&a);
	borrow(&b);
	assert_int_equal(stats().server_active, 2);
	assert_false(host_view("fake:0").stats.is_shared);
	assert_int_equal(host_view("fake:0").stats.part, UINT_MAX);
	borrow(&c);
	assert_true(host_view("fake:0").stats.is_shared);
	give_back(&a);
	give_back(&b);
	give_back(&c);
}

/* It waits for its host when its size is lowered to what it has; then both come up. */
static void
who_waits_for_a_host_notices_that_replicas_went(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(c, 1);

	(void)state;
	open_whole();
	fake.max_connections = 23;
	borrow(&a);
	borrow(&b);
	pools_host_limit(pools, SLICE_LIT("fake:0"), 2);
	borrow(&c);
	pools_replicas(pools, 3);
	pools_host_limit(pools, SLICE_LIT("fake:0"), 6);
	pool_fixture_turns();
	assert_string_equal(traced, "ab");
	pools_replicas(pools, 1);
	pool_fixture_turns();
	assert_string_equal(traced, "abc");
	give_back(&a);
	give_back(&b);
	give_back(&c);
}

/* Or it would have its two connections for as long as the question is rare. */
static void
a_question_that_was_lost_is_asked_at_the_next_login(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 2);
	CLIENT(c, 3);

	(void)state;
	open_divided(57);
	fake.lost_asks = 1;
	borrow(&a);
	assert_string_equal(traced, "a!database_failed");
	clock_test_advance(60 * SECOND_US);
	borrow(&a);
	borrow(&b);
	borrow(&c);
	assert_string_equal(traced, "a!database_failedabc");
	assert_int_equal(fake.asks, 2);
	assert_int_equal(host_view("fake:0").stats.max_connections, 57);
	give_back(&a);
	give_back(&b);
	give_back(&c);
}

/* More than are shown in one hold of the lock, each once, every time. */
static void
all_hosts_are_told(void **state)
{
	static char names[HOSTS][8];
	static struct client c[HOSTS];
	unsigned i;

	(void)state;
	conf.default_pool_size = 1;
	conf.max_server_connections = 200;
	reopen();
	for (i = 0; i < HOSTS; i++) {
		snprintf(names[i], sizeof(names[i]), "h%u", i);
		c[i] = (struct client){ .name = "", .key = i, .host = names[i] };
		borrow(&c[i]);
	}
	for (i = 0; i < 3; i++) {
		struct host_view view = host_view("h69:0");

		assert_int_equal(view.all, HOSTS);
		assert_int_equal(view.told, 1);
		assert_int_equal(view.stats.used, 1);
		assert_int_equal(view.stats.want, 1);
	}
	for (i = 0; i < HOSTS; i++)
		give_back(&c[i]);
	assert_int_equal(host_view("h69:0").stats.want, 1); /* idle, but just used */
	clock_test_advance(11 * SECOND_US);
	assert_int_equal(host_view("h69:0").stats.want, 0);
	assert_int_equal(host_view("h69:0").stats.used, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		POOL_CASE(a_server_of_one_database_is_not_divided),
		POOL_CASE(a_cluster_is_divided_from_its_first_database_on),
		POOL_CASE(a_shared_server_takes_what_it_has_for_clients),
		POOL_CASE(a_shared_server_has_a_tenth_before_the_first_word),
		POOL_CASE(a_server_that_has_said_nothing_has_two),
		POOL_CASE(what_was_told_is_not_lowered_to_a_tenth),
		POOL_CASE(a_limit_from_outside_is_kept),
		POOL_CASE(two_targets_of_one_tenant_do_not_share_a_server),
		POOL_CASE(who_waits_for_a_host_notices_that_replicas_went),
		POOL_CASE(a_question_that_was_lost_is_asked_at_the_next_login),
		POOL_CASE(all_hosts_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
