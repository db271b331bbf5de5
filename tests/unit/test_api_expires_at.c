/* SPDX-License-Identifier: MIT */
/*
 * test_api_expires_at: times as RFC 3339 has them, to the microsecond, and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/expires_at.h"
#include "tenantgate/base/clock.h"

/* 2030-01-31T12:00:00Z */
#define NOON_US (1896091200ull * 1000000)

static void
times_are_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t us;
	} good[] = {
		{ "2030-01-31T12:00:00Z", NOON_US },
		{ "2030-01-31t12:00:00z", NOON_US },
		{ "2030-01-31 12:00:00+00:00", NOON_US },
		{ "2030-01-31T14:30:00+02:30", NOON_US },
		{ "2030-01-31T00:30:00-11:30", NOON_US },
		{ "2030-02-01T01:00:00+13:00", NOON_US },
		{ "2030-01-31T12:00:00.5Z", NOON_US + 500000 },
		{ "2030-01-31T12:00:00.1234567899Z", NOON_US + 123456 },
		{ "2030-01-31T11:59:60Z", NOON_US },
		{ "2028-02-29T00:00:00Z", 1835395200ull * 1000000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(clock_iso_read(slice_str(good[i].text)), good[i].us);
}

static void
others_are_none(void **state)
{
	static const char *const bad[] = { "", " ", "2030", "2030-01-31", "2030-01-31T12:00:00",
		"2030-01-31T12:00Z", "2030-1-31T12:00:00Z", "2030-13-01T12:00:00Z",
		"2030-00-01T12:00:00Z", "2030-01-00T12:00:00Z", "2030-02-30T12:00:00Z",
		"2030-02-29T12:00:00Z", "2030-01-31T24:00:00Z", "2030-01-31T12:60:00Z",
		"2030-01-31T12:00:61Z", "2030-01-31T12:00:00.Z", "2030-01-31T12:00:00+2:00",
		"2030-01-31T12:00:00+24:00", "2030-01-31T12:00:00+02:60",
		"2030-01-31T12:00:00+0200", "2030-01-31T12:00:00Zx", "-030-01-31T12:00:00Z",
		"2030-01-31T12:00:-1Z", "1969-12-31T23:59:59Z", "now", "1896091200" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(clock_iso_read(slice_str(bad[i])), 0);
	assert_int_equal(clock_iso_read(slice_of("2030-01-31T12:00:00Z\0", 21)), 0);
}

static void
only_a_time_to_come_is_taken(void **state)
{
	struct arena *arena = arena_new(4096);
	char now[CLOCK_ISO_SIZE];
	struct err err = { 0 };

	(void)state;
	clock_iso(clock_wall_us(), now);
	assert_null(expires_at_read(slice_str(now), arena, &err));
	assert_int_equal(err.code, ERR_INVALID_FIELD);
	err_clear(&err);
	assert_string_equal(expires_at_read(SLICE_LIT("2999-01-01T01:00:00.25+01:00"), arena, &err),
	    "2999-01-01T00:00:00.250Z");
	assert_false(err_is(&err));
	assert_null(expires_at_read(SLICE_LIT("9999-12-31T23:59:59-12:00"), arena, &err));
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read),
		cmocka_unit_test(others_are_none),
		cmocka_unit_test(only_a_time_to_come_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
