/* SPDX-License-Identifier: MIT */
/*
 * test_neon_rate: the arithmetic of Neon's rate, of what creations take, and of refusals.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tenant/neon_bucket.h"
#include "tenant/neon_pace.h"
#include "tenant/neon_refusal.h"
#include "tenantgate/base/backoff.h"

#define SECOND 1000000ull
#define NOW    (1000 * SECOND)
#define AHEAD  (5 * SECOND)

/* ---- the bucket ---- */

static void
a_burst_is_free_and_then_the_rate_is_kept(void **state)
{
	struct neon_rate rate = neon_rate_of(10, 30, 1);
	uint64_t bucket = 0, wait;
	unsigned i;

	(void)state;
	for (i = 0; i < 30; i++) {
		assert_true(neon_bucket_reserve(rate, &bucket, NOW, AHEAD, &wait));
		assert_int_equal(wait, 0);
	}
	for (i = 1; i <= 50; i++) {
		assert_true(neon_bucket_reserve(rate, &bucket, NOW, AHEAD, &wait));
		assert_int_equal(wait, i * SECOND / 10);
	}
	assert_false(neon_bucket_reserve(rate, &bucket, NOW, AHEAD, &wait));
	assert_int_equal(wait, 51 * SECOND / 10);
	assert_true(neon_bucket_reserve(rate, &bucket, NOW + SECOND / 10, AHEAD, &wait));
	assert_int_equal(wait, AHEAD);
}

/* 30 and 10 a second: 40 in the first second, which is what Neon lets through on a route. */
static void
no_second_has_more_than_burst_and_rate(void **state)
{
	struct neon_rate rate = neon_rate_of(10, 30, 1);
	uint64_t bucket = 0, wait, now;
	unsigned sent = 0;

	(void)state;
	for (now = NOW; now < NOW + SECOND; now += 1000)
		sent += neon_bucket_reserve(rate, &bucket, now, 0, &wait);
	assert_int_equal(sent, 39);
}

static void
who_may_not_reserve_ahead_waits_for_those_who_did(void **state)
{
	struct neon_rate rate = neon_rate_of(10, 1, 1);
	uint64_t bucket = 0, wait;

	(void)state;
	assert_true(neon_bucket_reserve(rate, &bucket, NOW, AHEAD, &wait));
	assert_true(neon_bucket_reserve(rate, &bucket, NOW, AHEAD, &wait));
	assert_false(neon_bucket_reserve(rate, &bucket, NOW, 0, &wait));
	assert_int_equal(wait, 2 * SECOND / 10);
	assert_true(neon_bucket_reserve(rate, &bucket, NOW + wait, 0, &wait));
}

static void
a_hold_is_for_everybody_and_leaves_no_burst(void **state)
{
	struct neon_rate rate = neon_rate_of(10, 30, 1);
	uint64_t bucket = 0, wait, held;

	(void)state;
	neon_bucket_hold(rate, &bucket, NOW, 60 * SECOND);
	held = bucket;
	neon_bucket_hold(rate, &bucket, NOW, SECOND);
	assert_int_equal(bucket, held);
	assert_false(neon_bucket_reserve(rate, &bucket, NOW, AHEAD, &wait));
	assert_int_equal(wait, 60 * SECOND + SECOND / 10);
	assert_true(neon_bucket_reserve(rate, &bucket, NOW + 61 * SECOND, AHEAD, &wait));
	assert_int_equal(wait, 0);
}

static void
parts_of_a_rate_make_no_more_than_the_whole(void **state)
{
	struct neon_rate four = neon_rate_of(10, 30, 4), many = neon_rate_of(10, 30, 100);

	(void)state;
	assert_int_equal(four.interval_us, 4 * SECOND / 10);
	assert_int_equal(four.tolerance_us, 7 * four.interval_us);
	assert_int_equal(many.tolerance_us, many.interval_us);
	assert_int_equal(neon_rate_of(10, 30, 0).interval_us, SECOND / 10);
	assert_int_equal(neon_rate_of(0, 0, 1).interval_us, SECOND);
}

/* ---- the pace ---- */

static struct neon_pace
pace_of(unsigned n, uint64_t first_us, uint64_t step_us)
{
	struct neon_pace p = { .count = 0 };
	unsigned i;

	for (i = 0; i < n; i++) {
		uint64_t us = first_us + i * step_us;

		pace_add(&p, (struct neon_creation_times){ us, 2 * us, 3 + i % 2 });
	}
	return p;
}

static void
without_a_record_a_second_is_waited(void **state)
{
	struct neon_pace none = { .count = 0 };

	(void)state;
	assert_int_equal(pace_look_us(&none, 0), SECOND);
	assert_int_equal(pace_look_us(&none, 1), SECOND / 2);
	assert_int_equal(pace_calls(&none, 10), 40);
}

static void
the_first_look_is_at_the_median_of_the_last_32(void **state)
{
	struct neon_pace p = pace_of(32 + 31, 0, SECOND / 10);

	(void)state;
	/* 3.1 to 6.2 s; the lower one of the two in the middle. */
	assert_int_equal(pace_median_us(&p), 46 * SECOND / 10);
	assert_int_equal(pace_look_us(&p, 0), 46 * SECOND / 10);
	assert_int_equal(pace_look_us(&p, 1), 23 * SECOND / 10);
	assert_int_equal(pace_longest_us(&p), 2 * 62 * SECOND / 10);
	p = pace_of(5, 100 * SECOND, 0);
	assert_int_equal(pace_look_us(&p, 1), 5 * SECOND);
}

