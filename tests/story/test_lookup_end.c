/* SPDX-License-Identifier: MIT */
/* test_lookup_end: what is forgotten, expired, replaced in flight; leaving, shutdown, deadline. */
#include "lookup_fixture.h"

/* ---- forgotten, replaced ---- */

static void
what_is_forgotten_is_fetched_anew(void **state)
{
	(void)state;
	expect("a", 1, 1);
	source.version = 0;
	expect("b", 0, 2);
	source.version = 2;
	lookup_forget(cache, SLICE_LIT("a"));
	lookup_forget(cache, SLICE_LIT("b"));
	lookup_forget(cache, SLICE_LIT("never seen"));
	expect("a", 2, 3);
	expect("b", 2, 4);
	lookup_forget_all(cache);
	assert_int_equal(source.things, 0);
	expect("a", 2, 5);
}

/* The key is the record's own text, which goes with it. */
static void
a_record_may_name_itself_to_be_forgotten(void **state)
{
	const struct thing *t;

	(void)state;
	expect("a", 1, 1);
	t = (const struct thing *)kept("a");
	lookup_forget(cache, slice_str(t->key));
	source.version = 0;
	expect("a", 0, 2);
	t = (const struct thing *)kept("a");
	lookup_forget(cache, slice_str(t->key));
	assert_int_equal(source.things, 0);
}

static void
forget_one(void)
{
	lookup_forget(cache, SLICE_LIT("a"));
}

static void
forget_every(void)
{
	lookup_forget_all(cache);
}

/* The first has asked before the change, the second after it. */
static void
forgotten_in_flight(void (*forget)(void))
{
	begin_held(1, "a");
	forget();
	begin_held(2, "a");
	assert_int_equal(lookup_fetching(cache), 2);
	let_finish();
	assert_int_equal(source.asked, 2);
	assert_int_equal(askers[1].err.code, ERR_NONE);
	assert_int_equal(askers[2].err.code, ERR_NONE);
	expect("a", 1, 2);
	lookup_forget_all(cache);
	begin_held(1, "a");
	forget();
	let_finish();
	assert_true(source.saw_superseded);
	assert_null(kept("a"));
	expect("a", 1, 4);
	assert_false(source.saw_superseded);
}

static void
what_is_forgotten_in_flight_is_not_kept(void **state)
{
	(void)state;
	forgotten_in_flight(forget_one);
}

static void
nothing_in_flight_survives_forgetting_all(void **state)
{
	(void)state;
	forgotten_in_flight(forget_every);
}

static void
what_was_learnt_meanwhile_is_not_overwritten(void **state)
{
	struct lookup_record *r = thing_new(SLICE_LIT("a"));

	(void)state;
	begin_held(1, "a");
	((struct thing *)r)->version = 7;
	lookup_put(cache, SLICE_LIT("a"), r);
	lookup_unref(r);
	begin_held(2, "a");
	assert_int_equal(askers[2].version, 7);
	let_finish();
	assert_int_equal(askers[1].version, 1);
	expect("a", 7, 1);
}

/* The cache keeps one reference to it, however often it is put. */
static void
a_record_put_twice_is_freed_once(void **state)
{
	struct lookup_record *r = thing_new(SLICE_LIT("a"));

	(void)state;
	lookup_put(cache, SLICE_LIT("a"), r);
	lookup_put(cache, SLICE_LIT("a"), r);
	lookup_unref(r);
	assert_int_equal(source.things, 1);
	lookup_forget(cache, SLICE_LIT("a"));
	assert_int_equal(source.things, 0);
}

static void
the_key_may_lie_in_the_record_that_is_replaced(void **state)
{
	struct lookup_record *old = thing_new(SLICE_LIT("a")), *r = thing_new(SLICE_LIT("a"));

	(void)state;
	lookup_put(cache, SLICE_LIT("a"), old);
	lookup_unref(old);
	lookup_put(cache, slice_str(((struct thing *)old)->key), r);
	lookup_unref(r);
	assert_int_equal(source.things, 1);
	assert_ptr_equal(kept("a"), r);
}

