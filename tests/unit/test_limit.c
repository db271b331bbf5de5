/* SPDX-License-Identifier: MIT */
/*
 * The arithmetic of limits and the in-process store: what is let through over time, that a refusal
 * costs nothing, and that the numbers shown are true.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "limit/limit_internal.h"

#define SECOND 1000000ull
#define BEGIN  (1000 * SECOND)

static struct limit_store *store;

static int
set_up(void **state)
{
	(void)state;
	store = limit_store_new(1000);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	limit_store_free(store);
	return 0;
}

static struct limit_verdict
decide(const struct limit_rule *rules, unsigned n, uint64_t now)
{
	struct limit_verdict v;

	limit_store_decide(store, rules, n, now, &v);
	return v;
}

static struct limit_rule
rule_of(const char *key, unsigned count, uint64_t period_us, unsigned burst)
{
	return (struct limit_rule){ .key = slice_str(key),
		.count = count,
		.period_us = period_us,
		.burst = burst };
}

static void
the_limit_counts_down(void **state)
{
	struct limit_rule a = rule_of("k", 10, 10 * SECOND, 0);
	struct limit_verdict v;

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		v = decide(&a, 1, BEGIN);
		assert_true(v.allowed);
		assert_int_equal(v.limit, 10);
		assert_int_equal(v.remaining, 9 - i);
		assert_int_equal(v.reset_s, i + 1);
		assert_int_equal(v.retry_after_s, 0);
		assert_string_equal(v.mode, "local");
	}
	v = decide(&a, 1, BEGIN);
	assert_false(v.allowed);
	assert_int_equal(v.remaining, 0);
	assert_int_equal(v.reset_s, 10);
	assert_int_equal(v.retry_after_s, 1);
}

/* What Retry-After says is enough, and no second less is; what Reset says makes the key whole. */
static void
the_numbers_are_true(void **state)
{
	struct limit_rule a = rule_of("k", 6, 60 * SECOND, 3);
	struct limit_verdict v;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(decide(&a, 1, BEGIN).allowed);
	v = decide(&a, 1, BEGIN);
	assert_false(v.allowed);
	assert_int_equal(v.retry_after_s, 10);
	assert_int_equal(v.more_s, 10);
	assert_int_equal(v.reset_s, 30);
	assert_false(decide(&a, 1, BEGIN + 9 * SECOND).allowed);
	assert_true(decide(&a, 1, BEGIN + 10 * SECOND).allowed);
	v = decide(&a, 1, BEGIN + 40 * SECOND);
	assert_true(v.allowed);
	assert_int_equal(v.remaining, 2);
}

/* One more is free then, which that request takes; a second before there is none. */
static void
more_is_free_when_it_is_said(void **state)
{
	struct limit_rule a = rule_of("k", 6, 60 * SECOND, 3);
	struct limit_verdict v;

	(void)state;
	v = decide(&a, 1, BEGIN);
	assert_int_equal(v.remaining, 2);
	assert_int_equal(v.more_s, 10);
	v = decide(&a, 1, BEGIN + 4 * SECOND);
	assert_int_equal(v.remaining, 1);
	assert_int_equal(v.more_s, 6);
	v = decide(&a, 1, BEGIN + 10 * SECOND);
	assert_int_equal(v.remaining, 1);
	v = decide(&a, 1, BEGIN + 19 * SECOND);
	assert_int_equal(v.remaining, 0);
	assert_int_equal(v.more_s, 1);
}

/* A thousand refusals do not put off the next pass by a microsecond. */
static void
a_refusal_is_free(void **state)
{
	struct limit_rule a = rule_of("k", 1, SECOND, 0);

	(void)state;
	assert_true(decide(&a, 1, BEGIN).allowed);
	for (uint64_t i = 1; i < 1000; i++)
		assert_false(decide(&a, 1, BEGIN + i * 1000).allowed);
	assert_true(decide(&a, 1, BEGIN + SECOND).allowed);
}

/* All or none: a key with room is not charged when another one refuses. */
static void
all_keys_are_charged_or_none(void **state)
{
	struct limit_rule both[2] = { rule_of("wide", 100, 60 * SECOND, 0),
		rule_of("narrow", 1, 60 * SECOND, 0) };
	struct limit_verdict v = decide(both, 2, BEGIN);

	(void)state;
	assert_true(v.allowed);
	assert_int_equal(v.which, 1);
	assert_int_equal(v.remaining, 0);
	for (int i = 0; i < 50; i++) {
		v = decide(both, 2, BEGIN);
		assert_false(v.allowed);
		assert_int_equal(v.which, 1);
		assert_int_equal(v.limit, 1);
	}
	v = decide(both, 1, BEGIN);
	assert_int_equal(v.remaining, 98);
}

