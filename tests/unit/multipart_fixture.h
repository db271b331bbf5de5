/* SPDX-License-Identifier: MIT */
/*
 * multipart_fixture: a form is read, and what its parts are.
 */
#ifndef TESTS_UNIT_MULTIPART_FIXTURE_H
#define TESTS_UNIT_MULTIPART_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/multipart.h"

#define FIELD "Content-Disposition: form-data; name=\"f\"\r\n\r\n"

static struct parts parts;
static struct err why;

/* A copy of the body of its exact size, which the parts are in until the next one is read. */
static inline bool
reads_parts(struct slice body, const char *boundary)
{
	static char *copy;
	bool ok;

	free(copy);
	copy = malloc(body.len > 0 ? body.len : 1);
	assert_non_null(copy);
	memcpy(copy, body.p, body.len);
	err_clear(&why);
	ok = multipart_read(copy, body.len, false, slice_str(boundary), &parts, &why);
	assert_int_equal(err_is(&why), !ok);
	if (!ok)
		assert_int_equal(err_status(why.code), 400);
	return ok;
}

#define READS(text) reads_parts(SLICE_LIT(text), "B")

static inline void
is(struct slice got, const char *want)
{
	if (want == NULL)
		assert_null(got.p);
	else if (!slice_is(got, want) || got.p == NULL)
		fail_msg("\"%.*s\", not \"%s\"", SLICE_ARG(got), want);
}

#endif
