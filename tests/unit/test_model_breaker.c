/* SPDX-License-Identifier: MIT */
/*
 * The breaker of a server of models, by a clock of the test's own: what opens it and what does not,
 * who is let through, and what it says of itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/model_breaker.h"

#define SECOND 1000000ull

static struct model_breaker breaker;
static uint64_t now;
static bool is_probe;
static struct breaker_refusal refusal;

static int
set_up(void **state)
{
	(void)state;
	model_breaker_init(&breaker, "chat model", "a");
	now = 1000 * SECOND;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	model_breaker_destroy(&breaker);
	return 0;
}

static bool
let_through(void)
{
	return model_breaker_admits(&breaker, now, &is_probe, &refusal);
}

static void
ends(enum breaker_word word, const char *tenant, int status)
{
	struct breaker_end end = { word, is_probe, slice_str(tenant), status, status == 0 };

	model_breaker_ended(&breaker, &end, now);
	is_probe = false;
}

static void
calls_fail(const char *tenant, unsigned times)
{
	while (times-- > 0) {
		assert_true(let_through());
		ends(BREAKER_FAILED_AT_IT, tenant, 500);
	}
}

static const char *
condition(void)
{
	static struct condition c;

	c = (struct condition){ .is_ill = false };
	model_breaker_condition(&breaker, &c, now);
	return c.reason;
}

/* Of two tenants in turns: open, and refused with the rest of that time. */
static void
open_it(void)
{
	calls_fail("a", 3);
	calls_fail("b", 2);
	assert_false(let_through());
	assert_int_equal(refusal.reason, BREAKER_ILL);
}

static void
failures_in_a_row_open_it(void **state)
{
	(void)state;
	calls_fail("a", 2);
	calls_fail("b", 2);
	assert_true(let_through());
	ends(BREAKER_HEARD, "a", 200);
	calls_fail("a", 2);
	calls_fail("b", 2);
	ends(BREAKER_NOTHING, "c", 400); /* refused for itself: neither ends the row nor counts */
	calls_fail("c", 1);
	assert_false(let_through());
	assert_false(is_probe);
	assert_in_range(refusal.rest_s, 1, 5);
}

static void
what_nobody_caused_counts_whoever_asked(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		assert_true(let_through());
		ends(BREAKER_FAILED, "a", 401);
	}
	assert_false(let_through());
}

static void
one_tenant_cannot_open_it(void **state)
{
	(void)state;
	calls_fail("a", 1000);
	assert_true(let_through());
	ends(BREAKER_FAILED, "a", 401); /* nobody's, and the row goes on */
	calls_fail("a", 1000);
	ends(BREAKER_HEARD, "b", 200);
	calls_fail("a", 1000);
	ends(BREAKER_FAILED_AT_IT, "b", 500); /* with a's three: not enough */
	assert_true(let_through());
	for (unsigned i = 0; i < 100; i++)
		ends(BREAKER_NOTHING, "a", 400);
	assert_true(let_through());
}

static void
old_failures_are_forgotten(void **state)
{
	(void)state;
	calls_fail("a", 2);
	calls_fail("b", 2);
	now += 301 * SECOND;
	calls_fail("c", 1);
	assert_true(let_through());
}

static void
one_probe_at_a_time_and_a_success_closes_it(void **state)
{
	(void)state;
	open_it();
	now += 2 * SECOND;
	assert_false(let_through());
	now += 3 * SECOND;
	assert_true(let_through());
	assert_true(is_probe);
	assert_false(let_through());
	is_probe = true;
	ends(BREAKER_FAILED_AT_IT, "c", 500);
	now += 4 * SECOND; /* longer each time: at least half of 10 s */
	assert_false(let_through());
	now += 6 * SECOND;
	assert_true(let_through());
	assert_true(is_probe);
	ends(BREAKER_HEARD, "c", 200);
	assert_true(let_through());
	assert_false(is_probe);
	assert_string_equal(condition(), "");
}

