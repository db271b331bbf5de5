/* SPDX-License-Identifier: MIT */
/*
 * test_json_put: long strings written as JSON.
 */
#include <stdio.h>

#include "json_fixture.h"

/* Long plain runs are taken eight bytes at a time: each kind of stop at each place of one. */
static void
every_place_of_a_run_stops(void **state)
{
	static const char *const stops[][2] = { { "\"", "\\\"" }, { "\\", "\\\\" }, { "\n", "\\n" },
		{ "\x1f", "\\u001f" }, { "\x7f", "\\u007f" }, { "~", "~" }, { " ", " " },
		{ "!", "!" }, { "\xff", FFFD }, { "\xc3\xa9", "\xc3\xa9" } };
	static const char run[] = "one run of plain text";
	char raw[64], out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
		for (int at = 0; at < (int)sizeof(run); at++) {
			int n =
			    snprintf(raw, sizeof(raw), "%.*s%s%s", at, run, stops[i][0], run + at);

			snprintf(out, sizeof(out), "\"%.*s%s%s\"", at, run, stops[i][1], run + at);
			expect_written(slice_of(raw, (size_t)n), out);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_place_of_a_run_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