static void
the_tightest_limit_is_reported(void **state)
{
	struct limit_rule three[3] = { rule_of("a", 5, 5 * SECOND, 0),
		rule_of("b", 3, 300 * SECOND, 0), rule_of("c", 4, 4 * SECOND, 0) };
	struct limit_verdict v;

	(void)state;
	v = decide(three, 3, BEGIN);
	assert_int_equal(v.which, 1);
	assert_int_equal(v.remaining, 2);
	for (int i = 0; i < 4; i++)
		(void)decide(&three[2], 1, BEGIN);
	v = decide(three, 3, BEGIN);
	assert_false(v.allowed);
	assert_int_equal(v.which, 2);
	for (int i = 0; i < 3; i++)
		(void)decide(&three[1], 1, BEGIN);
	v = decide(three, 3, BEGIN);
	assert_int_equal(v.which, 1); /* the longer wait */
	assert_int_equal(v.retry_after_s, 100);
}

/* Random arrivals, random limits: in no window more than burst + what the window earns, and never
 * less than was promised by `remaining`. */
static void
never_more_than_the_limit(void **state)
{
	(void)state;
	srandom(20261123);
	for (int round = 0; round < 200; round++) {
		char key[16];
		unsigned count = 1 + (unsigned)random() % 50;
		unsigned burst = (unsigned)random() % 60;
		uint64_t period = (1 + (uint64_t)random() % 100) * 100000;
		uint64_t now = BEGIN;
		uint64_t passed = 0;
		struct gcra g;

		(void)snprintf(key, sizeof(key), "k%d", round);
		struct limit_rule a = rule_of(key, count, period, burst);

		g = gcra_of(&a);
		for (int i = 0; i < 300; i++) {
			struct limit_verdict v = decide(&a, 1, now);

			passed += v.allowed;
			assert_true(passed <=
			    g.tolerance_us / g.interval_us + (now - BEGIN) / g.interval_us);
			assert_true(v.remaining < (burst != 0 ? burst : count));
			if (!v.allowed)
				assert_true(v.retry_after_s >= 1 &&
				    (v.retry_after_s - 1) * SECOND < g.interval_us);
			for (unsigned left = v.remaining; v.allowed && i % 50 == 0 && left > 0;
			     left--) {
				assert_true(decide(&a, 1, now).allowed);
				passed++;
			}
			now += (uint64_t)random() % (3 * g.interval_us / 2 + 1);
		}
	}
}

static void
a_clock_set_back_hurts_nobody(void **state)
{
	struct limit_rule a = rule_of("k", 1, 10 * SECOND, 0);

	(void)state;
	assert_true(decide(&a, 1, BEGIN + 3600 * SECOND).allowed);
	assert_false(decide(&a, 1, BEGIN).allowed);
	assert_int_equal(decide(&a, 1, BEGIN).retry_after_s, 10); /* not an hour */
}

static void
extreme_limits_are_kept(void **state)
{
	struct limit_rule a = rule_of("big", 1, 1ull << 62, 0);
	struct limit_rule b = rule_of("fast", 4000000000u, SECOND, 4000000000u);
	struct limit_rule c = rule_of("wide", 1, 86400 * SECOND, 4000000000u);

	(void)state;
	assert_true(decide(&a, 1, BEGIN).allowed);
	assert_false(decide(&a, 1, BEGIN).allowed);
	for (int i = 0; i < 1000; i++) {
		assert_true(decide(&b, 1, BEGIN).allowed);
		(void)decide(&c, 1, BEGIN);
	}
	assert_int_equal(gcra_of(&c).tolerance_us % gcra_of(&c).interval_us, 0);
}

/* More keys than there is room for: the oldest are forgotten, the store does not grow. */
static void
the_oldest_keys_are_forgotten(void **state)
{
	char key[16];

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		(void)snprintf(key, sizeof(key), "k%u", i);
		struct limit_rule a = rule_of(key, 1, SECOND, 0);

		assert_true(decide(&a, 1, BEGIN).allowed);
		assert_false(decide(&a, 1, BEGIN).allowed);
	}
	assert_int_equal(limit_store_count(store), 1000);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_limit_counts_down),
		TEST(the_numbers_are_true),
		TEST(more_is_free_when_it_is_said),
		TEST(a_refusal_is_free),
		TEST(all_keys_are_charged_or_none),
		TEST(the_tightest_limit_is_reported),
		TEST(never_more_than_the_limit),
		TEST(a_clock_set_back_hurts_nobody),
		TEST(extreme_limits_are_kept),
		TEST(the_oldest_keys_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
