/* SPDX-License-Identifier: MIT */
/*
 * test_index_tenants: one flow a tenant looks after its index; what changes meanwhile is looked at
 * before it ends; and when it is time to look again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "retrieval/index_tenants.h"

#define HOUR_US (3600 * 1000000ull)

static struct indexing *x;

static int
indexing_set_up(void **state)
{
	struct index_conf conf;

	(void)state;
	index_conf_init(&conf);
	x = indexing_open(&conf);
	return 0;
}

static int
indexing_tear_down(void **state)
{
	(void)state;
	indexing_close(x);
	return 0;
}

static void
one_flow_a_tenant(void **state)
{
	(void)state;
	assert_true(indexing_is_due(x, "ann", false));
	assert_true(index_tenant_enter(x, "ann", false));
	assert_false(indexing_is_due(x, "ann", false));
	assert_false(index_tenant_enter(x, "ann", false));
	assert_true(index_tenant_enter(x, "bob", false));
	assert_true(index_tenant_leave(x, "ann", 0));
	assert_true(index_tenant_enter(x, "ann", false));
}

/* By either call, and once for any number of them. */
static void
a_change_meanwhile_is_looked_at(void **state)
{
	(void)state;
	assert_true(index_tenant_enter(x, "ann", true));
	assert_false(indexing_is_due(x, "ann", true));
	assert_false(index_tenant_enter(x, "ann", true));
	assert_false(index_tenant_leave(x, "ann", HOUR_US));
	assert_false(index_tenant_enter(x, "ann", true));
	assert_false(index_tenant_leave(x, "ann", HOUR_US));
	assert_true(index_tenant_leave(x, "ann", HOUR_US));
}

static void
without_a_change_it_rests(void **state)
{
	(void)state;
	assert_true(index_tenant_enter(x, "ann", false));
	assert_true(index_tenant_leave(x, "ann", HOUR_US));
	assert_false(indexing_is_due(x, "ann", false));
	assert_false(index_tenant_enter(x, "ann", false));
	assert_true(indexing_is_due(x, "ann", true));
	assert_true(index_tenant_enter(x, "ann", true));
}

static void
after_a_failure_even_a_change_waits(void **state)
{
	(void)state;
	assert_true(index_tenant_enter(x, "ann", true));
	index_tenant_fail(x, "ann", HOUR_US);
	assert_false(indexing_is_due(x, "ann", true));
	assert_false(index_tenant_enter(x, "ann", true));
	assert_true(index_tenant_enter(x, "bob", true));
	index_tenant_fail(x, "bob", 0);
	assert_true(index_tenant_enter(x, "bob", false));
	assert_true(index_tenant_leave(x, "bob", HOUR_US));
	assert_true(index_tenant_enter(x, "bob", true));
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, indexing_set_up, indexing_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(one_flow_a_tenant),
		CASE(a_change_meanwhile_is_looked_at),
		CASE(without_a_change_it_rests),
		CASE(after_a_failure_even_a_change_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
