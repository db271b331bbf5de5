/* SPDX-License-Identifier: MIT */
/*
 * What requests hold of quotas, in a true Redis: a thousand that come at once are no more than they
 * may, and whatever ends a check or a request, nothing stays held. Skipped (exit 77) without
 * TEST_REDIS, a host:port.
 */
#include "quota_fixture.h"

static void
the_minute_refuses_and_comes_back(void **state)
{
	const struct quota q = { .tokens_per_minute = 600000 };
	struct reservation r[2];
	uint64_t until = clock_mono_us() + 30000000;

	(void)state;
	assert_true(reserve(&r[0], q, 600000, false));
	assert_false(reserve(&r[1], q, 600000, false));
	assert_int_equal(r[1].verdict.refused, QUOTA_MINUTE);
	assert_in_range(r[1].verdict.retry_after_s, 1, 60);
	quota_settle(&r[0].hold, 2000); /* a fifth of a second's */
	assert_null(r[0].hold);
	while (!reserve(&r[1], q, 600000, false) && clock_mono_us() < until)
		worker_turn(worker, 20);
	assert_non_null(r[1].hold);
	quota_settle(&r[1].hold, 0);
	no_flow_is_left();
	assert_int_equal(counter("used"), 2000);
}

static void
a_thousand_at_once_are_as_many_as_may(void **state)
{
	static struct reservation all[1000];
	const struct quota q = { .streams = 100 };
	unsigned passed = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		reservation_start(&all[i], q, 5, true);
		if (i % 50 == 49) /* pending_max is 64 */
			for (int k = i - 49; k <= i; k++)
				turn_until(worker, &all[k].probe.ended);
	}
	for (int i = 0; i < 1000; i++)
		passed += all[i].hold != NULL;
	assert_int_equal(passed, 100);
	assert_int_equal(counter("streams"), 100);
	assert_int_equal(counter("held"), 500);
	for (int i = 0; i < 1000; i++) {
		quota_settle(&all[i].hold, 1);
		if (i % 50 == 49)
			no_flow_is_left();
	}
	assert_int_equal(counter("streams"), 0);
	assert_int_equal(counter("held"), 0);
	assert_int_equal(counter("used"), 100);
	assert_int_equal(leases(), 0);
}

/* A client that leaves while the check is under way: the script has been run, or has not. */
static void
an_aborted_check_holds_nothing(void **state)
{
	static struct reservation all[1000];
	const struct quota q = { .streams = 1000, .tokens_per_month = 1000000 };

	(void)state;
	for (int i = 0; i < 1000; i++) {
		reservation_start(&all[i], q, 5, true);
		for (int turns = i % 4; turns > 0; turns--)
			worker_turn(worker, 0);
		if (!all[i].probe.ended)
			flow_abort(&all[i].probe.flow, ERR_CLIENT_GONE, "The client has left.");
		turn_until(worker, &all[i].probe.ended);
		quota_settle(&all[i].hold, 0);
		if (i % 16 == 15)
			no_flow_is_left();
	}
	no_flow_is_left();
	assert_int_equal(counter("streams"), 0);
	assert_int_equal(counter("held"), 0);
	assert_int_equal(leases(), 0);
}

static void
an_adjusted_hold_is_for_what_it_says(void **state)
{
	const struct quota q = { .tokens_per_month = 10000 };
	struct reservation r;

	(void)state;
	assert_true(reserve(&r, q, 100, true));
	quota_adjust(r.hold, 7000);
	quota_adjust(r.hold, 6000);
	assert_int_equal(counter("held"), 6000);
	assert_int_equal(counter("streams"), 1);
	assert_int_equal(leases(), 1);
	quota_settle(&r.hold, 50);
	no_flow_is_left();
	assert_int_equal(counter("held"), 0);
	assert_int_equal(counter("used"), 50);
}

static void
a_script_that_is_flushed_is_loaded_again(void **state)
{
	struct redis_order flush = { .words = { SLICE_LIT("SCRIPT"), SLICE_LIT("FLUSH") },
		.count = 2 };
	const struct quota q = { .streams = 5 };
	struct reservation r;

	(void)state;
	for (int i = 0; i < 2; i++) {
		redis_order_run(&flush);
		redis_clear(&flush.reply);
		assert_true(reserve(&r, q, 5, true));
		redis_order_run(&flush);
		redis_clear(&flush.reply);
		quota_settle(&r.hold, 3);
		no_flow_is_left();
	}
	assert_int_equal(counter("used"), 6);
	assert_int_equal(counter("streams"), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_minute_refuses_and_comes_back),
		TEST(a_thousand_at_once_are_as_many_as_may),
		TEST(an_aborted_check_holds_nothing),
		TEST(an_adjusted_hold_is_for_what_it_says),
		TEST(a_script_that_is_flushed_is_loaded_again),
	};

	if (getenv("TEST_REDIS") == NULL) {
		(void)printf("skipped: TEST_REDIS=host:port is not set\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
