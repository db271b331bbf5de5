/* SPDX-License-Identifier: MIT */
/*
 * test_api_multipart: what browsers, curl and node send; malformed forms; and bodies made to be
 * slow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "multipart_fixture.h"

#define BIG	(10u << 20)
#define CPU_MAX (CLOCKS_PER_SEC / 10)

static void
a_boundary_is_read(void **state)
{
	(void)state;
	is(multipart_boundary(SLICE_LIT("multipart/form-data; boundary=abc")), "abc");
	is(multipart_boundary(SLICE_LIT("multipart/form-data;boundary=\"a b:c\"")), "a b:c");
	is(multipart_boundary(SLICE_LIT("multipart/form-data; charset=x; BOUNDARY=abc; q=1")),
	    "abc");
	is(multipart_boundary(SLICE_LIT("multipart/form-data; x=\"; boundary=no\"; boundary=yes")),
	    "yes");
	is(multipart_boundary(SLICE_LIT("multipart/form-data")), NULL);
	is(multipart_boundary(SLICE_LIT("multipart/form-data; boundary=")), NULL);
	is(multipart_boundary(SLICE_LIT("multipart/form-data; boundary=\"\"")), NULL);
	is(multipart_boundary(SLICE_LIT("multipart/form-data; boundary=\"open")), NULL);
	is(multipart_boundary(SLICE_LIT("multipart/form-data; boundary=\"sp \"")), NULL);
	is(multipart_boundary(SLICE_LIT("multipart/form-data; boundary=a\0b")), NULL);
	is(multipart_boundary(SLICE_LIT("multipart/form-data; boundary=\"a\r\nb\"")), NULL);
	is(multipart_boundary(SLICE_LIT("multipart/form-data; xboundary=abc")), NULL);
	is(multipart_boundary(SLICE_LIT("multipart/form-data; boundary=a; boundary=b")), NULL);
	is(multipart_boundary(SLICE_LIT("multipart/form-data; boundary=a;Boundary=\"a\"")), NULL);
	is(multipart_boundary((struct slice){ 0 }), NULL);
}

static void
a_boundary_has_a_length(void **state)
{
	static const char seventy[] = "boundary=1234567890123456789012345678901234567890"
				      "123456789012345678901234567890";
	char type[200] = "multipart/form-data; ";
	size_t n = strlen(type);

	(void)state;
	memcpy(type + n, seventy, sizeof(seventy));
	assert_int_equal(multipart_boundary(slice_str(type)).len, 70);
	n = strlen(type);
	memcpy(type + n, "1", 2);
	is(multipart_boundary(slice_str(type)), NULL);
}

/* As Chromium sends a form; curl and node's FormData differ only in the boundary. */
static void
a_browsers_form_is_read(void **state)
{
	static const char body[] =
	    "------WebKitFormBoundary7MA4YWxkTrZu0gW\r\n"
	    "Content-Disposition: form-data; name=\"documentId\"\r\n\r\n"
	    "doc-1\r\n"
	    "------WebKitFormBoundary7MA4YWxkTrZu0gW\r\n"
	    "Content-Disposition: form-data; name=\"file\"; filename=\"t\xc3\xa9st%22.pdf\"\r\n"
	    "Content-Type: application/pdf\r\n\r\n"
	    "%PDF-1.4\n\0\r\n\r\n--not it\r\n"
	    "------WebKitFormBoundary7MA4YWxkTrZu0gW\r\n"
	    "content-disposition:form-data;filename=\"\";name=\"file\"\r\n\r\n"
	    "\r\n"
	    "------WebKitFormBoundary7MA4YWxkTrZu0gW--\r\n";

	(void)state;
	assert_true(
	    reads_parts(slice_of(body, sizeof(body) - 1), "----WebKitFormBoundary7MA4YWxkTrZu0gW"));
	assert_int_equal(parts.count, 3);
	is(parts.items[0].name, "documentId");
	is(parts.items[0].file_name, NULL);
	is(parts.items[0].content_type, NULL);
	is(parts.items[0].bytes, "doc-1");
	is(parts.items[1].name, "file");
	is(parts.items[1].file_name, "t\xc3\xa9st%22.pdf");
	is(parts.items[1].content_type, "application/pdf");
	assert_int_equal(parts.items[1].bytes.len, 22);
	assert_memory_equal(parts.items[1].bytes.p, "%PDF-1.4\n\0\r\n\r\n--not it", 22);
	is(parts.items[2].file_name, "");
	assert_int_equal(parts.items[2].bytes.len, 0);
}