/* A client that leaves, or a request that is refused for itself, says nothing: the next is one. */
static void
a_probe_without_a_word_leaves_its_place(void **state)
{
	(void)state;
	open_it();
	now += 5 * SECOND;
	assert_true(let_through());
	ends(BREAKER_NOTHING, "c", 0);
	assert_true(let_through());
	assert_true(is_probe);
}

/* The first of a's probes fails as anybody's; the second in a row keeps nobody else away. */
static void
one_tenants_probes_do_not_keep_it_open(void **state)
{
	(void)state;
	open_it();
	now += 5 * SECOND;
	assert_true(let_through());
	ends(BREAKER_FAILED_AT_IT, "c", 500);
	now += 10 * SECOND;
	assert_true(let_through());
	ends(BREAKER_FAILED_AT_IT, "c", 500);
	assert_true(let_through());
	assert_true(is_probe);
	ends(BREAKER_HEARD, "d", 200);
	assert_true(let_through());
}

static void
a_retry_after_is_kept(void **state)
{
	(void)state;
	model_breaker_pause(&breaker, 30, 429, now);
	model_breaker_pause(&breaker, 2, 503, now); /* a shorter one does not end it */
	assert_false(let_through());
	assert_int_equal(refusal.reason, BREAKER_PAUSED);
	assert_int_equal(refusal.rest_s, 30);
	assert_string_equal(condition(),
	    "The chat model asked for a pause (HTTP 429) of which 30 s are left; look at the "
	    "limits of server 'a'.");
	ends(BREAKER_HEARD, "a", 200); /* of a call that began before it */
	now += 29 * SECOND + SECOND / 2;
	assert_false(let_through());
	assert_int_equal(refusal.rest_s, 1);
	now += SECOND / 2;
	assert_true(let_through());
	assert_false(is_probe); /* all are let through, as it said */
	model_breaker_pause(&breaker, 86400, 503, now);
	now += 3600 * SECOND;
	assert_true(let_through());
}

static void
a_quota_is_probed_every_five_minutes(void **state)
{
	(void)state;
	assert_true(let_through());
	ends(BREAKER_QUOTA, "a", 429);
	for (unsigned i = 0; i < 2; i++) {
		assert_false(let_through());
		assert_int_equal(refusal.reason, BREAKER_NO_QUOTA);
		assert_int_equal(refusal.rest_s, 300);
		now += 300 * SECOND;
		assert_true(let_through());
		assert_true(is_probe);
		assert_false(let_through());
		is_probe = true;
		ends(BREAKER_QUOTA, "a", 429);
	}
	assert_string_equal(condition(),
	    "The quota of the chat model has been used up for 600 s (HTTP 429); raise it at server "
	    "'a'.");
	now += 300 * SECOND;
	assert_true(let_through());
	ends(BREAKER_HEARD, "a", 200);
	assert_true(let_through());
	assert_string_equal(condition(), "");
}

static void
it_says_which_server_since_when_and_why(void **state)
{
	(void)state;
	calls_fail("a", 2);
	assert_string_equal(condition(), "");
	now += 7 * SECOND;
	assert_true(let_through());
	ends(BREAKER_FAILED_AT_IT, "a", 0);
	assert_string_equal(condition(),
	    "The last 3 calls of the chat model failed (it did not answer in time), the first one "
	    "7 s ago; look at server 'a', its key and its quota.");
	now += 301 * SECOND;
	assert_string_equal(condition(), "");
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(failures_in_a_row_open_it),
		TEST(what_nobody_caused_counts_whoever_asked),
		TEST(one_tenant_cannot_open_it),
		TEST(old_failures_are_forgotten),
		TEST(one_probe_at_a_time_and_a_success_closes_it),
		TEST(a_probe_without_a_word_leaves_its_place),
		TEST(one_tenants_probes_do_not_keep_it_open),
		TEST(a_retry_after_is_kept),
		TEST(a_quota_is_probed_every_five_minutes),
		TEST(it_says_which_server_since_when_and_why),
	};

	return cmocka_run_group_tests_name("model_breaker", tests, NULL, NULL);
}
