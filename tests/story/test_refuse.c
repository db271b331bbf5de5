/* SPDX-License-Identifier: MIT */
/*
 * test_refuse: how requests without a valid key end: at once within the rate, later beyond it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/refuse.h"
#include "../unit/fake_http.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "turn_until_idle.h"

#define RATE   10u
#define SECOND 1000000ull
#define HERE   SLICE_LIT("here")

struct refuse_fixture {
	struct worker *worker;
	struct api_conf conf;
	struct api_shared shared;
	struct api_context ctx;
	struct http_exchange x;
	struct request req;
	struct err err;
	unsigned ended;
};

static struct refuse_fixture *fixture;

static void
refused_end(struct flow *f, const struct err *err)
{
	(void)f;
	fixture->err = *err;
	fixture->ended++;
}

static const struct flow_step refused_steps[] = { { "refuse", request_refuse }, { NULL, NULL } };
static const struct flow_kind refused_kind = { "refused", refused_steps, refused_end, NULL };

static void
refuse_begin(void)
{
	fixture->ended = 0;
	fixture->req.magic = REQUEST_MAGIC;
	fixture->req.ctx = &fixture->ctx;
	fixture->req.conf = &fixture->conf;
	fixture->req.x = &fixture->x;
	flow_start(&fixture->req.flow, &refused_kind, fixture->worker, NULL);
}

/* How long it took, by the true clock. */
static uint64_t
refuse(void)
{
	uint64_t began = clock_mono_us();

	refuse_begin();
	turn_until_idle(fixture->worker);
	assert_int_equal(fixture->ended, 1);
	return clock_mono_us() - began;
}

static int
set_up(void **state)
{
	(void)state;
	log_level(LOG_EMERG);
	fixture = calloc(1, sizeof(*fixture));
	fixture->worker = worker_new(0);
	fixture->conf.auth_failures_per_minute = RATE;
	fixture->ctx = (struct api_context){
		.worker = fixture->worker,
		.conf = &fixture->conf,
		.shared = &fixture->shared,
		.failures = limit_store_new(100),
	};
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	limit_store_free(fixture->ctx.failures);
	worker_free(fixture->worker);
	free(fixture);
	return 0;
}

static void
the_excess_grows_to_the_rate_and_is_forgotten(void **state)
{
	struct limit_store *s = fixture->ctx.failures;
	uint64_t now = 1000 * SECOND;
	unsigned i;

	(void)state;
	for (i = 0; i < RATE; i++)
		assert_int_equal(refusals_over(s, HERE, RATE, now), 0);
	for (i = 1; i <= RATE; i++)
		assert_int_equal(refusals_over(s, HERE, RATE, now), i);
	assert_int_equal(refusals_over(s, HERE, RATE, now), RATE);
	assert_int_equal(refusals_over(s, SLICE_LIT("there"), RATE, now), 0);
	assert_int_equal(refusals_over(s, HERE, RATE, now + 60 * SECOND), 1);
	assert_int_equal(refusals_over(s, HERE, RATE, now + 240 * SECOND), 0);
}

static void
within_the_rate_nobody_is_held(void **state)
{
	char first[sizeof(fixture->err.detail)];
	unsigned i;

	(void)state;
	for (i = 0; i < RATE; i++) {
		refuse_begin();
		worker_turn(fixture->worker, 0);
		assert_int_equal(fixture->ended, 1);
		assert_int_equal(fixture->err.code, ERR_UNAUTHENTICATED);
	}
	memcpy(first, fixture->err.detail, sizeof(first));
	assert_true(refuse() >= 5 * SECOND / RATE);
	assert_int_equal(fixture->err.code, ERR_UNAUTHENTICATED);
	assert_string_equal(fixture->err.detail, first);
	assert_int_equal(atomic_load(&fixture->shared.refusals), 0);
}

static void
one_that_is_held_beyond_its_deadline_is_the_same_401(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < RATE; i++)
		refuse();
	refuse_begin();
	flow_deadline(&fixture->req.flow, 1000);
	turn_until_idle(fixture->worker);
	assert_int_equal(fixture->ended, 1);
	assert_int_equal(fixture->err.code, ERR_UNAUTHENTICATED);
}

static void
a_rate_of_zero_holds_nobody(void **state)
{
	unsigned i;

	(void)state;
	fixture->conf.auth_failures_per_minute = 0;
	for (i = 0; i < 5 * RATE; i++) {
		refuse_begin();
		worker_turn(fixture->worker, 0);
		assert_int_equal(fixture->ended, 1);
	}
	assert_int_equal(limit_store_count(fixture->ctx.failures), 0);
}

static void
one_that_leaves_is_held_no_longer(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < RATE; i++)
		refuse();
	refuse_begin();
	worker_turn(fixture->worker, 0);
	assert_int_equal(atomic_load(&fixture->shared.refusals), 1);
	flow_abort(&fixture->req.flow, ERR_CLIENT_GONE, "left");
	turn_until_idle(fixture->worker);
	assert_int_equal(fixture->err.code, ERR_CLIENT_GONE);
	assert_int_equal(atomic_load(&fixture->shared.refusals), 0);
}

static void
beyond_the_ceiling_it_is_429_at_once(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < RATE; i++)
		refuse();
	atomic_store(&fixture->shared.refusals, 1024);
	refuse_begin();
	worker_turn(fixture->worker, 0);
	assert_int_equal(fixture->ended, 1);
	assert_int_equal(fixture->err.code, ERR_RATE_LIMITED);
	/* One over a rate of one in six seconds. */
	assert_int_equal(fixture->err.retry_after, 6);
	assert_int_equal(atomic_load(&fixture->shared.refusals), 1024);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_excess_grows_to_the_rate_and_is_forgotten,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(within_the_rate_nobody_is_held, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    one_that_is_held_beyond_its_deadline_is_the_same_401, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_rate_of_zero_holds_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_leaves_is_held_no_longer, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(beyond_the_ceiling_it_is_429_at_once, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