static void
what_was_expired_is_fetched_anew_and_used_stale_meanwhile(void **state)
{
	(void)state;
	open_with(60 * SECOND, SECOND, 0);
	expect("a", 1, 1);
	lookup_expire(cache, SLICE_LIT("a"));
	assert_false(is_fresh("a"));
	source.broken = ERR_CATALOG;
	expect("a", 1, 2);
	source.broken = ERR_NONE;
	source.version = 2;
	clock_test_advance(SECOND);
	expect("a", 2, 3);
	/* A fetch that was under way may have read the old row. */
	clock_test_advance(TTL);
	begin_held(1, "a");
	lookup_expire(cache, SLICE_LIT("a"));
	let_finish();
	assert_true(source.saw_superseded);
	assert_false(is_fresh("a"));
}

/* What was seen gone is so after a doubt too. */
static void
an_expired_record_that_is_gone_stays_gone(void **state)
{
	(void)state;
	open_with(60 * SECOND, SECOND, 0);
	expect("a", 1, 1);
	clock_test_advance(TTL);
	source.version = 0;
	expect("a", 0, 2);
	lookup_expire(cache, SLICE_LIT("a"));
	source.broken = ERR_CATALOG;
	clock_test_advance(NEGATIVE);
	assert_int_equal(ask("a"), ERR_NONE);
	assert_true(askers[0].is_negative);
}

/* ---- leaving, ending ---- */

static void
the_fetch_goes_on_when_everybody_has_left(void **state)
{
	(void)state;
	begin_held(1, "a");
	begin_held(2, "a");
	flow_abort(&askers[1].flow, ERR_CLIENT_GONE, "left");
	flow_abort(&askers[2].flow, ERR_CLIENT_GONE, "left");
	let_finish();
	assert_int_equal(askers[1].err.code, ERR_CLIENT_GONE);
	assert_int_equal(askers[2].err.code, ERR_CLIENT_GONE);
	expect("a", 1, 1);
}

static void
leaving_disturbs_no_other_waiter(void **state)
{
	(void)state;
	begin_held(1, "a");
	begin_held(2, "a");
	flow_abort(&askers[1].flow, ERR_CLIENT_GONE, "left");
	let_finish();
	assert_int_equal(askers[2].err.code, ERR_NONE);
	assert_int_equal(askers[2].version, 1);
}

/* At every turn of the loop; the sanitizer looks for what is left behind. */
static void
shutdown_at_every_turn(void **state)
{
	unsigned turns, i;

	(void)state;
	source.is_held = true;
	for (turns = 0; turns < 8; turns++) {
		begin(1, "a");
		begin(2, "b");
		for (i = 0; i < turns; i++)
			worker_turn(worker, 1);
		flow_abort_all(worker, ERR_SHUTDOWN, "stopping");
		flow_fixture_finish();
		assert_int_equal(askers[1].ended, 1);
		assert_int_equal(lookup_fetching(cache), 0);
		lookup_forget_all(cache);
	}
}

static void
a_fetch_has_a_deadline(void **state)
{
	(void)state;
	open_with(0, 0, DEADLINE_US);
	begin_held(1, "a");
	begin_held(2, "a");
	flow_fixture_finish();
	assert_int_equal(askers[1].err.code, ERR_CATALOG);
	assert_int_equal(askers[2].err.code, ERR_CATALOG);
	assert_non_null(strstr(askers[1].err.detail, "'ask'"));
	source.is_held = false;
	expect("a", 1, 2);
}

static void
a_stale_record_serves_at_the_deadline(void **state)
{
	(void)state;
	open_with(60 * SECOND, 0, DEADLINE_US);
	expect("a", 1, 1);
	clock_test_advance(TTL);
	source.is_held = true;
	expect("a", 1, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_forgotten_is_fetched_anew),
		CASE(a_record_may_name_itself_to_be_forgotten),
		CASE(what_is_forgotten_in_flight_is_not_kept),
		CASE(nothing_in_flight_survives_forgetting_all),
		CASE(what_was_learnt_meanwhile_is_not_overwritten),
		CASE(a_record_put_twice_is_freed_once),
		CASE(the_key_may_lie_in_the_record_that_is_replaced),
		CASE(what_was_expired_is_fetched_anew_and_used_stale_meanwhile),
		CASE(an_expired_record_that_is_gone_stays_gone),
		CASE(the_fetch_goes_on_when_everybody_has_left),
		CASE(leaving_disturbs_no_other_waiter),
		CASE(shutdown_at_every_turn),
		CASE(a_fetch_has_a_deadline),
		CASE(a_stale_record_serves_at_the_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
