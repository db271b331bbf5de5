/* SPDX-License-Identifier: MIT */
/* A keepalive comes once an interval while nothing is heard, and never after keepalive_stop(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/keepalive.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/loop/worker.h"

#define INTERVAL_US 20000u

static struct worker *worker;
static struct keepalive keepalive;
static unsigned kept;
static uint64_t kept_at_us;

static int
set_up(void **state)
{
	(void)state;
	kept = 0;
	keepalive = (struct keepalive){ 0 };
	worker = worker_new(0);
	return worker == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	keepalive_stop(&keepalive);
	worker_free(worker);
	return 0;
}

static void
break_silence(void *arg)
{
	assert_ptr_equal(arg, &kept);
	kept++;
	kept_at_us = clock_mono_us();
}

static void
break_it_and_stop(void *arg)
{
	keepalive_stop(arg);
	kept++;
}

static void
turn_until_kept(unsigned n)
{
	while (kept < n)
		worker_turn(worker, 1000);
}

static void
silence_is_broken_again_and_again(void **state)
{
	uint64_t began = clock_mono_us();

	(void)state;
	assert_true(keepalive_start(&keepalive, worker, INTERVAL_US, break_silence, &kept));
	turn_until_kept(1);
	assert_true(kept_at_us - began >= INTERVAL_US);
	turn_until_kept(3);
	assert_true(kept_at_us - began >= 3 * INTERVAL_US);
}

/* However late this thread is, no keepalive comes before an interval has passed since the last
 * word. */
static void
what_was_heard_puts_it_off(void **state)
{
	uint64_t heard_at_us = 0;

	(void)state;
	assert_true(keepalive_start(&keepalive, worker, INTERVAL_US, break_silence, &kept));
	for (int i = 0; i < 30 && kept == 0; i++) {
		keepalive_heard(&keepalive);
		heard_at_us = clock_mono_us();
		worker_turn(worker, 2);
	}
	turn_until_kept(1);
	assert_true(kept_at_us - heard_at_us >= INTERVAL_US - 1000);
}

static void
none_comes_after_the_stop(void **state)
{
	(void)state;
	keepalive_stop(&keepalive); /* never started: nothing */
	assert_true(keepalive_start(&keepalive, worker, 1000, break_it_and_stop, &keepalive));
	turn_until_kept(1);
	worker_turn(worker, 10);
	assert_int_equal(kept, 1);
	keepalive_stop(&keepalive);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(silence_is_broken_again_and_again),
		TEST(what_was_heard_puts_it_off),
		TEST(none_comes_after_the_stop),
	};

	return cmocka_run_group_tests_name("api_keepalive", tests, NULL, NULL);
}
