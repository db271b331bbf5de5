/* SPDX-License-Identifier: MIT */
/*
 * test_b64: RFC 4648's own examples, and texts that mean nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tenantgate/base/b64.h"

typedef bool read_fn(struct buf *, struct slice);

static void
expect_read(read_fn *read, const char *text, const char *bytes, size_t n)
{
	struct buf b;

	buf_init(&b, 64);
	assert_true(buf_puts(&b, "<"));
	assert_true(read(&b, slice_str(text)));
	assert_int_equal(b.len, n + 1);
	assert_memory_equal(b.data + 1, bytes, n);
	buf_free(&b);
}

static void
expect_refused(read_fn *read, const char *text)
{
	struct buf b;

	buf_init(&b, 64);
	assert_true(buf_puts(&b, "<"));
	assert_false(read(&b, slice_str(text)));
	assert_string_equal(b.data, "<");
	assert_false(b.failed);
	buf_free(&b);
}

static void
the_rfc_examples_hold(void **state)
{
	static const char *const rows[][3] = { { "", "", "" }, { "f", "Zg", "Zg==" },
		{ "fo", "Zm8", "Zm8=" }, { "foo", "Zm9v", "Zm9v" },
		{ "foob", "Zm9vYg", "Zm9vYg==" }, { "fooba", "Zm9vYmE", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy", "Zm9vYmFy" } };
	struct buf b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_init(&b, 64);
		assert_true(b64url_put(&b, slice_str(rows[i][0])));
		assert_string_equal(b.data, rows[i][1]);
		buf_reset(&b);
		assert_true(b64_put(&b, slice_str(rows[i][0])));
		assert_string_equal(b.data, rows[i][2]);
		buf_free(&b);
		expect_read(b64url_get, rows[i][1], rows[i][0], strlen(rows[i][0]));
		expect_read(b64_get, rows[i][2], rows[i][0], strlen(rows[i][0]));
	}
}

static void
the_two_alphabets_stay_apart(void **state)
{
	(void)state;
	expect_read(b64url_get, "-_-_", "\xfb\xff\xbf", 3);
	expect_read(b64_get, "+/+/", "\xfb\xff\xbf", 3);
	expect_refused(b64url_get, "+/+/");
	expect_refused(b64_get, "-_-_");
}

static void
each_value_has_one_spelling(void **state)
{
	static const char *const bad_url[] = { "A", "Zg==", "Zh", "Zm9", "Zm 9v", "Zm9v\n", "Zm9vY",
		"Z\xc3\xa9" };
	static const char *const bad_std[] = { "Zg", "Zg=", "Zh==", "Zg===", "====", "=",
		"==", "Z===", "Zm9=", "Zg==Zg==", " Zg=" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad_url) / sizeof(bad_url[0]); i++)
		expect_refused(b64url_get, bad_url[i]);
	for (i = 0; i < sizeof(bad_std) / sizeof(bad_std[0]); i++)
		expect_refused(b64_get, bad_std[i]);
}

static void
a_full_buf_fails_whole(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 3);
	assert_false(b64url_put(&b, slice_str("foo")));
	assert_true(b.failed);
	assert_int_equal(b.len, 0);
	buf_reset(&b);
	assert_false(b64_put(&b, slice_str("foo")));
	assert_true(b.failed);
	assert_int_equal(b.len, 0);
	buf_reset(&b);
	assert_false(b64url_get(&b, slice_str("Zm9vYg")));
	assert_true(b.failed);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

static void
an_exact_count_of_bytes_is_read(void **state)
{
	char bytes[4] = "";

	(void)state;
	assert_true(b64_get_exact(SLICE_LIT("TWFu"), bytes, 3));
	assert_memory_equal(bytes, "Man", 3);
	assert_true(b64_get_exact(SLICE_LIT("TWE="), bytes, 2));
	assert_true(b64_get_exact(SLICE_LIT("TWE"), bytes, 2));
	assert_memory_equal(bytes, "Ma", 2);
	assert_true(b64_get_exact(SLICE_LIT("TWFuTQ=="), bytes, 4));
	assert_memory_equal(bytes, "ManM", 4);
	assert_false(b64_get_exact(SLICE_LIT("TWFuTQ="), bytes, 4));
	assert_false(b64_get_exact(SLICE_LIT("TWFuTQ==="), bytes, 4));
	assert_false(b64_get_exact(SLICE_LIT("TW=u"), bytes, 3));
	assert_false(b64_get_exact(SLICE_LIT("===="), bytes, 1));
	assert_false(b64_get_exact(SLICE_LIT("TW-u"), bytes, 3));
	assert_true(b64_get_exact(SLICE_LIT("TWF="), bytes, 2)); /* stray bits pass */
	assert_memory_equal(bytes, "Ma", 2);
	assert_true(b64_get_exact(SLICE_LIT(""), bytes, 0));
}

static void
expect_same(const struct buf *a, const struct buf *b)
{
	assert_int_equal(a->len, b->len);
	if (b->len > 0)
		assert_memory_equal(a->data, b->data, b->len);
}

/* Every length around a group, every value of a byte, by all three readers. */
static void
what_was_written_is_read(void **state)
{
	struct buf bytes, text, back;
	char exact[259];
	size_t n;

	(void)state;
	buf_init(&bytes, sizeof(exact));
	buf_init(&text, 1000);
	buf_init(&back, 1000);
	for (n = 0; n < sizeof(exact); n++) {
		assert_true(b64_put(&text, buf_view(&bytes)));
		assert_int_equal(text.len, (n + 2) / 3 * 4);
		assert_true(b64_get(&back, buf_view(&text)));
		expect_same(&back, &bytes);
		assert_true(b64_get_exact(buf_view(&text), exact, n));
		assert_memory_equal(exact, bytes.data != NULL ? bytes.data : "", n);
		buf_reset(&text);
		buf_reset(&back);
		assert_true(b64url_put(&text, buf_view(&bytes)));
		assert_true(b64url_get(&back, buf_view(&text)));
		expect_same(&back, &bytes);
		buf_reset(&text);
		buf_reset(&back);
		assert_true(buf_putc(&bytes, (char)(255 - n)));
	}
	buf_free(&bytes);
	buf_free(&text);
	buf_free(&back);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rfc_examples_hold),
		cmocka_unit_test(the_two_alphabets_stay_apart),
		cmocka_unit_test(each_value_has_one_spelling),
		cmocka_unit_test(a_full_buf_fails_whole),
		cmocka_unit_test(an_exact_count_of_bytes_is_read),
		cmocka_unit_test(what_was_written_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
