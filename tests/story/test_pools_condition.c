/* SPDX-License-Identifier: MIT */
/* What of the pools is a condition of the whole process, and what is one tenant's own affair. */
#include "pool_fixture.h"

#define AT_FULL(n, k) struct client n = { .name = #n, .key = k, .host = "full" }

static const char *
pools_reason(void)
{
	static struct condition found;

	found = (struct condition){ .is_ill = false };
	pools_condition(pools, &found);
	assert_int_equal(found.is_ill, found.reason[0] != '\0');
	return found.reason;
}

static void
a_full_shared_server_is_a_condition_and_a_tenants_own_is_none(void **state)
{
	AT_FULL(a, 1);
	AT_FULL(b, 1);
	AT_FULL(c, 2);

	(void)state;
	conf.default_pool_size = 20;
	conf.max_server_connections = 40;
	reopen();
	fake.full_at = 1;
	borrow(&a);
	borrow(&b);
	assert_string_equal(traced, "a");
	assert_string_equal(pools_reason(), ""); /* only one tenant's requests wait there */
	borrow(&c);
	assert_non_null(strstr(pools_reason(), "server full:0 is full: 1 of its connections"));
	leave(&b);
	leave(&c);
	assert_string_equal(pools_reason(), "");
	give_back(&a);
}

/* One pool that is full, by its own size, is no condition. */
static void
all_connections_in_use_and_waited_for_are_a_condition(void **state)
{
	CLIENT(a, 1);
	CLIENT(b, 1);
	CLIENT(waits, 1);
	CLIENT(c, 2);
	CLIENT(d, 3);
	CLIENT(e, 4);

	(void)state;
	borrow(&a);
	borrow(&b);
	borrow(&waits);
	assert_string_equal(pools_reason(), "");
	borrow(&c);
	borrow(&d);
	assert_string_equal(pools_reason(), "");
	borrow(&e);
	assert_string_equal(traced, "abcd");
	assert_string_equal(pools_reason(),
	    "4 of 4 server connections are in use, and requests of 1 databases wait for one; raise "
	    "max_server_connections, or add a replica.");
	leave(&e);
	assert_string_equal(pools_reason(), "");
	leave(&waits);
	give_back(&a);
	give_back(&b);
	give_back(&c);
	give_back(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		POOL_CASE(a_full_shared_server_is_a_condition_and_a_tenants_own_is_none),
		POOL_CASE(all_connections_in_use_and_waited_for_are_a_condition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
