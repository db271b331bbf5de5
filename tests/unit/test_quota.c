/* SPDX-License-Identifier: MIT */
/*
 * test_quota: the arithmetic of quotas, and the store of a process that counts by it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "limit/quota_store.h"

#define SECOND 1000000ull
#define T0     1795824000ull /* 2026-11-28, in seconds */

static struct limit_store *store;

static int
quota_store_open(void **state)
{
	(void)state;
	store = limit_store_new(100);
	return 0;
}

static int
quota_store_close(void **state)
{
	(void)state;
	limit_store_free(store);
	return 0;
}

static struct quota_verdict verdict;
static struct limit_verdict rates;

static struct quota_now
after_s(uint64_t s)
{
	return (struct quota_now){ (1000 + s) * SECOND, T0 + s };
}

static bool
quota_try(struct quota quota, uint64_t tokens, bool is_stream, uint64_t at_s)
{
	const struct quota_request ask = { .quota = quota,
		.state_key = SLICE_LIT("acme"),
		.leases_key = SLICE_LIT("leases"),
		.tokens = quota_reserve(&quota, tokens),
		.is_stream = is_stream };

	return limit_store_take(store, NULL, 0, &ask, after_s(at_s), &rates, &verdict);
}

static void
quota_end(struct quota quota, uint64_t reserved, uint64_t used, bool is_stream, uint64_t at_s)
{
	const struct quota_change c = { .give_back = quota_reserve(&quota, reserved),
		.used = used,
		.ends_stream = is_stream };

	limit_store_change(store, SLICE_LIT("acme"), &quota, after_s(at_s), &c);
}

static void
a_month_is_the_calendars(void **state)
{
	unsigned before = quota_month(0), months = 0;

	(void)state;
	for (uint64_t day = 1; day < 146097; day++) { /* 1970 to 2370 */
		time_t t = (time_t)(day * 86400);
		unsigned now = quota_month((uint64_t)t + 86399);
		struct tm tm;

		assert_non_null(gmtime_r(&t, &tm));
		assert_int_equal(now - before, tm.tm_mday == 1);
		months += now - before;
		before = now;
	}
	assert_int_equal(months, 400 * 12 - 1);
	assert_int_equal(quota_month_left_s(T0), 3 * 86400);
	assert_int_equal(quota_month_left_s(T0 + 3 * 86400 - 1), 1);
	assert_int_equal(quota_month_left_s(T0 + 3 * 86400), 31 * 86400);
}

static void
what_is_not_used_comes_back(void **state)
{
	const struct quota q = { .tokens_per_minute = 1000, .tokens_per_month = 5000 };

	(void)state;
	assert_true(quota_try(q, 600, false, 0));
	assert_false(quota_try(q, 600, false, 0));
	assert_int_equal(verdict.refused, QUOTA_MINUTE);
	assert_int_equal(verdict.retry_after_s, 12); /* 200 too many, of 1000 a minute */
	quota_end(q, 600, 100, false, 0);
	assert_true(quota_try(q, 900, false, 0));
	assert_int_equal(verdict.minute_left, 0);
	assert_int_equal(verdict.month_left, 4000);
	quota_end(q, 900, 0, false, 0);
	assert_true(quota_try(q, 900, false, 0));
}

static void
the_minute_empties_steadily(void **state)
{
	const struct quota q = { .tokens_per_minute = 600 };

	(void)state;
	assert_true(quota_try(q, 600, false, 0));
	assert_false(quota_try(q, 100, false, 9));
	assert_int_equal(verdict.retry_after_s, 1);
	assert_true(quota_try(q, 100, false, 10));
	/* A clock that goes back empties nothing, and fills nothing. */
	assert_false(quota_try(q, 10, false, 0));
	assert_false(quota_try(q, 10, false, 10));
	assert_true(quota_try(q, 600, false, 70));
}

