/* SPDX-License-Identifier: MIT */
/*
 * test_tenant_lookup: where a tenant's record is looked for, over a catalog of prepared results and
 * a Redis that replies what the test has set.
 */
#include "tenant_lookup_fixture.h"
#include "tenant/tenant_internal.h"

static void
many_requests_share_one_tenant_lookup(void **state)
{
	struct tenants_fixture *w = *state;
	unsigned i;

	fake_catalog_returns(a_ready_row, 3000);
	for (i = 0; i < LOOKUPS; i++)
		lookup_begin(w, i);
	worker_turn(w->worker, 0);
	flow_abort(&w->lookups[3].flow, ERR_CLIENT_GONE, "left");
	turn_until_idle(w->worker);
	for (i = 0; i < LOOKUPS; i++) {
		assert_int_equal(w->lookups[i].ended, 1);
		assert_int_equal(w->lookups[i].err.code, i == 3 ? ERR_CLIENT_GONE : ERR_NONE);
		if (i != 3)
			assert_string_equal(w->lookups[i].tenant.password, "pw");
	}
	assert_int_equal(w->redis.gets, 1);
	assert_int_equal(fake_catalog_asked(), 1);
	assert_int_equal(w->redis.sets, 1);
}

static void
the_nearest_place_answers(void **state)
{
	struct tenants_fixture *w = *state;

	fake_catalog_returns(a_ready_row, 0);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(w->redis.gets, 1);
	clock_test_advance(61 * SECOND);
	w->redis.status = REDIS_OK;
	memset(&w->lookups[0].tenant, 0, sizeof(struct tenant));
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(w->redis.gets, 2);
	assert_int_equal(fake_catalog_asked(), 1);
	assert_int_equal(w->lookups[0].tenant.state, TENANT_READY);
	assert_string_equal(w->lookups[0].tenant.password, "pw");
	assert_int_equal(w->lookups[0].tenant.requests_per_minute, 600);
}

static void
whatever_is_wrong_in_redis_is_a_miss(void **state)
{
	static const enum redis_status troubles[] = { REDIS_NIL, REDIS_ERROR, REDIS_DOWN,
		REDIS_TIMEOUT, REDIS_BUSY, REDIS_OK };
	struct tenants_fixture *w = *state;
	size_t i;

	for (i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++) {
		fake_catalog_returns(a_ready_row, 0);
		w->redis.status = troubles[i];
		snprintf(w->redis.text, sizeof(w->redis.text), "tgs1.rubbish");
		assert_int_equal(lookup(w), ERR_NONE);
		assert_int_equal(fake_catalog_asked(), 1);
		clock_test_advance(61 * SECOND);
	}
}

static void
an_unknown_tenant_is_looked_up_again_soon(void **state)
{
	struct tenants_fixture *w = *state;

	fake_catalog_returns(fake_catalog_empty, 0);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(w->lookups[0].tenant.state, TENANT_UNKNOWN);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(fake_catalog_asked(), 1);
	assert_int_equal(w->redis.sets, 0);
	clock_test_advance(SECOND + 1);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(fake_catalog_asked(), 2);
}

/* Whatever was so when the tenant was made. */
static void
how_to_connect_is_the_configurations_to_say(void **state)
{
	struct tenants_fixture *w = *state;

	fake_catalog_returns(a_ready_row, 0);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_string_equal(w->lookups[0].tenant.sslmode, "verify-full");
	clock_test_advance(61 * SECOND);
	w->redis.status = REDIS_OK;
	w->tenants->now.neon_sslmode = "verify-ca";
	assert_int_equal(lookup(w), ERR_NONE);
	assert_string_equal(w->lookups[0].tenant.sslmode, "verify-ca");
	clock_test_advance(61 * SECOND);
	w->tenants->now.provider = PROVIDER_POSTGRES; /* what another has made is of no use to it */
	assert_int_equal(lookup(w), ERR_INTERNAL);
	assert_int_equal(fake_catalog_asked(), 2);
	assert_non_null(strstr(w->lookups[0].err.detail, "key provider"));
}

static void
failures_are_not_cached(void **state)
{
	struct tenants_fixture *w = *state;

	fake_catalog_returns(fake_catalog_lost, 0);
	assert_int_equal(lookup(w), ERR_CATALOG);
	fake_catalog_returns(a_row_of_another, 0);
	assert_int_equal(lookup(w), ERR_INTERNAL);
	fake_catalog_returns(half_a_row, 0);
	assert_int_equal(lookup(w), ERR_INTERNAL);
	fake_catalog_returns(a_ready_row, 0);
	assert_int_equal(lookup(w), ERR_NONE);
}

static void
a_suspended_tenant_is_refused(void **state)
{
	struct tenants_fixture *w = *state;

	fake_catalog_returns(a_suspended_row, 0);
	assert_int_equal(lookup(w), ERR_SUSPENDED);
	assert_int_equal(lookup(w), ERR_SUSPENDED);
	assert_int_equal(fake_catalog_asked(), 1);
	assert_int_equal(w->redis.sets, 0);
}

