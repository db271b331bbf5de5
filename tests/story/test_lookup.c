/* SPDX-License-Identifier: MIT */
/* test_lookup: one fetch for all; how long and how many records are kept; stale ones. */
#include "lookup_fixture.h"

/* ---- one fetch for all ---- */

static void
all_share_one_fetch(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < ASKERS; i++)
		begin(i, "a");
	flow_fixture_finish();
	assert_int_equal(source.asked, 1);
	for (i = 0; i < ASKERS; i++) {
		assert_int_equal(askers[i].ended, 1);
		assert_int_equal(askers[i].version, 1);
	}
}

static void
a_kept_record_is_at_hand_without_a_wait(void **state)
{
	(void)state;
	assert_false(is_fresh("a"));
	expect("a", 1, 1);
	assert_true(is_fresh("a"));
	begin(0, "a");
	worker_turn(worker, 0);
	assert_int_equal(askers[0].ended, 1);
	assert_int_equal(source.asked, 1);
}

static void
a_failure_reaches_all_and_is_not_kept(void **state)
{
	(void)state;
	source.broken = ERR_CATALOG;
	begin(1, "a");
	begin(2, "a");
	flow_fixture_finish();
	assert_int_equal(source.asked, 1);
	assert_int_equal(askers[1].err.code, ERR_CATALOG);
	assert_int_equal(askers[2].err.code, ERR_CATALOG);
	assert_string_equal(askers[2].err.detail, "The source is broken.");
	source.broken = ERR_NONE;
	expect("a", 1, 2);
}

/* ---- how long ---- */

static void
a_record_lives_to_the_microsecond(void **state)
{
	uint64_t before = clock_mono_us(), after, expires;

	(void)state;
	expect("a", 1, 1);
	after = clock_mono_us();
	expires = kept("a")->expires_us;
	assert_in_range(expires, before + TTL, after + TTL);
	clock_test_advance(TTL - 10 * SECOND);
	expect("a", 1, 1);
	clock_test_advance(10 * SECOND);
	assert_false(is_fresh("a"));
	source.version = 2;
	expect("a", 2, 2);
}

static void
the_absent_are_kept_for_their_own_time(void **state)
{
	(void)state;
	source.version = 0;
	expect("a", 0, 1);
	expect("a", 0, 1);
	source.version = 3;
	clock_test_advance(NEGATIVE);
	expect("a", 3, 2);
	clock_test_advance(NEGATIVE);
	expect("a", 3, 2);
	clock_test_advance(TTL);
	source.version = 0;
	expect("a", 0, 3);
	assert_true(kept("a")->is_negative);
}

/* ---- how many ---- */

static void
the_least_recently_used_goes(void **state)
{
	(void)state;
	expect("a", 1, 1);
	expect("b", 1, 2);
	expect("c", 1, 3);
	expect("a", 1, 3);
	expect("d", 1, 4);
	assert_int_equal(source.things, RECORDS);
	expect("a", 1, 4);
	expect("b", 1, 5);
}

static void
invented_keys_push_nobody_out(void **state)
{
	static const char *const invented[] = { "u", "v", "w", "x", "y", "z" };
	unsigned i;

	(void)state;
	expect("a", 1, 1);
	source.version = 0;
	for (i = 0; i < sizeof(invented) / sizeof(invented[0]); i++)
		expect(invented[i], 0, 2 + i);
	assert_int_equal(source.things, 1 + RECORDS);
	expect("a", 1, 7);
}

static void
fetches_past_the_ceiling_are_refused(void **state)
{
	(void)state;
	begin_held(1, "a");
	begin_held(2, "b");
	begin_held(3, "c");
	begin_held(4, "b");
	assert_int_equal(lookup_fetching(cache), FETCHES);
	let_finish();
	assert_int_equal(askers[1].err.code, ERR_NONE);
	assert_int_equal(askers[2].err.code, ERR_NONE);
	assert_int_equal(askers[3].err.code, ERR_OVERLOADED);
	assert_int_equal(askers[4].err.code, ERR_NONE);
	assert_int_equal(source.asked, 2);
	expect("c", 1, 3);
}

/* One that was superseded is still under way: it counts. */
static void
forgetting_does_not_raise_the_ceiling(void **state)
{
	unsigned i;

	(void)state;
	for (i = 1; i <= FETCHES + 1; i++) {
		begin_held(i, "a");
		lookup_forget(cache, SLICE_LIT("a"));
	}
	let_finish();
	assert_int_equal(source.asked, FETCHES);
	assert_int_equal(askers[FETCHES + 1].err.code, ERR_OVERLOADED);
}

/* ---- the source is down ---- */

static void
a_stale_record_serves_while_the_source_is_down(void **state)
{
	(void)state;
	open_with(60 * SECOND, 0, 0);
	expect("a", 1, 1);
	source.broken = ERR_CATALOG;
	source.version = 2;
	clock_test_advance(TTL);
	expect("a", 1, 2);
	expect("a", 1, 3);
	source.broken = ERR_NONE;
	expect("a", 2, 4);
	source.broken = ERR_CATALOG;
	clock_test_advance(TTL + 60 * SECOND);
	assert_int_equal(ask("a"), ERR_CATALOG);
	assert_null(kept("a"));
}

static void
stale_use_spares_a_source_that_is_down(void **state)
{
	(void)state;
	open_with(60 * SECOND, 10 * SECOND, 0);
	expect("a", 1, 1);
	source.broken = ERR_CATALOG;
	clock_test_advance(TTL);
	expect("a", 1, 2);
	expect("a", 1, 2);
	clock_test_advance(10 * SECOND);
	expect("a", 1, 3);
	clock_test_advance(45 * SECOND);
	expect("a", 1, 4);
	/* The next try would be past the end of its use. */
	clock_test_advance(9 * SECOND);
	assert_int_equal(ask("a"), ERR_CATALOG);
}

static void
an_absent_record_is_never_stale(void **state)
{
	(void)state;
	open_with(60 * SECOND, 10 * SECOND, 0);
	source.version = 0;
	expect("a", 0, 1);
	source.broken = ERR_CATALOG;
	clock_test_advance(NEGATIVE);
	assert_int_equal(ask("a"), ERR_CATALOG);
}

static void
a_stale_record_serves_when_too_many_are_fetched(void **state)
{
	(void)state;
	open_with(60 * SECOND, 0, 0);
	expect("a", 1, 1);
	clock_test_advance(TTL);
	begin_held(1, "b");
	begin_held(2, "c");
	begin_held(3, "a");
	assert_int_equal(askers[3].ended, 1);
	let_finish();
	assert_int_equal(askers[3].err.code, ERR_NONE);
	assert_int_equal(source.asked, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(all_share_one_fetch),
		CASE(a_kept_record_is_at_hand_without_a_wait),
		CASE(a_failure_reaches_all_and_is_not_kept),
		CASE(a_record_lives_to_the_microsecond),
		CASE(the_absent_are_kept_for_their_own_time),
		CASE(the_least_recently_used_goes),
		CASE(invented_keys_push_nobody_out),
		CASE(fetches_past_the_ceiling_are_refused),
		CASE(forgetting_does_not_raise_the_ceiling),
		CASE(a_stale_record_serves_while_the_source_is_down),
		CASE(stale_use_spares_a_source_that_is_down),
		CASE(an_absent_record_is_never_stale),
		CASE(a_stale_record_serves_when_too_many_are_fetched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
