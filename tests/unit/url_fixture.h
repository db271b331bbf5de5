/* SPDX-License-Identifier: MIT */
/* url_fixture: a part of a URL as it is expected. */
#ifndef TESTS_UNIT_URL_FIXTURE_H
#define TESTS_UNIT_URL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* NULL: the URL has no such part. */
static inline void
assert_part(const char *expected, const char *part)
{
	if (expected == NULL)
		assert_null(part);
	else
		assert_string_equal(expected, part);
}

#endif
