/* SPDX-License-Identifier: MIT */
/* A timer fires once, not before its time, and never after timer_stop(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/loop/timer.h"
#include "tenantgate/loop/worker.h"

static struct worker *worker;
static unsigned fired;

static int
set_up(void **state)
{
	(void)state;
	fired = 0;
	worker = worker_new(0);
	return worker == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	worker_free(worker);
	return 0;
}

static void
fire(void *arg)
{
	(void)arg;
	fired++;
}

static void
fire_and_free(void *arg)
{
	fired++;
	timer_free(arg);
}

/* A turn may end for the worker's own timer. */
static void
turn_until_fired(void)
{
	while (fired == 0)
		worker_turn(worker, 1000);
}

static void
a_timer_fires_once(void **state)
{
	struct timer t = { 0 };
	uint64_t began = clock_mono_us();

	(void)state;
	assert_true(timer_init(&t, worker, fire, NULL));
	timer_start(&t, 20000);
	assert_true(t.set);
	turn_until_fired();
	assert_true(clock_mono_us() - began >= 19000);
	assert_false(t.set);
	worker_turn(worker, 30);
	assert_int_equal(fired, 1);
	timer_free(&t);
}

static void
a_timer_may_be_stopped_twice(void **state)
{
	struct timer t = { 0 };

	(void)state;
	timer_stop(&t);
	timer_free(&t); /* never made: nothing */
	assert_true(timer_init(&t, worker, fire, NULL));
	timer_start(&t, 1000);
	timer_stop(&t);
	timer_stop(&t);
	worker_turn(worker, 20);
	assert_int_equal(fired, 0);
	timer_free(&t);
	timer_free(&t);
}

/* Another callback of the same pass stops a timer that is due as well. */
static void
stop_other(void *arg)
{
	fired++;
	timer_stop(arg);
}

static void
a_due_timer_may_be_stopped(void **state)
{
	struct timer first = { 0 }, second = { 0 };

	(void)state;
	assert_true(timer_init(&first, worker, stop_other, &second));
	assert_true(timer_init(&second, worker, stop_other, &first));
	timer_start(&first, 1000);
	timer_start(&second, 1000);
	nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL); /* both come due */
	worker_turn(worker, 50);
	worker_turn(worker, 20);
	assert_int_equal(fired, 1);
	timer_free(&first);
	timer_free(&second);
}

static void
a_restart_replaces(void **state)
{
	struct timer t = { 0 };

	(void)state;
	assert_true(timer_init(&t, worker, fire, NULL));
	timer_start(&t, 3600 * 1000000ull);
	timer_start(&t, 1000);
	turn_until_fired();
	assert_int_equal(fired, 1);
	timer_free(&t);
}

static void
a_timer_may_be_freed_in_its_callback(void **state)
{
	struct timer t = { 0 };

	(void)state;
	assert_true(timer_init(&t, worker, fire_and_free, &t));
	timer_start(&t, 0);
	turn_until_fired();
	assert_int_equal(fired, 1);
	assert_null(t.event);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_timer_fires_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_timer_may_be_stopped_twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_due_timer_may_be_stopped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_restart_replaces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_timer_may_be_freed_in_its_callback, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
