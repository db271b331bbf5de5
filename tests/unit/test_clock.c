/* SPDX-License-Identifier: MIT */
/*
 * test_clock: two clocks, a test that advances them, and how time is written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "tenantgate/base/clock.h"

static void
both_clocks_follow_the_test(void **state)
{
	const uint64_t hour = UINT64_C(3600000000);
	uint64_t mono = clock_mono_us(), wall = clock_wall_us();

	(void)state;
	clock_test_advance(hour);
	clock_test_advance(hour);
	assert_in_range(clock_mono_us() - mono, 2 * hour, 2 * hour + 60000000);
	assert_in_range(clock_wall_us() - wall, 2 * hour, 2 * hour + 60000000);
}

static void
mono_never_goes_back(void **state)
{
	uint64_t last = clock_mono_us();
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		uint64_t now = clock_mono_us();

		assert_true(now >= last);
		last = now;
	}
}

static void
expect_iso(uint64_t wall_us, const char *text)
{
	char out[CLOCK_ISO_SIZE];

	clock_iso(wall_us, out);
	assert_string_equal(out, text);
}

static void
iso_is_utc_with_milliseconds(void **state)
{
	(void)state;
	expect_iso(0, "1970-01-01T00:00:00.000Z");
	expect_iso(UINT64_C(951782399999999), "2000-02-28T23:59:59.999Z");
	expect_iso(UINT64_C(951782400000999), "2000-02-29T00:00:00.000Z");
	expect_iso(UINT64_C(1795410367123000), "2026-11-23T05:06:07.123Z");
	expect_iso(UINT64_MAX, "9999-12-31T23:59:59.999Z");
}

static void
a_frozen_clock_moves_only_when_it_is_told_to(void **state)
{
	uint64_t mono, wall;

	(void)state;
	clock_test_freeze(true);
	mono = clock_mono_us();
	wall = clock_wall_us();
	nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	assert_true(clock_mono_us() == mono && clock_wall_us() == wall);
	clock_test_advance(5);
	assert_true(clock_mono_us() == mono + 5 && clock_wall_us() == wall + 5);
	clock_test_freeze(false);
	assert_true(clock_mono_us() >= mono + 2000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_clocks_follow_the_test),
		cmocka_unit_test(a_frozen_clock_moves_only_when_it_is_told_to),
		cmocka_unit_test(mono_never_goes_back),
		cmocka_unit_test(iso_is_utc_with_milliseconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
