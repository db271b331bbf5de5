/* SPDX-License-Identifier: MIT */
/*
 * test_json: what is refused when reading, and what hostile bytes become when written.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "json_fixture.h"

static void
expect_unreadable(struct slice text, const char *why)
{
	struct err e = { 0 };

	assert_null(json_read_object(text, &e));
	assert_int_equal(e.code, ERR_INVALID_JSON);
	if (strstr(e.detail, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.detail, why);
}

static void
text_that_is_not_json_is_refused(void **state)
{
	(void)state;
	expect_unreadable(slice_of(NULL, 0), "ends too early");
	expect_unreadable(SLICE_LIT("{\"a\":"), "ends too early");
	expect_unreadable(SLICE_LIT("{\"a\":1} x"), "line 1");
	expect_unreadable(SLICE_LIT("{\"a\":1}\0"), "line 1");
	expect_unreadable(SLICE_LIT("{\"a\":1,\"b\":2,\"a\":3}"), "twice");
	expect_unreadable(SLICE_LIT("{\"a\":1,\"\\u0061\":3}"), "twice");
	expect_unreadable(SLICE_LIT("{\"a\":\"x\\u0000y\"}"), "NUL");
	expect_unreadable(SLICE_LIT("{\"a\\u0000\":\"y\"}"), "NUL");
	expect_unreadable(SLICE_LIT("{\"a\":\"x\0y\"}"), "line 1");
	expect_unreadable(SLICE_LIT("{\"a\":\"\xff\"}"), "not UTF-8");
	expect_unreadable(SLICE_LIT("{\"a\":\"\xc0\xaf\"}"), "not UTF-8");
	expect_unreadable(SLICE_LIT("{\"a\":\"\xed\xa0\x80\"}"), "not UTF-8");
	expect_unreadable(SLICE_LIT("{\"a\":\"\\ud800\"}"), "line 1");
	expect_unreadable(SLICE_LIT("{\"a\":99999999999999999999}"), "too large");
	expect_unreadable(SLICE_LIT("{\"a\":1e999}"), "too large");
	expect_unreadable(SLICE_LIT("{\"a\":NaN}"), "line 1");
	expect_unreadable(SLICE_LIT("[1]"), "must be an object");
	expect_unreadable(SLICE_LIT("null"), "must be an object");
}

static void
what_was_sent_is_not_quoted_back(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_null(json_read(SLICE_LIT("{\"a\": s3cret}"), &e));
	assert_null(strstr(e.detail, "s3cret"));
}

static json_t *
read_nested(int depth, const char *open, const char *middle, const char *close, struct err *e)
{
	struct buf b;
	json_t *value;
	int i;

	buf_init(&b, 1 << 20);
	for (i = 0; i < depth; i++)
		buf_puts(&b, open);
	buf_puts(&b, middle);
	for (i = 0; i < depth; i++)
		buf_puts(&b, close);
	assert_false(b.failed);
	value = json_read(buf_view(&b), e);
	buf_free(&b);
	return value;
}

static void
depth_has_a_limit(void **state)
{
	struct err e = { 0 };
	json_t *value;

	(void)state;
	value = read_nested(JSON_DEPTH_MAX, "[", "1", "]", &e);
	assert_non_null(value);
	json_decref(value);
	assert_null(read_nested(JSON_DEPTH_MAX + 1, "[", "1", "]", &e));
	assert_non_null(strstr(e.detail, "deeper than 64"));
	err_clear(&e);
	assert_null(read_nested(100000, "{\"a\":", "1", "}", &e));
	assert_non_null(strstr(e.detail, "deeper"));
}

static void
brackets_in_strings_are_no_depth(void **state)
{
	struct err e = { 0 };
	struct buf b;
	json_t *value;
	int i;

	(void)state;
	buf_init(&b, 4096);
	buf_puts(&b, "[\"\\\"");
	for (i = 0; i < 500; i++)
		buf_puts(&b, "[{");
	buf_puts(&b, "\\\\\"");
	for (i = 0; i < 200; i++)
		buf_puts(&b, ",[],{}");
	buf_puts(&b, "]");
	value = json_read(buf_view(&b), &e);
	assert_non_null(value);
	assert_int_equal(json_array_size(value), 401);
	json_decref(value);
	buf_free(&b);
}

static json_t *
sample(void)
{
	struct err e = { 0 };
	json_t *o = json_read_object(SLICE_LIT("{\"s\":\"text\",\"i\":5,\"r\":0.5,\"t\":true,\"n\":"
					       "null,\"a\":[1],\"o\":{}}"),
	    &e);

	assert_non_null(o);
	return o;
}

static void
fields_are_read(void **state)
{
	json_t *o = sample(), *a = NULL, *inner = NULL;
	struct slice s = { 0 };
	struct err e = { 0 };
	int64_t i = 0;
	double r = 0, whole = 0;
	bool t = false;

	(void)state;
	assert_true(json_get_string(o, "s", &s, &e));
	assert_true(slice_is(s, "text"));
	assert_true(json_opt_int(o, "i", 5, 5, &i, &e));
	assert_int_equal(i, 5);
	assert_true(json_opt_number(o, "r", 0, 1, &r, &e));
	assert_true(r > 0.49 && r < 0.51);
	assert_true(json_opt_number(o, "i", 0, 5, &whole, &e));
	assert_true(whole > 4.9 && whole < 5.1);
	assert_true(json_opt_bool(o, "t", &t, &e));
	assert_true(t);
	assert_true(json_opt_array(o, "a", &a, &e));
	assert_int_equal(json_array_size(a), 1);
	assert_true(json_opt_object(o, "o", &inner, &e));
	assert_non_null(inner);
	assert_false(err_is(&e));
	json_decref(o);
}

static void
absent_and_null_leave_the_default(void **state)
{
	static const char *const names[] = { "n", "none" };
	json_t *o = sample();
	size_t k;

	(void)state;
	for (k = 0; k < 2; k++) {
		struct slice s = SLICE_LIT("default");
		json_t *a = o;
		struct err e = { 0 };
		int64_t i = 7;
		double r = 7;
		bool t = true;

		assert_true(json_opt_string(o, names[k], &s, &e));
		assert_true(json_opt_int(o, names[k], 0, 1, &i, &e));
		assert_true(json_opt_number(o, names[k], 0, 1, &r, &e));
		assert_true(json_opt_bool(o, names[k], &t, &e));
		assert_true(json_opt_array(o, names[k], &a, &e));
		assert_true(json_opt_object(o, names[k], &a, &e));
		assert_true(slice_is(s, "default") && i == 7 && r > 6 && t && a == o);
		assert_false(json_get_string(o, names[k], &s, &e));
		assert_int_equal(e.code, ERR_INVALID_FIELD);
		assert_non_null(strstr(e.detail, names[k]));
		assert_non_null(strstr(e.detail, "required"));
	}
	json_decref(o);
}

static void
expect_field_error(struct err *e, const char *name, const char *wanted)
{
	assert_int_equal(e->code, ERR_INVALID_FIELD);
	if (strstr(e->detail, name) == NULL || strstr(e->detail, wanted) == NULL)
		fail_msg("\"%s\" does not name %s and \"%s\"", e->detail, name, wanted);
	err_clear(e);
}

static void
a_wrong_type_names_its_field(void **state)
{
	json_t *o = sample(), *out = NULL;
	struct slice s = SLICE_LIT("kept");
	struct err e = { 0 };
	int64_t i = 7;
	double r = 7;
	bool t = false;

	(void)state;
	assert_false(json_get_string(o, "i", &s, &e));
	expect_field_error(&e, "\"i\"", "a string");
	assert_false(json_opt_string(o, "a", &s, &e));
	expect_field_error(&e, "\"a\"", "a string");
	assert_false(json_opt_int(o, "s", 0, 9, &i, &e));
	expect_field_error(&e, "\"s\"", "a whole number");
	assert_false(json_opt_int(o, "r", 0, 9, &i, &e));
	expect_field_error(&e, "\"r\"", "a whole number");
	assert_false(json_opt_number(o, "t", 0, 9, &r, &e));
	expect_field_error(&e, "\"t\"", "a number");
	assert_false(json_opt_bool(o, "i", &t, &e));
	expect_field_error(&e, "\"i\"", "true or false");
	assert_false(json_opt_array(o, "o", &out, &e));
	expect_field_error(&e, "\"o\"", "an array");
	assert_false(json_opt_object(o, "a", &out, &e));
	expect_field_error(&e, "\"a\"", "an object");
	assert_true(slice_is(s, "kept") && i == 7 && r > 6 && !t && out == NULL);
	json_decref(o);
}

static void
ranges_are_closed_and_named(void **state)
{
	json_t *o = sample();
	struct err e = { 0 };
	int64_t i = 7;
	double r = 7;

	(void)state;
	assert_false(json_opt_int(o, "i", 6, 10, &i, &e));
	expect_field_error(&e, "\"i\"", "from 6 to 10");
	assert_false(json_opt_int(o, "i", 1, 4, &i, &e));
	expect_field_error(&e, "\"i\"", "from 1 to 4");
	assert_false(json_opt_number(o, "r", 0.6, 2, &r, &e));
	expect_field_error(&e, "\"r\"", "from 0.6 to 2");
	assert_int_equal(i, 7);
	json_decref(o);
}

static void
strings_are_escaped(void **state)
{
	(void)state;
	expect_written(slice_of(NULL, 0), "\"\"");
	expect_written(SLICE_LIT("plain \xc3\xa9 \xf0\x9f\x90\x98"),
	    "\"plain \xc3\xa9 \xf0\x9f\x90\x98\"");
	expect_written(SLICE_LIT("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
	expect_written(SLICE_LIT("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
	expect_written(SLICE_LIT("\0\x1b\x1f\x7f"), "\"\\u0000\\u001b\\u001f\\u007f\"");
	/* NEL, and CSI, which some terminals obey. */
	expect_written(SLICE_LIT("\xc2\x85\xc2\x9b"), "\"\\u0085\\u009b\"");
	expect_written(SLICE_LIT("\xe2\x80\xa8\xe2\x80\xa9"), "\"\\u2028\\u2029\"");
}

