/* SPDX-License-Identifier: MIT */
/*
 * test_auth_outage: checks of keys while the catalog is away, at two workers that share their
 * records.
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

#define SECOND 1000000ull
#define TTL    (30 * SECOND)
#define STALE  (3600 * SECOND)

struct two_workers {
	struct auth_fixture *w; /* owned: its auth is one of the two below */
	struct auth *auths[2];	/* the second is owned */
};

static int
set_up(void **state)
{
	struct two_workers *two = calloc(1, sizeof(*two));
	struct auth_conf conf;

	if (auth_fixture_set_up((void **)&two->w) != 0)
		return -1;
	auth_conf_init(&conf);
	two->auths[0] = two->w->auth;
	two->auths[1] = auth_open(two->w->worker, NULL, two->w->tags, two->w->keys, NULL, &conf);
	*state = two;
	return 0;
}

static int
tear_down(void **state)
{
	struct two_workers *two = *state;
	void *fixture = two->w;

	auth_close(two->auths[1]);
	two->w->auth = two->auths[0];
	free(two);
	return auth_fixture_tear_down(&fixture);
}

static enum err_code
check_at(struct two_workers *two, unsigned n, struct slice network)
{
	two->w->auth = two->auths[n];
	return auth_fixture_check_from(two->w, GOOD, network);
}

static void
a_key_that_one_worker_knows_costs_the_other_nothing(void **state)
{
	fake_catalog_returns(auth_fixture_key, 0);
	assert_int_equal(check_at(*state, 0, HOME), ERR_NONE);
	assert_int_equal(check_at(*state, 1, ELSEWHERE), ERR_NONE);
	assert_int_equal(fake_catalog_asked(), 1);
}

/* Whoever asks, and from wherever: an unverified key's record is by its id. */
static void
a_known_key_works_for_the_stale_time_and_no_longer(void **state)
{
	fake_catalog_returns(auth_fixture_key, 0);
	assert_int_equal(check_at(*state, 0, HOME), ERR_NONE);
	fake_catalog_returns(fake_catalog_lost, 0);
	clock_test_advance(TTL);
	assert_int_equal(check_at(*state, 0, HOME), ERR_NONE);
	clock_test_advance(STALE - 10 * SECOND);
	assert_int_equal(check_at(*state, 1, ELSEWHERE), ERR_NONE);
	clock_test_advance(10 * SECOND);
	assert_int_equal(check_at(*state, 1, ELSEWHERE), ERR_CATALOG);
	assert_int_equal(check_at(*state, 0, HOME), ERR_CATALOG);
}

static void
stale_use_may_be_off(void **state)
{
	struct two_workers *two = *state;
	struct auth_conf conf;

	auth_conf_init(&conf);
	conf.cache_stale_us = 0;
	auth_close(two->auths[1]);
	two->auths[1] = auth_open(two->w->worker, NULL, two->w->tags, two->w->keys, NULL, &conf);
	fake_catalog_returns(auth_fixture_key, 0);
	assert_int_equal(check_at(two, 1, HOME), ERR_NONE);
	fake_catalog_returns(fake_catalog_lost, 0);
	clock_test_advance(TTL);
	assert_int_equal(check_at(two, 1, HOME), ERR_CATALOG);
}

/* Seen by one worker for one network: at the other, for others, and after its time. */
static void
a_key_seen_revoked_never_works_again(void **state)
{
	fake_catalog_returns(auth_fixture_key, 0);
	assert_int_equal(check_at(*state, 0, HOME), ERR_NONE);
	assert_int_equal(check_at(*state, 1, ELSEWHERE), ERR_NONE);
	clock_test_advance(TTL);
	fake_catalog_returns(fake_catalog_empty, 0);
	assert_int_equal(check_at(*state, 1, ELSEWHERE), ERR_UNAUTHENTICATED);
	fake_catalog_returns(fake_catalog_lost, 0);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(check_at(*state, i % 2, HOME), ERR_UNAUTHENTICATED);
		assert_int_equal(check_at(*state, i % 2, ELSEWHERE), ERR_UNAUTHENTICATED);
		clock_test_advance(10 * 60 * SECOND);
	}
	clock_test_advance(STALE);
	assert_int_equal(check_at(*state, 0, HOME), ERR_CATALOG);
}

static void
a_wrong_secret_is_refused_in_stale_use_too(void **state)
{
	struct two_workers *two = *state;

	fake_catalog_returns(auth_fixture_key, 0);
	assert_int_equal(check_at(two, 0, HOME), ERR_NONE);
	fake_catalog_returns(fake_catalog_lost, 0);
	clock_test_advance(TTL);
	assert_int_equal(auth_fixture_check(two->w, BAD), ERR_UNAUTHENTICATED);
}

/* Known to be away: nobody who has a record waits for the query, which takes a second here. */
static void
while_it_is_known_to_be_away_a_known_key_waits_for_nothing(void **state)
{
	struct two_workers *two = *state;

	fake_catalog_returns(auth_fixture_key, 0);
	assert_int_equal(check_at(two, 0, HOME), ERR_NONE);
	clock_test_advance(TTL);
	fake_catalog_returns(fake_catalog_lost, SECOND);
	fake_catalog_fails_at_once(true);
	auth_fixture_begin(two->w, 1, GOOD);
	for (unsigned i = 0; i < 4; i++)
		worker_turn(two->w->worker, 0);
	assert_int_equal(auth_fixture_outcome(two->w, 1), ERR_NONE);
	assert_int_equal(fake_catalog_asked(), 0);
	turn_until_idle(two->w->worker);
	assert_int_equal(fake_catalog_asked(), 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_key_that_one_worker_knows_costs_the_other_nothing),
		CASE(a_known_key_works_for_the_stale_time_and_no_longer),
		CASE(stale_use_may_be_off),
		CASE(a_key_seen_revoked_never_works_again),
		CASE(a_wrong_secret_is_refused_in_stale_use_too),
		CASE(while_it_is_known_to_be_away_a_known_key_waits_for_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
