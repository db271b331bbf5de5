/* SPDX-License-Identifier: MIT */
/*
 * test_api_documents_cursor: what was put is read again, and nothing else is taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/documents_cursor.h"
#include "tenantgate/base/b64.h"

static struct arena *arena;
static struct documents_page page;

static bool
cursor_reads(struct slice plain)
{
	struct buf b;
	bool ok;

	buf_init(&b, 1024);
	b64url_put(&b, plain);
	ok = documents_cursor_read(buf_view(&b), arena, &page);
	buf_free(&b);
	return ok;
}

static void
what_was_put_is_read(void **state)
{
	const struct listed_document l = { .document = { .id = "a b/\xc3\xa4" },
		.created_us = "1764259200123456" };
	struct buf b;

	(void)state;
	buf_init(&b, 1024);
	documents_cursor_put(&b, &l);
	assert_true(documents_cursor_read(buf_view(&b), arena, &page));
	assert_string_equal(page.after_us, l.created_us);
	assert_string_equal(page.after_id, l.document.id);
	buf_free(&b);
}

static void
nothing_else_is_taken(void **state)
{
	static const struct slice bad[] = { SLICE_LIT(""), SLICE_LIT(" "), SLICE_LIT("1"),
		SLICE_LIT("1 "), SLICE_LIT(" a"), SLICE_LIT("-1 a"), SLICE_LIT("1x a"),
		SLICE_LIT("12345678901234567 a"), SLICE_LIT("1 \xff"), SLICE_LIT("1 a\0b") };

	(void)state;
	assert_true(cursor_reads(SLICE_LIT("1 a")));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(cursor_reads(bad[i]));
	assert_false(documents_cursor_read(SLICE_LIT("MSBh="), arena, &page));
	assert_false(documents_cursor_read(SLICE_LIT("!"), arena, &page));
}

static int
make_arena(void **state)
{
	(void)state;
	arena = arena_new(1 << 16);
	return 0;
}

static int
drop_arena(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_is_read),
		cmocka_unit_test(nothing_else_is_taken),
	};

	return cmocka_run_group_tests(tests, make_arena, drop_arena);
}
