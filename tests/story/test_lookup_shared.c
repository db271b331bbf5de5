/* SPDX-License-Identifier: MIT */
/*
 * test_lookup_shared: two caches over one store, as two workers have them; what was seen gone never
 * comes back; a source that is ill or slow.
 */
#include "lookup_fixture.h"

#define STALE (60 * SECOND)
#define RETRY (1 * SECOND)

static struct lookup_store *store;
static struct lookup_cache *caches[2];

static void
shared_close(void)
{
	lookup_close(caches[0]);
	lookup_close(caches[1]);
	lookup_store_free(store);
	caches[0] = caches[1] = cache = NULL;
	store = NULL;
}

static void
shared_open(const struct lookup_conf *conf)
{
	struct lookup_conf shared = *conf;

	shared_close();
	store = lookup_store_new(RECORDS);
	shared.store = store;
	caches[0] = lookup_open(worker, &shared);
	caches[1] = lookup_open(worker, &shared);
	cache = caches[0];
}

static int
shared_set_up(void **state)
{
	struct lookup_conf conf = conf_with(STALE, RETRY, 0);

	if (set_up(state) != 0)
		return -1;
	lookup_close(cache);
	cache = NULL;
	shared_open(&conf);
	return 0;
}

static int
shared_tear_down(void **state)
{
	assert_int_equal(lookup_fetching(caches[0]) + lookup_fetching(caches[1]), 0);
	shared_close();
	open_with(0, 0, 0);
	return tear_down(state);
}

static void
at(unsigned n)
{
	cache = caches[n];
}

/* Asks at that worker, whose fetch is held. */
static void
begin_held_at(unsigned n, unsigned i)
{
	at(n);
	source.is_held = true;
	begin(i, "a");
	flow_fixture_turns(6);
	assert_int_equal(lookup_fetching(cache), 1);
}

/* ---- shared ---- */

static void
what_one_worker_has_learnt_the_other_has(void **state)
{
	(void)state;
	expect("a", 1, 1);
	source.version = 0;
	expect("b", 0, 2);
	at(1);
	expect("a", 1, 2);
	expect("b", 0, 2);
	assert_true(is_fresh("a"));
	lookup_forget(cache, SLICE_LIT("a"));
	at(0);
	assert_false(is_fresh("a"));
}

static void
a_found_record_is_everybodys_an_absent_one_the_askers(void **state)
{
	struct lookup_conf conf = conf_with(STALE, RETRY, 0);

	(void)state;
	conf.id_len = 1;
	shared_open(&conf);
	expect("a1", 1, 1);
	at(1);
	assert_true(is_fresh("a2"));
	source.version = 0;
	expect("b1", 0, 2);
	assert_false(is_fresh("b2"));
	expect("b2", 0, 3);
	clock_test_advance(TTL);
	expect("a2", 0, 4);
	/* a2 was told that there is none: so it is for a1, also when nobody can be asked. */
	source.broken = ERR_CATALOG;
	at(0);
	assert_false(is_fresh("a1"));
	assert_int_equal(ask("a1"), ERR_NONE);
	assert_true(askers[0].is_negative);
}

/* ---- gone ---- */

static void
a_change_anywhere_supersedes_a_fetch_elsewhere(void **state)
{
	(void)state;
	begin_held_at(0, 1);
	at(1);
	lookup_forget(cache, SLICE_LIT("a"));
	let_finish();
	assert_true(source.saw_superseded);
	assert_int_equal(askers[1].version, 1);
	assert_null(kept("a"));
}

/* The first worker has read the row before it went, the second after that. */
static void
an_older_reading_does_not_bring_back_what_is_gone(void **state)
{
	struct lookup_record *gone = thing_new(SLICE_LIT("a"));

	(void)state;
	begin_held_at(0, 1);
	at(1);
	gone->is_negative = true;
	lookup_put(cache, SLICE_LIT("a"), gone);
	lookup_unref(gone);
	let_finish();
	assert_true(askers[1].is_negative);
	assert_true(kept("a")->is_negative);
	source.broken = ERR_CATALOG;
	clock_test_advance(NEGATIVE);
	assert_int_equal(ask("a"), ERR_CATALOG);
}

/* Nobody joins it any more, at either worker. */
static void
whoever_asks_after_a_change_gets_no_older_reading(void **state)
{
	(void)state;
	begin_held_at(0, 1);
	at(1);
	lookup_forget(cache, SLICE_LIT("a"));
	at(0);
	begin(2, "a");
	flow_fixture_turns(6);
	assert_int_equal(lookup_fetching(cache), 2);
	let_finish();
	assert_int_equal(source.asked, 2);
}

static void
what_was_seen_gone_is_gone_while_the_source_is_away(void **state)
{
	(void)state;
	expect("a", 1, 1);
	clock_test_advance(TTL);
	at(1);
	source.version = 0;
	expect("a", 0, 2);
	source.broken = ERR_CATALOG;
	for (unsigned n = 0; n < 2; n++) {
		at(n);
		clock_test_advance(NEGATIVE);
		assert_int_equal(ask("a"), ERR_NONE);
		assert_true(askers[0].is_negative);
	}
	clock_test_advance(STALE);
	assert_int_equal(ask("a"), ERR_CATALOG);
	/* When it exists again, it does. */
	source.broken = ERR_NONE;
	source.version = 2;
	expect("a", 2, source.asked + 1);
	clock_test_advance(TTL);
	source.broken = ERR_CATALOG;
	expect("a", 2, source.asked + 1);
}

/* By decision, though it was never found. */
static void
what_is_refused_stays_refused_while_the_source_is_away(void **state)
{
	(void)state;
	source.version = 0;
	source.is_revoked = true;
	expect("a", 0, 1);
	source.broken = ERR_CATALOG;
	clock_test_advance(NEGATIVE);
	at(1);
	assert_int_equal(ask("a"), ERR_NONE);
	assert_true(askers[0].is_negative);
}