static void
others_publish_what_to_forget(void **state)
{
	struct tenants_fixture *w = *state;

	fake_catalog_returns(a_ready_row, 0);
	assert_int_equal(lookup(w), ERR_NONE);
	others_publish(w, "");
	others_publish(w, "rubbish");
	others_publish(w, "xxxxxxxx:");
	others_publish(w, "xxxxxxxx:other");
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(fake_catalog_asked(), 1);
	others_publish(w, "xxxxxxxx:acme");
	assert_int_equal(pools_forgotten, 1);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(fake_catalog_asked(), 2);
	others_publish(w, NULL);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(fake_catalog_asked(), 3);
}

/* The row may have been read before the change: flows that waited get it, and it is not cached. */
static void
what_changes_during_a_lookup_is_not_kept_from_it(void **state)
{
	struct tenants_fixture *w = *state;
	unsigned i;

	fake_catalog_returns(a_ready_row, 500000);
	lookup_begin(w, 0);
	for (i = 0; i < 3; i++)
		worker_turn(w->worker, 0);
	assert_int_equal(w->redis.gets, 1);
	others_publish(w, "xxxxxxxx:acme");
	turn_until_idle(w->worker);
	assert_int_equal(w->lookups[0].err.code, ERR_NONE);
	assert_int_equal(w->redis.sets, 0);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(fake_catalog_asked(), 2);
	assert_int_equal(w->redis.sets, 1);
}

static void
what_we_forget_is_published(void **state)
{
	struct tenants_fixture *w = *state;

	fake_catalog_returns(a_ready_row, 0);
	assert_int_equal(lookup(w), ERR_NONE);
	tenant_forget(w->tenants, "acme");
	assert_int_equal(w->redis.marks, 1);
	assert_int_equal(w->redis.publishes, 1);
	assert_int_equal(pools_forgotten, 1);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(fake_catalog_asked(), 2);
}

/* Redis may take nothing for a while (a copy, a full one), and have what it had. */
static void
what_we_forget_is_marked_and_told_until_redis_takes_it(void **state)
{
	struct tenants_fixture *w = *state;

	w->redis.refuses = true;
	tenant_forget(w->tenants, "acme");
	while (w->redis.marks < 3)
		worker_turn(w->worker, 20);
	assert_int_equal(w->redis.publishes, 1);
	w->redis.refuses = false;
	turn_until_idle(w->worker);
	assert_true(w->redis.marks >= 4);
	assert_int_equal(w->redis.publishes, 2);
}

/* Its database does not answer: whether its row has changed only the catalog can say. */
static void
a_doubted_record_is_read_anew_and_stays_while_the_catalog_is_away(void **state)
{
	struct tenants_fixture *w = *state;

	fake_catalog_returns(a_ready_row, 0);
	assert_int_equal(lookup(w), ERR_NONE);
	tenant_doubt(w->tenants, "acme");
	assert_int_equal(w->redis.marks, 1);
	assert_int_equal(w->redis.publishes, 1);
	assert_int_equal(pools_forgotten, 1);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(w->redis.gets, 1);
	assert_int_equal(fake_catalog_asked(), 2);
	fake_catalog_returns(fake_catalog_lost, 0);
	tenant_doubt(w->tenants, "acme");
	assert_int_equal(lookup(w), ERR_NONE);
	others_publish(w, "xxxxxxxx?acme");
	assert_int_equal(pools_forgotten, 3);
	assert_int_equal(lookup(w), ERR_NONE);
	assert_int_equal(fake_catalog_asked(), 2);
	/* Others have nothing better either. */
	fake_catalog_fails_at_once(true);
	tenant_doubt(w->tenants, "acme");
	assert_int_equal(w->redis.marks, 2);
	others_publish(w, "xxxxxxxx:acme");
	assert_int_equal(lookup(w), ERR_CATALOG);
}

/* Cut off at every turn of the loop, nothing is left behind (the sanitizers look). */
static void
a_lookup_may_be_cut_off_at_every_turn(void **state)
{
	struct tenants_fixture *w = *state;
	unsigned turns, i;

	fake_catalog_returns(a_ready_row, 1000);
	for (turns = 0; turns < 12; turns++) {
		lookup_begin(w, 0);
		for (i = 0; i < turns; i++)
			worker_turn(w->worker, 1);
		flow_abort_all(w->worker, ERR_SHUTDOWN, "cut off");
		turn_until_idle(w->worker);
		assert_int_equal(w->lookups[0].ended, 1);
		clock_test_advance(61 * SECOND);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(many_requests_share_one_tenant_lookup),
		CASE(the_nearest_place_answers),
		CASE(whatever_is_wrong_in_redis_is_a_miss),
		CASE(an_unknown_tenant_is_looked_up_again_soon),
		CASE(how_to_connect_is_the_configurations_to_say),
		CASE(failures_are_not_cached),
		CASE(a_suspended_tenant_is_refused),
		CASE(others_publish_what_to_forget),
		CASE(what_changes_during_a_lookup_is_not_kept_from_it),
		CASE(what_we_forget_is_published),
		CASE(what_we_forget_is_marked_and_told_until_redis_takes_it),
		CASE(a_doubted_record_is_read_anew_and_stays_while_the_catalog_is_away),
		CASE(a_lookup_may_be_cut_off_at_every_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