static void
broken_utf8_is_replaced(void **state)
{
	(void)state;
	expect_written(SLICE_LIT("a\xff"), "\"a" FFFD "\"");
	expect_written(SLICE_LIT("\x80z"), "\"" FFFD "z\"");
	expect_written(SLICE_LIT("\xc3"), "\"" FFFD "\"");
	expect_written(SLICE_LIT("\xc3\""), "\"" FFFD "\\\"\"");
	expect_written(SLICE_LIT("\xe2\x82z"), "\"" FFFD "z\"");
	/* Overlong '/', and an overlong NUL. */
	expect_written(SLICE_LIT("\xc0\xaf"), "\"" FFFD FFFD "\"");
	expect_written(SLICE_LIT("\xe0\x80\xaf"), "\"" FFFD FFFD FFFD "\"");
	expect_written(SLICE_LIT("\xf0\x80\x80\x80"), "\"" FFFD FFFD FFFD FFFD "\"");
	/* A surrogate, and one past U+10FFFF. */
	expect_written(SLICE_LIT("\xed\xa0\x80"), "\"" FFFD FFFD FFFD "\"");
	expect_written(SLICE_LIT("\xf4\x90\x80\x80"), "\"" FFFD FFFD FFFD FFFD "\"");
	/* The last ones that are right. */
	expect_written(SLICE_LIT("\xed\x9f\xbf"), "\"\xed\x9f\xbf\"");
	expect_written(SLICE_LIT("\xf4\x8f\xbf\xbf"), "\"\xf4\x8f\xbf\xbf\"");
}

