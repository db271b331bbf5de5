/* SPDX-License-Identifier: MIT */
/*
 * test_auth: checks of keys over a catalog of prepared results: which pass, what is looked up only
 * once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "auth_fixture.h"
#include "tenantgate/base/clock.h"
#include "turn_until_idle.h"

static void
a_service_key(const struct pg_query *q, struct fake_result *a)
{
	auth_fixture_key(q, a);
	auth_fixture_row.col[1] = "service";
	auth_fixture_row.col[2] = NULL;
}

static void
a_key_of_an_unknown_kind(const struct pg_query *q, struct fake_result *a)
{
	auth_fixture_key(q, a);
	auth_fixture_row.col[1] = "emperor";
}

static void
the_right_secret_is_let_in(void **state)
{
	struct auth_fixture *w = *state;

	fake_catalog_returns(auth_fixture_key, 0);
	assert_int_equal(auth_fixture_check(w, GOOD), ERR_NONE);
	assert_string_equal(w->checks[0].caller.tenant, "acme");
	assert_string_equal(w->checks[0].caller.key_id, ID);
	assert_int_equal(auth_fixture_check(w, GOOD), ERR_NONE);
	assert_int_equal(auth_fixture_check(w, BAD), ERR_UNAUTHENTICATED);
	assert_int_equal(fake_catalog_asked(), 1);
}

static void
a_service_has_no_tenant_of_its_own(void **state)
{
	struct auth_fixture *w = *state;

	fake_catalog_returns(a_service_key, 0);
	assert_int_equal(auth_fixture_check(w, GOOD), ERR_NONE);
	assert_int_equal(w->checks[0].caller.kind, CALLER_SERVICE);
	assert_string_equal(w->checks[0].caller.tenant, "");
}

/* A failure would have a sentence of its own; a verdict has none. */
static void
every_bad_key_is_the_same_verdict(void **state)
{
	struct auth_fixture *w = *state;

	fake_catalog_returns(auth_fixture_key, 0);
	assert_int_equal(auth_fixture_check(w, BAD), ERR_UNAUTHENTICATED);
	assert_int_equal(auth_fixture_check(w, NULL), ERR_UNAUTHENTICATED);
	fake_catalog_returns(fake_catalog_empty, 0);
	assert_int_equal(auth_fixture_check(w, "Bearer tg_zzzzzzzzzzzz_" SECRET),
	    ERR_UNAUTHENTICATED);
	assert_int_equal(w->checks[0].err.code, ERR_NONE);
	assert_string_equal(w->checks[0].caller.key_id, "");
}

static void
malformed_credentials_never_reach_the_catalog(void **state)
{
	struct auth_fixture *w = *state;

	fake_catalog_returns(auth_fixture_key, 0);
	assert_int_equal(auth_fixture_check(w, "Bearer tg_' OR 1=1 --"), ERR_UNAUTHENTICATED);
	assert_int_equal(auth_fixture_check(w, "Basic " ID), ERR_UNAUTHENTICATED);
	assert_int_equal(fake_catalog_asked(), 0);
}

static void
many_requests_share_one_key_lookup(void **state)
{
	struct auth_fixture *w = *state;
	unsigned i;

	fake_catalog_returns(auth_fixture_key, 5000);
	for (i = 0; i < CHECKS; i++)
		auth_fixture_begin(w, i, i % 2 == 0 ? GOOD : BAD);
	turn_until_idle(w->worker);
	for (i = 0; i < CHECKS; i++) {
		assert_int_equal(auth_fixture_outcome(w, i),
		    i % 2 == 0 ? ERR_NONE : ERR_UNAUTHENTICATED);
	}
	assert_int_equal(fake_catalog_asked(), 1);
}

static void
leaving_disturbs_no_other_check(void **state)
{
	struct auth_fixture *w = *state;

	fake_catalog_returns(auth_fixture_key, 5000);
	auth_fixture_begin(w, 0, GOOD);
	auth_fixture_begin(w, 1, GOOD);
	worker_turn(w->worker, 0);
	flow_abort(&w->checks[0].flow, ERR_CLIENT_GONE, "left");
	turn_until_idle(w->worker);
	assert_int_equal(w->checks[0].err.code, ERR_CLIENT_GONE);
	assert_int_equal(auth_fixture_outcome(w, 1), ERR_NONE);
}

static void
a_revoked_key_works_no_longer_than_the_cache(void **state)
{
	struct auth_fixture *w = *state;

	fake_catalog_returns(auth_fixture_key, 0);
	assert_int_equal(auth_fixture_check(w, GOOD), ERR_NONE);
	fake_catalog_returns(fake_catalog_empty, 0);
	assert_int_equal(auth_fixture_check(w, GOOD), ERR_NONE);
	clock_test_advance(31 * 1000000ull);
	assert_int_equal(auth_fixture_check(w, GOOD), ERR_UNAUTHENTICATED);
	assert_int_equal(auth_fixture_check(w, GOOD), ERR_UNAUTHENTICATED);
	assert_int_equal(fake_catalog_asked(), 1);
	fake_catalog_returns(auth_fixture_key, 0);
	clock_test_advance(6 * 1000000ull);
	assert_int_equal(auth_fixture_check(w, GOOD), ERR_NONE);
}

static void
a_failed_lookup_is_no_verdict(void **state)
{
	struct auth_fixture *w = *state;

	fake_catalog_returns(fake_catalog_lost, 0);
	assert_int_equal(auth_fixture_check(w, GOOD), ERR_CATALOG);
	fake_catalog_returns(a_key_of_an_unknown_kind, 0);
	assert_int_equal(auth_fixture_check(w, GOOD), ERR_UNAUTHENTICATED);
	clock_test_advance(6 * 1000000ull);
	fake_catalog_returns(auth_fixture_key, 0);
	assert_int_equal(auth_fixture_check(w, GOOD), ERR_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_right_secret_is_let_in, auth_fixture_set_up,
		    auth_fixture_tear_down),
		cmocka_unit_test_setup_teardown(a_service_has_no_tenant_of_its_own,
		    auth_fixture_set_up, auth_fixture_tear_down),
		cmocka_unit_test_setup_teardown(every_bad_key_is_the_same_verdict,
		    auth_fixture_set_up, auth_fixture_tear_down),
		cmocka_unit_test_setup_teardown(malformed_credentials_never_reach_the_catalog,
		    auth_fixture_set_up, auth_fixture_tear_down),
		cmocka_unit_test_setup_teardown(many_requests_share_one_key_lookup,
		    auth_fixture_set_up, auth_fixture_tear_down),
		cmocka_unit_test_setup_teardown(leaving_disturbs_no_other_check,
		    auth_fixture_set_up, auth_fixture_tear_down),
		cmocka_unit_test_setup_teardown(a_revoked_key_works_no_longer_than_the_cache,
		    auth_fixture_set_up, auth_fixture_tear_down),
		cmocka_unit_test_setup_teardown(a_failed_lookup_is_no_verdict, auth_fixture_set_up,
		    auth_fixture_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
