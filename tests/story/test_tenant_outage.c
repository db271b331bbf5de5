/* SPDX-License-Identifier: MIT */
/* test_tenant_outage: lookups of tenants while the catalog is away; what was seen suspended. */
#include "tenant_lookup_fixture.h"

static void
a_known_tenant_is_served_while_the_catalog_is_away(void **state)
{
	struct tenants_fixture *w = *state;

	fake_catalog_returns(a_ready_row, 0);
	assert_int_equal(lookup(w), ERR_NONE);
	fake_catalog_returns(fake_catalog_lost, 0);
	clock_test_advance(61 * SECOND);
	assert_int_equal(lookup(w), ERR_NONE);
	others_publish(w, NULL);
	assert_int_equal(lookup(w), ERR_NONE);
	others_publish(w, "xxxxxxxx:acme");
	assert_int_equal(lookup(w), ERR_CATALOG);
}

/* Neither our own copy nor the one that Redis may still have: the others hear of it, and theirs
 * goes too. Nor afterwards, when the catalog is away. */
static void
a_tenant_seen_suspended_is_never_revived(void **state)
{
	struct tenants_fixture *w = *state;

	fake_catalog_returns(a_ready_row, 0);
	assert_int_equal(lookup(w), ERR_NONE);
	clock_test_advance(61 * SECOND);
	fake_catalog_returns(a_suspended_row, 0);
	assert_int_equal(lookup(w), ERR_SUSPENDED);
	assert_int_equal(w->redis.marks, 1);
	assert_int_equal(w->redis.publishes, 1);
	w->redis.status = REDIS_OK; /* the record of before, whatever was sent */
	w->redis.gets = 0;
	clock_test_advance(2 * SECOND);
	assert_int_equal(lookup(w), ERR_SUSPENDED);
	fake_catalog_returns(fake_catalog_lost, 0);
	for (unsigned i = 0; i < 3; i++) {
		clock_test_advance(100 * SECOND);
		assert_int_equal(lookup(w), ERR_SUSPENDED);
	}
	assert_int_equal(w->redis.gets, 0);
}

static void
what_was_told_to_have_changed_is_not_taken_from_redis(void **state)
{
	struct tenants_fixture *w = *state;

	fake_catalog_returns(a_ready_row, 0);
	assert_int_equal(lookup(w), ERR_NONE);
	w->redis.status = REDIS_OK;
	w->redis.gets = 0;
	others_publish(w, "xxxxxxxx:acme");
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(w->redis.gets, 0);
	clock_test_advance(601 * SECOND);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(w->redis.gets, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_known_tenant_is_served_while_the_catalog_is_away),
		CASE(a_tenant_seen_suspended_is_never_revived),
		CASE(what_was_told_to_have_changed_is_not_taken_from_redis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