static void
dispositions_are_read(void **state)
{
	(void)state;
	assert_true(READS("--B\r\nContent-Disposition: form-data; name=f; filename*=UTF-8''x.pdf"
			  "\r\n\r\nx\r\n--B--"));
	is(parts.items[0].name, "f");
	is(parts.items[0].file_name, "x.pdf");
	assert_true(READS("--B\r\nContent-Disposition: form-data; filename=\"a; name=\\\"g\\\"\";"
			  " name=\"f\"\r\n\r\nx\r\n--B--"));
	is(parts.items[0].name, "f");
	is(parts.items[0].file_name, "a; name=\"g\"");
	assert_true(READS("--B\r\nX-Other: 1\r\nContent-Disposition: FORM-DATA; name=\"f\"\r\n"
			  "Content-Length: 99\r\n\r\nx\r\n--B--"));
	is(parts.items[0].bytes, "x");
}

static void
bad_part_headers_are_refused(void **state)
{
	(void)state;
	assert_false(READS("--B\r\n\r\nx\r\n--B--"));
	assert_false(READS("--B\r\nContent-Type: text/plain\r\n\r\nx\r\n--B--"));
	assert_false(READS("--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--"));
	assert_false(READS("--B\r\nContent-Disposition: form-data; name=\"f\r\n\r\nx\r\n--B--"));
	assert_false(READS("--B\r\nContent-Disposition: form-datax; name=f\r\n\r\nx\r\n--B--"));
	assert_false(READS("--B\r\nContent-Disposition: form-data\0; name=f\r\n\r\nx\r\n--B--"));
	assert_false(READS("--B\r\nContent-Disposition: attachment; name=f\r\n\r\nx\r\n--B--"));
	assert_false(READS("--B\r\nno colon\r\n" FIELD "x\r\n--B--"));
	assert_false(READS("--B\nContent-Disposition: form-data; name=f\n\nx\n--B--"));
	assert_false(READS("--B\r\nContent-Disposition: form-data; name=f\r\n" FIELD "x\r\n--B--"));
}

/* Each is another part to another reader. */
static void
what_is_there_twice_is_refused(void **state)
{
	static const char *const headers[] = {
		"Content-Disposition: form-data; name=a; name=f",
		"Content-Disposition: form-data; name=f; NAME=\"f\"",
		"Content-Disposition: form-data; name=f; filename=a.pdf; filename=b.pdf",
		"Content-Disposition: form-data; name=f; filename*=UTF-8''a; filename*=UTF-8''b",
		"Content-Type: text/plain\r\nContent-Type: text/html\r\n"
		"Content-Disposition: form-data; name=f",
		"Content-Disposition : form-data; name=a\r\n"
		"Content-Disposition: form-data; name=f",
		"Content-Disposition: form-data; name=f\r\nContent-Transfer-Encoding : base64",
		"Content-Disposition: form-data; name=f;\r\n filename=\"a:b.pdf\"",
		"Content-Disposition: form-data; name=f\r\n\tX: y",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		char body[300];

		snprintf(body, sizeof(body), "--B\r\n%s\r\n\r\nx\r\n--B--", headers[i]);
		if (reads_parts(slice_str(body), "B"))
			fail_msg("%s was read", headers[i]);
	}
}

static void
bad_part_frames_are_refused(void **state)
{
	(void)state;
	assert_false(READS(""));
	assert_false(READS("--"));
	assert_false(READS("--B"));
	assert_false(READS("--B\r\n"));
	assert_false(READS("--B--"));
	assert_false(READS("--C\r\n" FIELD "x\r\n--C--"));
	assert_false(READS("preamble\n--B\r\n" FIELD "x\r\n--B--"));
	assert_false(READS("preamble --B\r\n" FIELD "x\r\n--B--"));
	assert_false(READS("\r\n--BX\r\n" FIELD "x\r\n--B--"));
	assert_false(READS("--B\r\n" FIELD));
	assert_false(READS("--B\r\n" FIELD "x"));
	assert_false(READS("--B\r\n" FIELD "x\r\n--B"));
	assert_false(READS("--B\r\n" FIELD "x\r\n--B\r\n"));
	assert_false(READS("--B\r\n" FIELD "x\r\n--BX\r\n" FIELD "y\r\n--B--"));
	assert_false(READS("--B\r\n" FIELD "x\n--B--"));
}

