/* SPDX-License-Identifier: MIT */
/*
 * test_auth_expiry: a key is over at its time, to the microsecond, though its record is cached;
 * which scopes a record has.
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

#define SECOND 1000000ull

static char expires_us[24];
static const char *scopes;

static void
a_key_with_a_time(const struct pg_query *q, struct fake_result *a)
{
	auth_fixture_key(q, a);
	auth_fixture_row.col[3] = scopes;
	auth_fixture_row.col[4] = expires_us[0] != '\0' ? expires_us : NULL;
}

static void
expires_in(uint64_t us)
{
	snprintf(expires_us, sizeof(expires_us), "%llu",
	    (unsigned long long)(clock_wall_us() + us));
}

static int
expiry_set_up(void **state)
{
	scopes = NULL;
	expires_us[0] = '\0';
	clock_test_freeze(true);
	fake_catalog_returns(a_key_with_a_time, 0);
	return auth_fixture_set_up(state);
}

static int
expiry_tear_down(void **state)
{
	clock_test_freeze(false);
	return auth_fixture_tear_down(state);
}

static void
a_cached_key_is_over_at_its_time_exactly(void **state)
{
	struct auth_fixture *w = *state;

	expires_in(5 * SECOND);
	assert_int_equal(auth_fixture_check(w, GOOD), ERR_NONE);
	clock_test_advance(5 * SECOND - 1);
	assert_int_equal(auth_fixture_check(w, GOOD), ERR_NONE);
	assert_null(w->checks[0].caller.cause);
	clock_test_advance(1);
	assert_int_equal(auth_fixture_check(w, GOOD), ERR_UNAUTHENTICATED);
	assert_non_null(w->checks[0].caller.cause);
	assert_string_equal(w->checks[0].caller.key_id, ID);
	assert_int_equal(w->checks[0].caller.scopes, 0);
	assert_int_equal(fake_catalog_asked(), 1);
}

/* Nobody but the key's owner is told, even in the log, that there was such a key. */
static void
a_wrong_secret_of_a_key_that_is_over_tells_nothing(void **state)
{
	struct auth_fixture *w = *state;

	expires_in(0);
	assert_int_equal(auth_fixture_check(w, BAD), ERR_UNAUTHENTICATED);
	assert_null(w->checks[0].caller.cause);
	assert_string_equal(w->checks[0].caller.key_id, "");
}

/* In stale use too, while the catalog is away. */
static void
an_old_record_is_held_to_the_time(void **state)
{
	struct auth_fixture *w = *state;

	expires_in(100 * SECOND);
	assert_int_equal(auth_fixture_check(w, GOOD), ERR_NONE);
	fake_catalog_returns(fake_catalog_lost, 0);
	clock_test_advance(99 * SECOND);
	assert_int_equal(auth_fixture_check(w, GOOD), ERR_NONE);
	clock_test_advance(1 * SECOND);
	assert_int_equal(auth_fixture_check(w, GOOD), ERR_UNAUTHENTICATED);
	assert_non_null(w->checks[0].caller.cause);
}

static void
a_record_has_its_scopes(void **state)
{
	static const struct {
		const char *list;
		unsigned scopes;
	} table[] = {
		{ NULL, SCOPES_UNLIMITED },
		{ "chat", SCOPE_BIT(SCOPE_CHAT) },
		{ "chat,later", SCOPE_BIT(SCOPE_CHAT) },
		{ "-", 0 },
	};
	struct auth_fixture *w = *state;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		scopes = table[i].list;
		assert_int_equal(auth_fixture_check(w, GOOD), ERR_NONE);
		assert_int_equal(w->checks[0].caller.scopes, table[i].scopes);
		clock_test_advance(31 * SECOND);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_cached_key_is_over_at_its_time_exactly,
		    expiry_set_up, expiry_tear_down),
		cmocka_unit_test_setup_teardown(a_wrong_secret_of_a_key_that_is_over_tells_nothing,
		    expiry_set_up, expiry_tear_down),
		cmocka_unit_test_setup_teardown(an_old_record_is_held_to_the_time, expiry_set_up,
		    expiry_tear_down),
		cmocka_unit_test_setup_teardown(a_record_has_its_scopes, expiry_set_up,
		    expiry_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
