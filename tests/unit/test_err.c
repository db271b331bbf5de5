/* SPDX-License-Identifier: MIT */
/*
 * test_err: the table is whole, the first reason stays, no detail can hurt a terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tenantgate/base/condition.h"
#include "tenantgate/base/err.h"
#include "tenantgate/base/json.h"

static void
every_code_has_a_row(void **state)
{
	int code, other;

	(void)state;
	for (code = ERR_NONE; code < ERR_CODES; code++) {
		const char *slug = err_slug(code);

		assert_in_range(err_status(code), 200, 599);
		assert_true(strlen(err_title(code)) > 0);
		assert_true(strlen(slug) > 0);
		assert_int_equal(strspn(slug, "abcdefghijklmnopqrstuvwxyz_"), strlen(slug));
		for (other = ERR_NONE; other < code; other++)
			assert_string_not_equal(slug, err_slug(other));
	}
	assert_int_equal(err_status(ERR_RATE_LIMITED), 429);
	assert_string_equal(err_slug(ERR_POOL_TIMEOUT), "pool_timeout");
}

static void
the_first_reason_is_kept(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_false(err_is(&e));
	err_set(&e, ERR_NOT_FOUND, "no document %d", 7);
	err_set(&e, ERR_INTERNAL, "cleanup failed");
	assert_true(err_is(&e));
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_string_equal(e.detail, "no document 7");
	e.retry_after = 3;
	err_clear(&e);
	assert_false(err_is(&e));
	assert_int_equal(e.retry_after, 0);
	assert_string_equal(e.detail, "");
	err_set(&e, ERR_CONFLICT, "again");
	assert_int_equal(e.code, ERR_CONFLICT);
}

static void
a_cause_belongs_to_a_code_and_is_kept(void **state)
{
	struct err e = { 0 };
	char told[ERR_TOLD_SIZE];

	(void)state;
	err_cause(&e, "nothing has failed");
	assert_string_equal(e.cause, "");
	err_set(&e, ERR_DATABASE, "The database refused the login.");
	err_tell(&e, told);
	assert_string_equal(told, "The database refused the login.");
	err_cause(&e, "FATAL: role \"%s\" \x1b[31m", "app");
	err_cause(&e, "a consequence");
	assert_string_equal(e.cause, "FATAL: role \"app\" ?[31m");
	err_tell(&e, told);
	assert_string_equal(told, "The database refused the login. (FATAL: role \"app\" ?[31m)");
	err_clear(&e);
	assert_string_equal(e.cause, "");
}

static void
a_condition_keeps_its_first_reason(void **state)
{
	struct condition c = { 0 };
	char longest[2 * CONDITION_REASON_SIZE];

	(void)state;
	condition_ill(&c, "Redis is %s.", "a replica");
	condition_ill(&c, "Redis is gone.");
	assert_true(c.is_ill);
	assert_string_equal(c.reason, "Redis is a replica.");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memset(&c, 0, sizeof(c));
	condition_ill(&c, "%s", longest);
	assert_int_equal(strlen(c.reason), CONDITION_REASON_SIZE - 1);
}

static void
details_are_printable_utf8(void **state)
{
	struct err e = { 0 };

	(void)state;
	err_set(&e, ERR_BAD_REQUEST, "a%sb", "\r\n\x1b[31m\x7f\xff\xc2\x9b\xc3\xa9");
	assert_string_equal(e.detail,
	    "a???[31m???\xc3\xa9"
	    "b");
}

static void
long_details_end_at_a_whole_character(void **state)
{
	struct err e = { 0 };
	char text[1001];
	size_t i;

	(void)state;
	/* An odd start puts the cut inside a two-byte character. */
	text[0] = 'x';
	for (i = 1; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	text[sizeof(text) - 2] = '\0';
	for (i = 0; i < 2; i++) {
		err_clear(&e);
		err_set(&e, ERR_BAD_REQUEST, "%s", text + i);
		assert_in_range(strlen(e.detail), sizeof(e.detail) - 3, sizeof(e.detail) - 1);
		assert_true(json_utf8_valid(slice_str(e.detail)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_a_row),
		cmocka_unit_test(the_first_reason_is_kept),
		cmocka_unit_test(a_cause_belongs_to_a_code_and_is_kept),
		cmocka_unit_test(a_condition_keeps_its_first_reason),
		cmocka_unit_test(details_are_printable_utf8),
		cmocka_unit_test(long_details_end_at_a_whole_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
