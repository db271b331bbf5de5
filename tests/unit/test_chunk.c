/* SPDX-License-Identifier: MIT */
/*
 * test_chunk: known cuts, characters kept whole, ceilings, and hostile texts in linear time.
 * (tests/live/chunk.test.mjs compares with LangChain's own splitter.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/retrieval.h"

static void
check_chunks(const char *text, enum chunk_separators how, unsigned size, unsigned overlap,
    const char *const *want)
{
	struct chunk_list list = { .max = 1000 };
	size_t i;

	assert_true(chunk_split(slice_str(text), 3, how, size, overlap, &list));
	for (i = 0; want[i] != NULL; i++) {
		assert_true(i < list.count);
		assert_int_equal(list.items[i].index, i);
		assert_int_equal(list.items[i].page, 3);
		if (!slice_is(list.items[i].content, want[i]))
			fail_msg("chunk %zu: \"%.*s\"", i, SLICE_ARG(list.items[i].content));
	}
	assert_int_equal(list.count, i);
	chunk_free(&list);
	chunk_free(&list);
}

#define CHECK(text, how, size, overlap, ...) \
	check_chunks(text, how, size, overlap, (const char *const[]){ __VA_ARGS__ })

static void
known_texts_give_known_chunks(void **state)
{
	(void)state;
	CHECK("", CHUNK_TEXT, 10, 3, NULL);
	CHECK(" \n\n\t ", CHUNK_TEXT, 10, 3, NULL);
	CHECK("tide", CHUNK_TEXT, 10, 3, "tide", NULL);
	CHECK("a\n\n\nb\n\nccccccccccccc dd", CHUNK_TEXT, 10, 3, "a\n\n\nb", "ccccccccc", "ccccccc",
	    "dd", NULL);
	CHECK("one two three four", CHUNK_TEXT, 10, 5, "one two", "two three", "four", NULL);
	CHECK("intro\n## A\nbody\n# B", CHUNK_MARKDOWN, 12, 0, "intro", "## A\nbody", "# B", NULL);
	CHECK("\xe3\x80\x80tide\xc2\xa0", CHUNK_TEXT, 10, 0, "tide", NULL);
}

static void
wide_characters_stay_whole(void **state)
{
	(void)state;
	CHECK("\xf0\x9f\x98\x80\xf0\x9f\x98\x80", CHUNK_TEXT, 3, 0, "\xf0\x9f\x98\x80",
	    "\xf0\x9f\x98\x80", NULL);
	CHECK("\xc3\xa9\xc3\xa9\xc3\xa9", CHUNK_TEXT, 2, 0, "\xc3\xa9\xc3\xa9", "\xc3\xa9", NULL);
	/* What is not UTF-8 is left as it is, but does no harm. */
	CHECK("\x80\x80\x80 a\xff", CHUNK_TEXT, 5, 0, "\x80\x80\x80 a\xff", NULL);
}

/* Several pages go into one list: the numbering goes on. */
static void
chunks_know_their_pages(void **state)
{
	struct chunk_list list = { .max = 3 };

	(void)state;
	assert_true(chunk_split(SLICE_LIT("aa bb"), 1, CHUNK_TEXT, 3, 0, &list));
	assert_true(chunk_split(SLICE_LIT("cc"), 4, CHUNK_TEXT, 3, 0, &list));
	assert_int_equal(list.count, 3);
	assert_int_equal(list.items[2].index, 2);
	assert_int_equal(list.items[2].page, 4);
	assert_false(chunk_split(SLICE_LIT("dd"), 5, CHUNK_TEXT, 3, 0, &list));
	assert_int_equal(list.count, 3);
	chunk_free(&list);
}

#define HOSTILE_SIZE ((size_t)10 << 20)

static void
hostile(const char *pattern, size_t least)
{
	struct chunk_list list = { .max = 1000000 };
	size_t n = strlen(pattern);
	char *text = malloc(HOSTILE_SIZE);
	uint64_t began = clock_mono_us();

	assert_non_null(text);
	for (size_t i = 0; i < HOSTILE_SIZE; i++)
		text[i] = pattern[i % n];
	assert_true(chunk_split(slice_of(text, HOSTILE_SIZE), 0, CHUNK_MARKDOWN, 1000, 200, &list));
	assert_true(list.count >= least);
	for (size_t i = 0; i < list.count; i++)
		assert_true(list.items[i].content.len <= 4000);
	/* In quadratic time it would take hours; this takes a second or two under the
	 * sanitizers. */
	assert_true(clock_mono_us() - began < 30 * 1000000ull);
	chunk_free(&list);
	free(text);
}

static void
hostile_texts_cost_linear_time(void **state)
{
	(void)state;
	hostile("x", HOSTILE_SIZE / 1000);
	hostile("\n", 0);
	hostile(" ", 0);
	hostile("\n## \n### \n#### \n##### ", HOSTILE_SIZE / 1000);
	hostile("```\n\n", HOSTILE_SIZE / 1000);
	hostile("\xf0\x9f\x98\x80", HOSTILE_SIZE / 2000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_texts_give_known_chunks),
		cmocka_unit_test(wide_characters_stay_whole),
		cmocka_unit_test(chunks_know_their_pages),
		cmocka_unit_test(hostile_texts_cost_linear_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
