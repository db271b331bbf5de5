/* SPDX-License-Identifier: MIT */
/* json_fixture: what a string must look like once it is written as JSON. */
#ifndef TESTS_UNIT_JSON_FIXTURE_H
#define TESTS_UNIT_JSON_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tenantgate/base/json.h"

#define FFFD "\xef\xbf\xbd" /* U+FFFD, for what is not UTF-8 */

static inline void
expect_written(struct slice in, const char *out)
{
	struct buf b;

	buf_init(&b, 1000);
	assert_true(json_put_string(&b, in));
	assert_string_equal(b.data, out);
	buf_free(&b);
}

#endif