static void
a_boundary_in_data_is_data(void **state)
{
	(void)state;
	assert_true(READS("--B \t\r\n" FIELD "a--B--\n--B\r\r\n-B\r\n--b--\r\n--B--epilogue"));
	assert_int_equal(parts.count, 1);
	is(parts.items[0].bytes, "a--B--\n--B\r\r\n-B\r\n--b--");
}

static void
parts_have_a_ceiling(void **state)
{
	static const char one[] = "--B\r\n" FIELD "\r\n";
	char body[(MULTIPART_PARTS_MAX + 1) * sizeof(one) + 8];
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i <= MULTIPART_PARTS_MAX; i++) {
		memcpy(body + n, "--B--", 5);
		assert_int_equal(reads_parts(slice_of(body, n + 5), "B"), i > 0);
		memcpy(body + n, one, sizeof(one) - 1);
		n += sizeof(one) - 1;
	}
	memcpy(body + n, "--B--", 5);
	assert_false(reads_parts(slice_of(body, n + 5), "B"));
}

/* Every cut of a good body is refused, and read no further than its end. */
static void
every_cut_form_is_refused(void **state)
{
	static const char body[] = "--B\r\n" FIELD "one\r\n--B\r\n" FIELD "two\r\n--B--";

	(void)state;
	for (size_t n = 0; n < sizeof(body) - 1; n++) {
		char *copy = malloc(n + 1);

		assert_non_null(copy);
		memcpy(copy, body, n);
		assert_false(reads_parts(slice_of(copy, n), "B"));
		free(copy);
	}
	assert_true(reads_parts(slice_of(body, sizeof(body) - 1), "B"));
}

/* Fills `body` with `pattern` after its first `used` bytes, and reads it. */
static void
in_time(char *body, size_t used, const char *pattern, const char *boundary)
{
	size_t n = strlen(pattern);
	clock_t began;

	for (size_t i = used; i < BIG; i++)
		body[i] = pattern[(i - used) % n];
	began = clock();
	assert_false(reads_parts(slice_of(body, BIG), boundary));
	assert_in_range(clock() - began, 0, CPU_MAX);
}

static void
a_hostile_form_costs_linear_time(void **state)
{
	static const char head[] = "--B\r\n" FIELD;
	char dashes[71], letters[71], line[80], long_head[160];
	char *body = malloc(BIG);

	(void)state;
	assert_non_null(body);
	memset(dashes, '-', 70);
	memset(letters, 'a', 70);
	dashes[70] = letters[70] = '\0';
	in_time(body, 0, "-", "B");
	in_time(body, 0, "-", "-----");
	memcpy(body, head, sizeof(head) - 1);
	in_time(body, sizeof(head) - 1, "-", "B");
	in_time(body, sizeof(head) - 1, "\r\n--", "B");
	in_time(body, sizeof(head) - 1, "\r\n--b", "B");
	in_time(body, 0, "\r\n--b", "B");
	in_time(body, 5, "Content-Disposition: form-data; name=\"", "B");
	in_time(body, 5, "X: y\r\n", "B");
	snprintf(long_head, sizeof(long_head), "--%s\r\n" FIELD, letters);
	memcpy(body, long_head, strlen(long_head));
	in_time(body, strlen(long_head), "a", letters);
	snprintf(line, sizeof(line), "\r\n--%.69s", letters);
	in_time(body, strlen(long_head), line, letters);
	in_time(body, strlen(long_head), "\r\n--", letters);
	letters[0] = 'b';
	snprintf(long_head, sizeof(long_head), "--%s\r\n" FIELD, letters);
	memcpy(body, long_head, strlen(long_head));
	in_time(body, strlen(long_head), "a", letters);
	snprintf(long_head, sizeof(long_head), "--%s\r\n" FIELD, dashes);
	memcpy(body, long_head, strlen(long_head));
	in_time(body, strlen(long_head), "-", dashes);
	free(body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_boundary_is_read),
		cmocka_unit_test(a_boundary_has_a_length),
		cmocka_unit_test(a_browsers_form_is_read),
		cmocka_unit_test(dispositions_are_read),
		cmocka_unit_test(bad_part_headers_are_refused),
		cmocka_unit_test(what_is_there_twice_is_refused),
		cmocka_unit_test(bad_part_frames_are_refused),
		cmocka_unit_test(a_boundary_in_data_is_data),
		cmocka_unit_test(parts_have_a_ceiling),
		cmocka_unit_test(every_cut_form_is_refused),
		cmocka_unit_test(a_hostile_form_costs_linear_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
