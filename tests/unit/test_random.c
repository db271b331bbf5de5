/* SPDX-License-Identifier: MIT */
/*
 * test_random: ids of letters that are not mistaken for each other, each equally likely.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tenantgate/base/random.h"

static void
ids_are_readable_and_spread(void **state)
{
	int counts[256] = { 0 }, used = 0, i;
	char one[25], two[25];
	static char many[54001];

	(void)state;
	id_random(one, 24);
	id_random(two, 24);
	assert_int_equal(strlen(one), 24);
	assert_string_not_equal(one, two);
	id_random(one, 0);
	assert_string_equal(one, "");
	id_random(many, sizeof(many) - 1);
	for (i = 0; many[i] != '\0'; i++)
		counts[(unsigned char)many[i]]++;
	for (i = 0; i < 256; i++) {
		if (counts[i] == 0)
			continue;
		used++;
		assert_null(strchr("01iIlLoO-_", i));
		/* 1000 expected of each; ten deviations either side. */
		assert_in_range(counts[i], 690, 1310);
	}
	assert_int_equal(used, 54);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_readable_and_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
