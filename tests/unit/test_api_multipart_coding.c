/* SPDX-License-Identifier: MIT */
/*
 * test_api_multipart_coding: what a form writes otherwise than it means: quoted pairs, extended
 * names, base64; and what stands before it.
 */
#include <stdio.h>

#include "multipart_fixture.h"

#define FILE_PART(parameters) \
	"--B\r\nContent-Disposition: form-data; name=f; " parameters "\r\n\r\nx\r\n--B--"

static void
quoted_pairs_are_undone(void **state)
{
	static const char *const table[][2] = {
		{ FILE_PART("filename=\"a\\\"b\\\".pdf\""), "a\"b\".pdf" },
		{ FILE_PART("filename=\"a\\\\b.pdf\""), "a\\b.pdf" },
		{ FILE_PART("filename=\"C:\\docs\\a.pdf\""), "C:\\docs\\a.pdf" },
		{ FILE_PART("filename=\"a\\\\\""), "a\\" },
		{ FILE_PART("filename=a\\\\b"), "a\\\\b" },
		{ FILE_PART("x=\"\\\"; filename=no\"; filename=yes"), "yes" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_true(reads_parts(slice_str(table[i][0]), "B"));
		is(parts.items[0].file_name, table[i][1]);
		is(parts.items[0].name, "f");
		is(parts.items[0].bytes, "x");
	}
	assert_true(
	    READS("--B\r\nContent-Disposition: form-data; name=\"a\\\"b\"\r\n\r\nx\r\n--B--"));
	is(parts.items[0].name, "a\"b");
}

static void
extended_file_names_are_read(void **state)
{
	static const char *const good[][2] = {
		{ FILE_PART("filename*=UTF-8''%e2%82%ac%20rates.pdf"), "\xe2\x82\xac rates.pdf" },
		{ FILE_PART("filename=\"EUR.pdf\"; filename*=utf-8'en'%E2%82%AC.pdf"),
		    "\xe2\x82\xac.pdf" },
		{ FILE_PART("filename*=utf-8''a'b.pdf; filename=EUR.pdf"), "a'b.pdf" },
		{ FILE_PART("filename*=\"UTF-8''a%22.pdf\""), "a\".pdf" },
		{ FILE_PART("filename*=UTF-8''"), "" },
	};
	static const char *const bad[] = { "filename*=a.pdf", "filename*=ISO-8859-1''%a3.pdf",
		"filename*=UTF-8'a.pdf", "filename*=UTF-8''%4", "filename*=UTF-8''%zz.pdf",
		"filename*=UTF-8''a%; filename=a.pdf" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(reads_parts(slice_str(good[i][0]), "B"));
		is(parts.items[0].file_name, good[i][1]);
		is(parts.items[0].name, "f");
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char body[160];

		snprintf(body, sizeof(body), FILE_PART("%s"), bad[i]);
		assert_false(reads_parts(slice_str(body), "B"));
		assert_non_null(strstr(why.detail, "filename*"));
	}
}

#define ENCODED(encoding, text) \
	"--B\r\nContent-Transfer-Encoding: " encoding "\r\n" FIELD text "\r\n--B--"

static void
base64_is_decoded(void **state)
{
	static const char *const table[][2] = {
		{ ENCODED("base64", ""), "" },
		{ ENCODED("BASE64", "aA=="), "h" },
		{ ENCODED("base64", "aGU="), "he" },
		{ ENCODED("base64", "aGVs"), "hel" },
		{ ENCODED("base64", "aGVs\r\nbG8g\r\n d29y\tbGQ=\r\n"), "hello world" },
		{ ENCODED("7bit", "aA=="), "aA==" },
		{ ENCODED("8bit", "\xc3\xa9"), "\xc3\xa9" },
		{ ENCODED("Binary", "aA=="), "aA==" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_true(reads_parts(slice_str(table[i][0]), "B"));
		is(parts.items[0].bytes, table[i][1]);
	}
	assert_true(READS(ENCODED("base64", "AP8N") "\r\n"));
	assert_memory_equal(parts.items[0].bytes.p, "\0\xff\r", 3);
}

static void
what_is_no_base64_is_refused(void **state)
{
	static const char *const texts[] = { "a", "aG", "aGV", "aGVs=", "====", "aA==aA==", "a-_a",
		"aGVs\\", "aA=a", "a===", "=" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char body[160];

		snprintf(body, sizeof(body), ENCODED("base64", "%s"), texts[i]);
		if (reads_parts(slice_str(body), "B"))
			fail_msg("%s was read", texts[i]);
		assert_non_null(strstr(why.detail, "encode it anew"));
	}
}

static void
other_encodings_are_refused(void **state)
{
	static const char *const names[] = { "quoted-printable", "x-uuencode", "gzip", "",
		"base64, base64", "base64\r\nContent-Transfer-Encoding: base64" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char body[200];

		snprintf(body, sizeof(body), ENCODED("%s", "aA=="), names[i]);
		assert_false(reads_parts(slice_str(body), "B"));
		assert_non_null(strstr(why.detail, "send the bytes as they are"));
	}
}

static void
a_preamble_is_passed_over(void **state)
{
	(void)state;
	assert_true(READS("\r\n--B\r\n" FIELD "x\r\n--B--"));
	is(parts.items[0].bytes, "x");
	assert_true(READS("This is a form.\r\n--b\r\n\r\n--B\r\n" FIELD "x\r\n--B--"));
	assert_int_equal(parts.count, 1);
	is(parts.items[0].bytes, "x");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quoted_pairs_are_undone),
		cmocka_unit_test(extended_file_names_are_read),
		cmocka_unit_test(base64_is_decoded),
		cmocka_unit_test(what_is_no_base64_is_refused),
		cmocka_unit_test(other_encodings_are_refused),
		cmocka_unit_test(a_preamble_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