static void
who_has_spent_nothing_may_ask_for_more_than_there_is(void **state)
{
	const struct quota q = { .tokens_per_minute = 100, .tokens_per_month = 1000 };

	(void)state;
	assert_true(quota_try(q, 100000, false, 0));
	quota_end(q, 100000, 400, false, 0);
	assert_false(quota_try(q, 1, false, 0));
	assert_int_equal(verdict.retry_after_s, 181); /* what was taken beyond it is waited for */
	assert_false(quota_try(q, 1, false, 180));
	assert_true(quota_try(q, 1, false, 181));
}

static void
a_month_ends(void **state)
{
	const struct quota q = { .tokens_per_month = 1000 };
	const uint64_t next = 3 * 86400;

	(void)state;
	assert_true(quota_try(q, 500, false, 0));
	assert_true(verdict.is_new);
	assert_false(quota_try(q, 501, false, 0));
	quota_end(q, 500, 1000, false, 0);
	assert_false(quota_try(q, 0, false, 1));
	assert_int_equal(verdict.refused, QUOTA_MONTH);
	assert_int_equal(verdict.retry_after_s, next - 1);
	assert_true(quota_try(q, 0, false, next));
	assert_int_equal(verdict.month_left, 1000);
	assert_false(verdict.is_new);
}

static void
what_was_spent_before_counts_once(void **state)
{
	const struct quota q = { .tokens_per_month = 1000 };
	const struct quota_change seed = { .seeds = true, .seed = 600 };

	(void)state;
	assert_true(quota_try(q, 0, false, 0));
	assert_true(verdict.is_new);
	limit_store_change(store, SLICE_LIT("acme"), &q, after_s(0), &seed);
	limit_store_change(store, SLICE_LIT("acme"), &q, after_s(0), &seed);
	assert_true(quota_try(q, 400, false, 0));
	assert_false(verdict.is_new);
	assert_int_equal(verdict.month_left, 0);
}

static void
streams_are_counted_apart(void **state)
{
	const struct quota q = { .streams = 2 };

	(void)state;
	assert_true(quota_try(q, 10, true, 0));
	assert_true(quota_try(q, 10, true, 0));
	assert_false(quota_try(q, 10, true, 0));
	assert_int_equal(verdict.refused, QUOTA_STREAMS);
	assert_int_equal(verdict.retry_after_s, 1);
	assert_true(quota_try(q, 10, false, 0));
	quota_end(q, 10, 5, false, 0);
	assert_false(quota_try(q, 10, true, 0));
	quota_end(q, 10, 5, true, 0);
	assert_true(quota_try(q, 10, true, 0));
}

static void
what_a_rate_refuses_reserves_nothing(void **state)
{
	const struct limit_rule rule = { .key = SLICE_LIT("r"),
		.count = 1,
		.period_us = 60 * SECOND };
	struct quota_request ask = { .quota = { .streams = 1 },
		.state_key = SLICE_LIT("acme"),
		.is_stream = true };

	(void)state;
	assert_true(limit_store_take(store, &rule, 1, &ask, after_s(0), &rates, &verdict));
	quota_end(ask.quota, 0, 0, true, 0);
	assert_false(limit_store_take(store, &rule, 1, &ask, after_s(0), &rates, &verdict));
	assert_false(rates.allowed);
	assert_int_equal(verdict.refused, QUOTA_NONE);
	/* And the other way round: the rate's one is there when the stream is. */
	assert_true(limit_store_take(store, &rule, 1, &ask, after_s(60), &rates, &verdict));
	assert_false(limit_store_take(store, &rule, 1, &ask, after_s(120), &rates, &verdict));
	assert_int_equal(verdict.refused, QUOTA_STREAMS);
	quota_end(ask.quota, 0, 0, true, 120);
	assert_true(limit_store_take(store, &rule, 1, &ask, after_s(120), &rates, &verdict));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, quota_store_open, quota_store_close)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_month_is_the_calendars),
		TEST(what_is_not_used_comes_back),
		TEST(the_minute_empties_steadily),
		TEST(who_has_spent_nothing_may_ask_for_more_than_there_is),
		TEST(a_month_ends),
		TEST(what_was_spent_before_counts_once),
		TEST(streams_are_counted_apart),
		TEST(what_a_rate_refuses_reserves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