static void
every_pair_of_bytes_reads_back(void **state)
{
	int high, low;

	(void)state;
	for (high = 0; high < 256; high++) {
		for (low = 0; low < 256; low += 3) {
			char raw[] = { 'a', (char)high, (char)low };
			struct buf b;
			json_t *value;

			buf_init(&b, 100);
			assert_true(json_put_string(&b, slice_of(raw, 3)));
			value = json_loadb(b.data, b.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
			assert_true(json_is_string(value));
			assert_null(strpbrk(b.data, "\r\n\x1b\x7f"));
			json_decref(value);
			buf_free(&b);
		}
	}
}

static void
json_in_a_full_buf_fails(void **state)
{
	struct buf b;
	json_t *o = sample();

	(void)state;
	buf_init(&b, 6);
	assert_false(json_put_string(&b, SLICE_LIT("12345")));
	assert_true(b.failed);
	buf_reset(&b);
	assert_false(json_put(&b, o));
	assert_true(b.failed);
	buf_free(&b);
	buf_init(&b, 100);
	assert_true(json_put(&b, o));
	assert_non_null(strstr(b.data, "{\"s\":\"text\",\"i\":5,"));
	buf_free(&b);
	json_decref(o);
}

static void
utf8_is_validated(void **state)
{
	(void)state;
	assert_true(json_utf8_valid(slice_of(NULL, 0)));
	assert_true(json_utf8_valid(SLICE_LIT("\xf0\x9f\x90\x98 caf\xc3\xa9\n")));
	assert_false(json_utf8_valid(SLICE_LIT("a\0b")));
	assert_false(json_utf8_valid(SLICE_LIT("caf\xc3")));
	assert_false(json_utf8_valid(SLICE_LIT("\xc0\x80")));
	assert_false(json_utf8_valid(SLICE_LIT("\xed\xbf\xbf")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_that_is_not_json_is_refused),
		cmocka_unit_test(what_was_sent_is_not_quoted_back),
		cmocka_unit_test(depth_has_a_limit),
		cmocka_unit_test(brackets_in_strings_are_no_depth),
		cmocka_unit_test(fields_are_read),
		cmocka_unit_test(absent_and_null_leave_the_default),
		cmocka_unit_test(a_wrong_type_names_its_field),
		cmocka_unit_test(ranges_are_closed_and_named),
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(broken_utf8_is_replaced),
		cmocka_unit_test(every_pair_of_bytes_reads_back),
		cmocka_unit_test(json_in_a_full_buf_fails),
		cmocka_unit_test(utf8_is_validated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
