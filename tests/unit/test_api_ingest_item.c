/* SPDX-License-Identifier: MIT */
/*
 * test_api_ingest_item: names and titles of documents, what is said anew of the same bytes,
 * and queries that are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/ingest_item.h"

#define NO_HEAD ((struct ingest_head){ 0 })

static struct arena *arena;
static struct ingest_items items;
static const struct document *first = &items.items[0].document;

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new(1u << 20);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static bool
reads_raw(struct ingest_head head, const char *type, struct slice body, struct err *err)
{
	char copy[16];
	const struct ingest_source source = { .body = copy, .len = body.len };

	assert_true(body.len < sizeof(copy));
	memcpy(copy, body.p, body.len);
	head.content_type = slice_str(type);
	return ingest_body_read(&head, &source, arena, &items, err);
}

static void
takes_raw(struct ingest_head head, const char *type, struct slice body)
{
	struct err err = { .code = ERR_NONE };

	if (!reads_raw(head, type, body, &err))
		fail_msg("%s", err.detail);
}

/* Three bytes each: 85 of them fit, and not a part of the next. */
static void
a_long_name_is_shortened_at_a_character(void **state)
{
	struct ingest_head head = { .title = SLICE_LIT("T") };
	struct err err = { .code = ERR_NONE };
	char name[3 * 90 + 1] = "";

	(void)state;
	for (int i = 0; i < 90; i++)
		memcpy(name + 3 * i,
		    i < 84	  ? "\xe6\xb8\xaf"
			: i == 84 ? "\xc3\xa9z"
				  : "\xe7\x81\xaf",
		    4);
	head.file_name = slice_str(name);
	takes_raw(head, "text/plain", SLICE_LIT("x"));
	assert_int_equal(strlen(first->file_name), 255);
	head.file_name = slice_str(name + 1);
	assert_false(reads_raw(head, "text/plain", SLICE_LIT("x"), &err));
	assert_int_equal(err.code, ERR_INVALID_FIELD);
	head.file_name = slice_str(name + 3);
	takes_raw(head, "text/plain", SLICE_LIT("x"));
	assert_int_equal(strlen(first->file_name), 255);
}

static void
entitled(const char *type, struct slice text, const char *title)
{
	struct err err = { .code = ERR_NONE };

	takes_raw(NO_HEAD, type, SLICE_LIT("x"));
	assert_true(ingest_item_entitle(&items.items[0], text, arena, &err));
	assert_string_equal(first->title, title);
}

static void
a_text_without_a_name_is_called_by_its_first_line(void **state)
{
	struct ingest_head named = { .file_name = SLICE_LIT("tides.txt") };
	struct err err = { .code = ERR_NONE };
	char line[300];

	(void)state;
	entitled("text/markdown", SLICE_LIT("\n\n# The tides #\n\nThey"), "The tides");
	entitled("text/plain", SLICE_LIT(" \t\r\n  One\ttwo\r\nthree"), "One two");
	entitled("text/plain", SLICE_LIT("alone"), "alone");
	entitled("text/plain", SLICE_LIT("\xc2\x9b[31mOne"), "[31mOne");
	entitled("text/plain", SLICE_LIT("###\n"), "");
	entitled("text/plain", SLICE_LIT(""), "");
	memset(line, 'x', sizeof(line));
	memcpy(line + 198, "\xc3\xa9\xc3\xa9", 4);
	takes_raw(NO_HEAD, "text/plain", SLICE_LIT("x"));
	assert_true(
	    ingest_item_entitle(&items.items[0], slice_of(line, sizeof(line)), arena, &err));
	assert_int_equal(strlen(first->title), 200);
	takes_raw(named, "text/plain", SLICE_LIT("x"));
	assert_true(ingest_item_entitle(&items.items[0], SLICE_LIT("One"), arena, &err));
	assert_string_equal(first->title, "tides.txt");
}

static void
what_is_said_anew_of_the_same_bytes_is_kept(void **state)
{
	struct document stored = { .id = "d",
		.title = "Old",
		.file_name = "old.txt",
		.mime_type = "text/plain",
		.metadata = "{\"a\": 1}",
		.chunks = 7,
		.created_at = "then" };
	struct ingest_head head = { .title = SLICE_LIT("New") };

	(void)state;
	takes_raw(head, "text/plain", SLICE_LIT("x"));
	stored.sha256 = first->sha256;
	assert_true(ingest_item_is(&items.items[0], &stored));
	assert_true(ingest_item_merge(&items.items[0], &stored));
	assert_string_equal(first->title, "New");
	assert_string_equal(first->file_name, "old.txt");
	assert_string_equal(first->metadata, "{\"a\": 1}");
	assert_int_equal(first->chunks, 7);
	head = (struct ingest_head){ .file_name = SLICE_LIT("new.txt") };
	takes_raw(head, "text/markdown", SLICE_LIT("x"));
	assert_true(ingest_item_merge(&items.items[0], &stored));
	assert_string_equal(first->title, "Old");
	assert_string_equal(first->file_name, "new.txt");
	assert_string_equal(first->mime_type, "text/markdown");
	takes_raw(NO_HEAD, "text/plain", SLICE_LIT("x"));
	assert_false(ingest_item_merge(&items.items[0], &stored));
	takes_raw(NO_HEAD, "application/pdf", SLICE_LIT("x"));
	assert_false(ingest_item_is(&items.items[0], &stored));
	takes_raw(NO_HEAD, "text/plain", SLICE_LIT("y"));
	assert_false(ingest_item_is(&items.items[0], &stored));
	takes_raw(NO_HEAD, "text/plain", SLICE_LIT("x"));
	stored.stored_expires_at = "9999-01-01T00:00:00.000Z";
	assert_true(ingest_item_is(&items.items[0], &stored));
	stored.stored_expires_at = "";
	assert_true(ingest_item_is(&items.items[0], &stored));
	stored.stored_expires_at = "2020-01-01T00:00:00.000Z";
	assert_false(ingest_item_is(&items.items[0], &stored));
}