static void
what_was_forgotten_is_not_used_stale(void **state)
{
	(void)state;
	expect("a", 1, 1);
	at(1);
	lookup_forget(cache, SLICE_LIT("a"));
	source.broken = ERR_CATALOG;
	at(0);
	assert_int_equal(ask("a"), ERR_CATALOG);
}

static void
forgetting_all_leaves_records_for_stale_use_alone(void **state)
{
	(void)state;
	expect("a", 1, 1);
	at(1);
	lookup_forget_all(cache);
	at(0);
	assert_false(is_fresh("a"));
	source.broken = ERR_CATALOG;
	expect("a", 1, 2);
	source.broken = ERR_NONE;
	source.version = 2;
	clock_test_advance(RETRY);
	expect("a", 2, 3);
}

/* Its record was not kept, but it has been seen. */
static void
a_superseded_fetch_that_finds_none_ends_stale_use(void **state)
{
	(void)state;
	expect("a", 1, 1);
	clock_test_advance(TTL);
	source.version = 0;
	begin_held_at(0, 1);
	at(1);
	lookup_forget_all(cache);
	let_finish();
	assert_true(askers[1].is_negative);
	source.broken = ERR_CATALOG;
	assert_int_equal(ask("a"), ERR_NONE);
	assert_true(askers[0].is_negative);
}

static void
copies_elsewhere_are_not_trusted_after_a_change(void **state)
{
	struct lookup_conf conf = conf_with(0, 0, 0);

	(void)state;
	conf.copies_us = 100 * SECOND;
	shared_open(&conf);
	expect("a", 1, 1);
	assert_false(source.saw_fenced);
	at(1);
	lookup_forget(cache, SLICE_LIT("a"));
	at(0);
	expect("a", 1, 2);
	assert_true(source.saw_fenced);
	clock_test_advance(TTL);
	expect("a", 1, 3);
	assert_true(source.saw_fenced);
	clock_test_advance(100 * SECOND);
	expect("a", 1, 4);
	assert_false(source.saw_fenced);
	expect("b", 1, 5);
	assert_false(source.saw_fenced);
	lookup_expire(cache, SLICE_LIT("b"));
	expect("b", 1, 6);
	assert_true(source.saw_fenced);
}

/* ---- ill, slow ---- */

static void
a_source_known_to_be_ill_is_asked_behind_who_has_a_record(void **state)
{
	(void)state;
	expect("a", 1, 1);
	clock_test_advance(TTL);
	source.is_ill = source.is_held = true;
	begin(1, "a");
	flow_fixture_turns(2);
	assert_int_equal(askers[1].ended, 1);
	assert_int_equal(askers[1].version, 1);
	flow_fixture_turns(6);
	assert_int_equal(lookup_fetching(cache), 1);
	source.version = 2;
	let_finish();
	expect("a", 2, 2);
}

static void
who_has_nothing_waits_for_an_ill_source(void **state)
{
	(void)state;
	source.is_ill = true;
	source.broken = ERR_CATALOG;
	assert_int_equal(ask("a"), ERR_CATALOG);
	assert_int_equal(source.asked, 1);
}

static void
a_slow_fetch_goes_on_behind_who_has_a_record(void **state)
{
	struct lookup_conf conf = conf_with(STALE, RETRY, 0);
	const struct asker *a;

	(void)state;
	conf.patience_us = DEADLINE_US;
	shared_open(&conf);
	expect("a", 1, 1);
	clock_test_advance(TTL);
	begin_held_at(0, 1);
	a = &askers[1];
	while (a->ended == 0)
		worker_turn(worker, 100);
	assert_int_equal(a->version, 1);
	/* The next does not wait at all, also when the record counts as expired again. */
	clock_test_advance(RETRY);
	begin(2, "a");
	flow_fixture_turns(2);
	assert_int_equal(askers[2].ended, 1);
	assert_int_equal(lookup_fetching(cache), 1);
	source.version = 2;
	let_finish();
	expect("a", 2, 2);
}

/* The source was reached, and says that something is wrong with the record. */
static void
a_definite_failure_is_told_whatever_is_kept(void **state)
{
	(void)state;
	expect("a", 1, 1);
	clock_test_advance(TTL);
	source.broken = ERR_INTERNAL;
	assert_int_equal(ask("a"), ERR_INTERNAL);
}

#define SHARED(fn) cmocka_unit_test_setup_teardown(fn, shared_set_up, shared_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED(what_one_worker_has_learnt_the_other_has),
		SHARED(a_found_record_is_everybodys_an_absent_one_the_askers),
		SHARED(a_change_anywhere_supersedes_a_fetch_elsewhere),
		SHARED(an_older_reading_does_not_bring_back_what_is_gone),
		SHARED(whoever_asks_after_a_change_gets_no_older_reading),
		SHARED(what_was_seen_gone_is_gone_while_the_source_is_away),
		SHARED(what_is_refused_stays_refused_while_the_source_is_away),
		SHARED(what_was_forgotten_is_not_used_stale),
		SHARED(forgetting_all_leaves_records_for_stale_use_alone),
		SHARED(a_superseded_fetch_that_finds_none_ends_stale_use),
		SHARED(copies_elsewhere_are_not_trusted_after_a_change),
		SHARED(a_source_known_to_be_ill_is_asked_behind_who_has_a_record),
		SHARED(who_has_nothing_waits_for_an_ill_source),
		SHARED(a_slow_fetch_goes_on_behind_who_has_a_record),
		SHARED(a_definite_failure_is_told_whatever_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
