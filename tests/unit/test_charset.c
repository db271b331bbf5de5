/* SPDX-License-Identifier: MIT */
/*
 * test_charset: texts in the charsets that they were declared in, that they show, or that are
 * guessed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tenantgate/retrieval.h"

static struct arena *arena;
static struct extract_conf conf;
static struct extract_out out;

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new(1u << 20);
	conf = (struct extract_conf){ .text_max = 1000 };
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static void
reads_as(const char *charset, struct slice body, const char *want)
{
	struct extract_in in = { .mime = "text/plain",
		.body = body,
		.charset = slice_str(charset) };
	struct err err = { .code = ERR_NONE };

	out = (struct extract_out){ 0 };
	buf_init(&out.text, conf.text_max);
	if (!extract_read(&conf, &in, arena, &out, &err))
		fail_msg("%s: %s", charset, err.detail);
	if (!slice_is(out.pages[0].text, want))
		fail_msg("%s: %.*s", charset, SLICE_ARG(out.pages[0].text));
	extract_free(&out);
}

static void
is_refused(struct slice body, enum err_code code)
{
	const struct extract_in in = { .mime = "text/plain", .body = body };
	struct err err = { .code = ERR_NONE };

	out = (struct extract_out){ 0 };
	buf_init(&out.text, conf.text_max);
	assert_false(extract_read(&conf, &in, arena, &out, &err));
	assert_int_equal(err.code, code);
	extract_free(&out);
}

static void
a_text_past_its_limit_is_refused(void **state)
{
	(void)state;
	conf.text_max = 6;
	is_refused(SLICE_LIT("1234567"), ERR_DOC_LIMIT);
	is_refused(SLICE_LIT("\xff\xfe\x01\x01\x01\x01\x01\x01\x01\x01"), ERR_DOC_LIMIT);
	reads_as(NULL, SLICE_LIT("\xff\xfe\x01\x01\x01\x01\x01\x01"), "\xc4\x81\xc4\x81\xc4\x81");
}

static void
text_is_read_in_its_charset(void **state)
{
	(void)state;
	reads_as("iso-8859-1", SLICE_LIT("caf\xe9 \x80"), "caf\xc3\xa9 \xe2\x82\xac");
	reads_as("Shift_JIS", SLICE_LIT("\x8d\x60"), "\xe6\xb8\xaf");
	reads_as("windows-1255", SLICE_LIT("\xf9\xec"), "\xd7\xa9\xd7\x9c");
	reads_as("utf-16be", SLICE_LIT("\0a\0b"), "ab");
	reads_as("utf-8", SLICE_LIT("caf\xc3\xa9"), "caf\xc3\xa9");
	reads_as("no-such", SLICE_LIT("caf\xc3\xa9"), "caf\xc3\xa9");
	reads_as(NULL,
	    SLICE_LIT("\xff\xfe"
		      "a\0\xe9\0"),
	    "a\xc3\xa9");
	reads_as(NULL, SLICE_LIT("\xfe\xff\0a\0\xe9"), "a\xc3\xa9");
	reads_as("iso-8859-1", SLICE_LIT("\xff\xfe\0\0a\0\0\0"), "a");
	reads_as(NULL, SLICE_LIT("a\0b\0c\0d\0"), "abcd");
	reads_as(NULL, SLICE_LIT("one\0two"), "one two");
	reads_as(NULL,
	    SLICE_LIT("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		      "\xc3\xa9\xc3\xa9 \xff"),
	    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
	    "\xc3\xa9\xc3\xa9 \xef\xbf\xbd");
	assert_int_equal(out.warnings, EXTRACT_CHARACTERS);
}

static size_t
text_bytes_of(const char *mime, struct slice body, const char *charset, bool is_mapped)
{
	const struct extract_in in = { .mime = mime,
		.body = body,
		.charset = slice_str(charset),
		.is_mapped = is_mapped };

	return extract_text_bytes(&conf, &in);
}

static void
text_takes_the_memory_it_says(void **state)
{
	(void)state;
	assert_int_equal(text_bytes_of("text/plain", SLICE_LIT("caf\xc3\xa9"), "utf-8", false), 0);
	assert_int_equal(text_bytes_of("application/pdf", SLICE_LIT("\xff"), "", false), 0);
	assert_int_equal(text_bytes_of("text/plain", SLICE_LIT("a\0b"), "", false), 3);
	assert_int_equal(text_bytes_of("text/plain", SLICE_LIT("a"), "latin1", false), 3);
	conf.text_max = 2;
	assert_int_equal(text_bytes_of("text/plain", SLICE_LIT("a"), "latin1", false), 2);
	assert_int_equal(text_bytes_of("text/plain", SLICE_LIT("123456789012"), "latin1", false),
	    0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(text_is_read_in_its_charset),
		TEST(a_text_past_its_limit_is_refused),
		TEST(text_takes_the_memory_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
