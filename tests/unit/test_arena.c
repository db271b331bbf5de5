/* SPDX-License-Identifier: MIT */
/*
 * test_arena: what an arena hands out, and where it stops.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc_limit.h"
#include "tenantgate/base/arena.h"

static void
memory_is_zeroed_aligned_and_apart(void **state)
{
	struct arena *a = arena_new(1 << 20);
	char *last = NULL;
	size_t size, i;

	(void)state;
	for (size = 0; size < 9000; size += 97) {
		char *p = arena_alloc(a, size);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		assert_ptr_not_equal(p, last);
		for (i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xa5, size);
		last = p;
	}
	arena_free(a);
}

static void
the_ceiling_counts_every_block(void **state)
{
	struct arena *a = arena_new(10000);
	size_t given = 0;

	(void)state;
	while (arena_alloc(a, 100) != NULL)
		given += 100;
	assert_in_range(given, 8000, 10000);
	assert_true(arena_used(a) <= 10000);
	assert_null(arena_strdup(a,
	    "a text of more than the few bytes that may still be left over in"
	    " the newest block, so that it cannot fit there either"));
	arena_free(a);
}

static void
an_arena_tells_no_memory_from_its_ceiling(void **state)
{
	struct arena *a = arena_new(3 * ALLOC_LIMIT);

	(void)state;
	NEEDS_ALLOC_LIMIT();
	assert_null(arena_alloc(a, 4 * ALLOC_LIMIT));
	assert_false(arena_no_memory(a));
	assert_null(arena_alloc(a, 2 * ALLOC_LIMIT));
	assert_true(arena_no_memory(a));
	assert_non_null(arena_strdup(a, "what is small still fits"));
	arena_free(a);
}

static void
a_whole_ceiling_can_be_one_piece(void **state)
{
	struct arena *a = arena_new(64 * 1024);

	(void)state;
	assert_null(arena_alloc(a, 64 * 1024 + 1));
	assert_non_null(arena_alloc(a, 64 * 1024));
	assert_null(arena_alloc(a, 1));
	assert_int_equal(arena_used(a), 64 * 1024);
	arena_free(a);
}

static void
an_arena_refuses_sizes_that_overflow(void **state)
{
	struct arena *a = arena_new(SIZE_MAX);

	(void)state;
	assert_null(arena_array(a, SIZE_MAX / 2, 4));
	assert_null(arena_alloc(a, SIZE_MAX));
	assert_null(arena_alloc(a, SIZE_MAX - 3));
	assert_non_null(arena_array(a, 3, 5));
	arena_free(a);
}

static void
texts_are_copied_with_their_nul(void **state)
{
	struct arena *a = arena_new(4096);
	char from[] = "slice";
	char *copy = arena_slice(a, slice_of(from, 3));

	(void)state;
	from[0] = 'X';
	assert_string_equal(copy, "sli");
	assert_string_equal(arena_slice(a, slice_of(NULL, 0)), "");
	assert_string_equal(arena_strdup(a, "text"), "text");
	assert_string_equal(arena_printf(a, "%s-%05d", "n", 42), "n-00042");
	assert_null(arena_printf(a, "%5000d", 1));
	arena_free(a);
	arena_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
		cmocka_unit_test(the_ceiling_counts_every_block),
		cmocka_unit_test(an_arena_tells_no_memory_from_its_ceiling),
		cmocka_unit_test(a_whole_ceiling_can_be_one_piece),
		cmocka_unit_test(an_arena_refuses_sizes_that_overflow),
		cmocka_unit_test(texts_are_copied_with_their_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