/* One that takes a hundred times what the others took must not cost hundreds of calls. */
static void
looks_in_vain_get_rarer(void **state)
{
	struct neon_pace p = pace_of(8, SECOND / 50, 0);
	uint64_t us = 0;
	unsigned n;

	(void)state;
	for (n = 0; us < 60 * SECOND; n++)
		us += pace_look_us(&p, n);
	assert_in_range(n, 10, 35);
	assert_int_equal(pace_look_us(&p, n), 5 * SECOND);
}

static void
an_estimate_is_between_the_looks(void **state)
{
	(void)state;
	assert_int_equal(pace_estimate_us(0, SECOND, 0), SECOND / 2);
	assert_int_equal(pace_estimate_us(SECOND, 2 * SECOND, 0), 3 * SECOND / 2);
	assert_int_equal(pace_estimate_us(0, SECOND, 60000), 60000);
	assert_int_equal(pace_estimate_us(SECOND, 2 * SECOND, 1), SECOND);
	assert_int_equal(pace_estimate_us(SECOND, 2 * SECOND, 9 * SECOND), 2 * SECOND);
}

/* With a full bucket: (place x calls - burst) / rate, and what the slowest of the last took. */
static void
a_place_is_ready_when_the_rate_allows(void **state)
{
	struct neon_rate rate = neon_rate_of(10, 30, 1);
	struct neon_pace p = pace_of(2, 2 * SECOND, 2 * SECOND);

	(void)state;
	assert_int_equal(pace_calls(&p, 300), 1050);
	assert_int_equal(pace_ready_us(&p, rate, 0, 300), 102 * SECOND + 8 * SECOND);
	assert_int_equal(pace_ready_us(&p, rate, 0, 1), 8 * SECOND);
	assert_int_equal(pace_ready_us(&p, rate, 3 * SECOND, 300), 105 * SECOND + 8 * SECOND);
	/* Held for a minute. */
	assert_int_equal(pace_ready_us(&p, rate, 63 * SECOND, 10), 71 * SECOND + SECOND / 2);
}

/* ---- refusals ---- */

static void
limits_are_known_by_status_code_or_text(void **state)
{
	(void)state;
	assert_int_equal(neon_refusal_of(402, "", ""), REFUSAL_LIMIT);
	assert_int_equal(neon_refusal_of(422, "PROJECTS_LIMIT_EXCEEDED", ""), REFUSAL_LIMIT);
	assert_int_equal(neon_refusal_of(403, "", "user projects limit of 1 exceeded, got 1"),
	    REFUSAL_LIMIT);
	assert_int_equal(neon_refusal_of(403, "COMPUTE_TIME_EXCEEDED", ""), REFUSAL_LIMIT);
	assert_int_equal(neon_refusal_of(403, "", "not allowed"), REFUSAL_DENIED);
	assert_int_equal(neon_refusal_of(401, "", ""), REFUSAL_DENIED);
	assert_int_equal(neon_refusal_of(429, "", ""), REFUSAL_PATIENCE);
	assert_int_equal(neon_refusal_of(423, "", ""), REFUSAL_NONE);
	assert_int_equal(neon_refusal_of(503, "", "limit"), REFUSAL_NONE);
	assert_int_equal(neon_refusal_of(0, "", ""), REFUSAL_NONE);
}

static uint64_t
most_random(void)
{
	return UINT64_MAX;
}

static void
repeated_refusals_wait_longer_up_to_a_quarter_of_an_hour(void **state)
{
	unsigned n;
	int last = 0, s;

	(void)state;
	backoff_test_random(most_random);
	for (n = 1; n <= 20; n++) {
		s = neon_refusal_wait_s(REFUSAL_LIMIT, n, 0);
		assert_true(s >= last && s >= 10 && s <= 900);
		last = s;
	}
	assert_in_range(last, 450, 900);
	backoff_test_random(NULL);
}

static void
retry_after_is_kept(void **state)
{
	(void)state;
	assert_true(neon_refusal_wait_s(REFUSAL_LIMIT, 1, 3600) >= 3600);
	assert_int_equal(neon_refusal_wait_s(REFUSAL_PATIENCE, 0, 60), 60);
	assert_int_equal(neon_refusal_wait_s(REFUSAL_PATIENCE, 0, 0), 1);
	assert_int_equal(neon_refusal_wait_s(REFUSAL_DENIED, 0, 60), 60);
	assert_int_equal(neon_refusal_wait_s(REFUSAL_NONE, 0, 7), 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_is_free_and_then_the_rate_is_kept),
		cmocka_unit_test(no_second_has_more_than_burst_and_rate),
		cmocka_unit_test(who_may_not_reserve_ahead_waits_for_those_who_did),
		cmocka_unit_test(a_hold_is_for_everybody_and_leaves_no_burst),
		cmocka_unit_test(parts_of_a_rate_make_no_more_than_the_whole),
		cmocka_unit_test(without_a_record_a_second_is_waited),
		cmocka_unit_test(the_first_look_is_at_the_median_of_the_last_32),
		cmocka_unit_test(looks_in_vain_get_rarer),
		cmocka_unit_test(an_estimate_is_between_the_looks),
		cmocka_unit_test(a_place_is_ready_when_the_rate_allows),
		cmocka_unit_test(limits_are_known_by_status_code_or_text),
		cmocka_unit_test(repeated_refusals_wait_longer_up_to_a_quarter_of_an_hour),
		cmocka_unit_test(retry_after_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