static void
queries_are_checked(void **state)
{
	static const char *const good[] = { "", "a=%41&a=b", "documentId=a&title=documentId=b",
		"xdocumentId=1&documentId=2", "documentId=a&documentIds=b", "title=%2500" };
	static const char *const bad[] = { "documentId=%00", "documentId=a%00b", "x=%0", "x=%",
		"x=%zz", "documentId=a&documentId=b", "documentId=a&x=1&documentId=a",
		"title=a&title=", "fileName=a&fileName=b", "password=a&password=b" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct err err = { .code = ERR_NONE };

		if (!ingest_query_check(slice_str(good[i]), &err))
			fail_msg("%s: %s", good[i], err.detail);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = { .code = ERR_NONE };

		if (ingest_query_check(slice_str(bad[i]), &err) || err_status(err.code) != 400)
			fail_msg("%s", bad[i]);
	}
}

/* U+202E makes "gnp.exe" of what looks like "exe.png"; C1 is U+0080 to 9F; U+200F stays, which
 * Hebrew needs. */
static void
marks_that_turn_a_name_around_go(void **state)
{
	struct ingest_head head = {
		.title = SLICE_LIT("a\xe2\x80\xaa\xe2\x81\xa6 b\xe2\x80\x8f\xc2\x9b"),
		.file_name = SLICE_LIT("\xe2\x80\xaegnp.exe\xe2\x81\xa9"),
	};

	(void)state;
	takes_raw(head, "text/plain", SLICE_LIT("x"));
	assert_string_equal(first->title, "a b\xe2\x80\x8f");
	assert_string_equal(first->file_name, "gnp.exe");
	head.title = SLICE_LIT("\xe2\x80\xae");
	takes_raw(head, "text/plain", SLICE_LIT("x"));
	assert_string_equal(first->title, "gnp.exe");
}

static void
ids_that_could_not_be_named_are_refused(void **state)
{
	static const struct slice bad[] = { SLICE_LIT("."), SLICE_LIT(".."), SLICE_LIT(""),
		SLICE_LIT("a\0b"), SLICE_LIT("a\x7f"), SLICE_LIT("a\xe2\x80\xae"),
		SLICE_LIT("\xc2\x85"), SLICE_LIT("\xc0\xae"), SLICE_LIT("\xed\xa0\x80") };
	static const struct slice good[] = { SLICE_LIT("..."), SLICE_LIT("a/.."),
		SLICE_LIT("\xc2\xa0"), SLICE_LIT("\xf0\x9f\x9a\xa2") };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ingest_head head = { .document_id = bad[i] };
		struct err err = { .code = ERR_NONE };

		if (reads_raw(head, "text/plain", SLICE_LIT("x"), &err) ||
		    err.code != ERR_INVALID_FIELD)
			fail_msg("%zu: %s", i, err.detail);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		takes_raw((struct ingest_head){ .document_id = good[i] }, "text/plain",
		    SLICE_LIT("x"));
}

static bool
says_language(const char *name, struct err *err)
{
	return reads_raw((struct ingest_head){ .language = slice_str(name) }, "text/plain",
	    SLICE_LIT("x"), err);
}

static void
a_document_may_say_its_language(void **state)
{
	const struct ingest_item *item = &items.items[0];
	struct err err = { .code = ERR_NONE };

	(void)state;
	takes_raw(NO_HEAD, "text/plain", SLICE_LIT("x"));
	assert_false(item->has_language);
	for (unsigned i = 0; i < LANGUAGES; i++) {
		items.count = 0;
		assert_true(says_language(language_name((enum language)i), &err));
		assert_true(item->has_language && item->language == i);
	}
	assert_false(says_language("English", &err));
	assert_int_equal(err.code, ERR_INVALID_FIELD);
	assert_non_null(strstr(err.detail, ": simple arabic armenian"));
	assert_non_null(strstr(err.detail, " yiddish."));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_long_name_is_shortened_at_a_character),
		TEST(marks_that_turn_a_name_around_go),
		TEST(a_document_may_say_its_language),
		TEST(ids_that_could_not_be_named_are_refused),
		TEST(queries_are_checked),
		TEST(a_text_without_a_name_is_called_by_its_first_line),
		TEST(what_is_said_anew_of_the_same_bytes_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
