/* SPDX-License-Identifier: MIT */
/*
 * test_buf: appends, the ceiling, and a failure that sticks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc_limit.h"
#include "tenantgate/base/buf.h"

static void
appends_add_up(void **state)
{
	struct buf b;
	char *end;

	(void)state;
	buf_init(&b, 1000);
	assert_true(buf_add(&b, "ab\0c", 4));
	assert_true(buf_puts(&b, "de"));
	assert_true(buf_putc(&b, 'f'));
	assert_true(buf_slice(&b, slice_of(NULL, 0)));
	assert_true(buf_printf(&b, "%d%s", 12, "!"));
	end = buf_extend(&b, 2);
	assert_non_null(end);
	memcpy(end, "xy", 2);
	assert_int_equal(b.len, 12);
	assert_memory_equal(b.data, "ab\0cdef12!xy", 13);
	assert_int_equal(buf_view(&b).len, 12);
	buf_free(&b);
	buf_free(&b);
	assert_null(b.data);
	assert_int_equal(b.max, 1000);
}

static void
a_buf_tells_no_memory_from_its_ceiling(void **state)
{
	struct buf b;

	(void)state;
	NEEDS_ALLOC_LIMIT();
	buf_init(&b, 3 * ALLOC_LIMIT);
	assert_null(buf_extend(&b, 4 * ALLOC_LIMIT));
	assert_true(b.failed && !b.no_memory);
	buf_reset(&b);
	assert_true(buf_puts(&b, "kept"));
	assert_null(buf_extend(&b, 2 * ALLOC_LIMIT));
	assert_true(b.failed && b.no_memory);
	assert_string_equal(b.data, "kept");
	buf_reset(&b);
	assert_true(buf_puts(&b, "fits") && !b.no_memory);
	buf_free(&b);
}

static void
numbers_are_big_endian(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 14);
	assert_true(buf_be16(&b, 0x0102));
	assert_true(buf_be32(&b, 0x03040506));
	assert_true(buf_be64(&b, UINT64_C(0x0708090a0b0c0d0e)));
	assert_memory_equal(b.data, "\1\2\3\4\5\6\7\10\11\12\13\14\15\16", 15);
	buf_free(&b);
	/* One that does not fit leaves no half behind. */
	buf_init(&b, 7);
	assert_false(buf_be64(&b, 1));
	assert_int_equal(b.len, 0);
	buf_reset(&b);
	assert_true(buf_be32(&b, 1));
	assert_false(buf_be32(&b, 1));
	assert_int_equal(b.len, 4);
	buf_free(&b);
}

static void
the_ceiling_is_exact_and_sticks(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	assert_true(buf_puts(&b, "abc"));
	assert_false(buf_puts(&b, "def"));
	assert_true(b.failed);
	assert_string_equal(b.data, "abc");
	/* What would fit is refused too, so that no message comes out with a hole in it. */
	assert_false(buf_putc(&b, 'd'));
	assert_false(buf_printf(&b, "d"));
	assert_null(buf_extend(&b, 1));
	assert_string_equal(b.data, "abc");
	buf_reset(&b);
	assert_false(b.failed);
	assert_true(buf_puts(&b, "12345"));
	assert_false(buf_putc(&b, '6'));
	assert_string_equal(b.data, "12345");
	buf_free(&b);
}

static void
growth_stops_at_the_ceiling(void **state)
{
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 1000);
	for (i = 0; i < 1000; i++)
		assert_true(buf_putc(&b, (char)('a' + i % 26)));
	assert_false(buf_putc(&b, 'z'));
	assert_int_equal(b.len, 1000);
	assert_true(b.cap <= 1000);
	for (i = 0; i < 1000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
	buf_free(&b);
}

static void
a_buf_refuses_sizes_that_overflow(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX);
	assert_true(buf_puts(&b, "x"));
	assert_null(buf_extend(&b, SIZE_MAX));
	assert_true(b.failed);
	assert_string_equal(b.data, "x");
	buf_free(&b);
}

static void
the_front_can_be_dropped(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_drop(&b, 0);
	assert_true(buf_puts(&b, "header,body"));
	buf_drop(&b, 7);
	assert_string_equal(b.data, "body");
	buf_drop(&b, 4);
	assert_int_equal(b.len, 0);
	assert_string_equal(b.data, "");
	buf_free(&b);
}

static void
numbers_are_decimal(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 30);
	assert_true(buf_uint(&b, 0));
	assert_true(buf_uint(&b, 1090));
	assert_true(buf_uint(&b, UINT64_MAX));
	assert_string_equal(b.data, "0109018446744073709551615");
	assert_false(buf_uint(&b, 123456));
	buf_free(&b);
}

static void
reserving_is_a_hint(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_reserve(&b, 1000);
	assert_false(b.failed);
	assert_true(b.cap == 100 && b.len == 0);
	assert_true(buf_puts(&b, "kept"));
	buf_reserve(&b, 96);
	buf_reserve(&b, SIZE_MAX);
	assert_true(b.cap == 100);
	assert_string_equal(b.data, "kept");
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_add_up),
		cmocka_unit_test(a_buf_tells_no_memory_from_its_ceiling),
		cmocka_unit_test(numbers_are_big_endian),
		cmocka_unit_test(numbers_are_decimal),
		cmocka_unit_test(reserving_is_a_hint),
		cmocka_unit_test(the_ceiling_is_exact_and_sticks),
		cmocka_unit_test(growth_stops_at_the_ceiling),
		cmocka_unit_test(a_buf_refuses_sizes_that_overflow),
		cmocka_unit_test(the_front_can_be_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
