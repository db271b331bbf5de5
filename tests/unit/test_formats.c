/* SPDX-License-Identifier: MIT */
/*
 * test_formats: each row of the table is found by all that it names; what none names is refused, by
 * a sentence that lists them; the declared type goes before the bytes, these before the name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tenantgate/retrieval.h"

static const struct slice none = { NULL, 0 };

#define EACH_FORMAT(d, i) \
	const struct document_format *d; \
	for (size_t i = 0; (d = format_at(i)) != NULL; i++)

static void
every_format_is_whole(void **state)
{
	(void)state;
	assert_non_null(format_at(0));
	EACH_FORMAT(d, i)
	{
		assert_non_null(strchr(d->media_type, '/'));
		assert_non_null(d->aliases);
		assert_true(d->suffixes[0] != NULL || d->magic.len > 0);
		assert_true(d->magic_within >= d->magic.len);
		assert_ptr_equal(format_find(d->media_type), d);
		for (size_t n = 0; d->suffixes[n] != NULL; n++)
			assert_int_equal(d->suffixes[n][0], '.');
	}
}

/* Whatever its letters' case and its parameters, and whatever the name and the bytes say. */
static void
a_format_is_found_by_its_types(void **state)
{
	char text[128];

	(void)state;
	EACH_FORMAT(d, i)
	{
		snprintf(text, sizeof(text), " %s ;charset=utf-8", d->media_type);
		text[1] = (char)(text[1] - 'a' + 'A');
		assert_ptr_equal(format_detect(slice_str(text), none, none), d);
		for (size_t n = 0; d->aliases[n] != NULL; n++) {
			assert_ptr_equal(format_detect(slice_str(d->aliases[n]), none, none), d);
			assert_null(format_find(d->aliases[n]));
		}
	}
}

static void
a_format_is_found_by_its_suffixes(void **state)
{
	char name[64];

	(void)state;
	EACH_FORMAT(d, i)
	{
		for (size_t n = 0; d->suffixes[n] != NULL; n++) {
			snprintf(name, sizeof(name), "A.b%s", d->suffixes[n]);
			name[4] = (char)(name[4] - 'a' + 'A');
			assert_ptr_equal(format_detect(none, slice_str(name), none), d);
			assert_null(format_detect(none, slice_str(d->suffixes[n]), none));
			assert_null(format_detect(none, slice_str(name + 4), none));
		}
	}
}

/* Anywhere in the first bytes, but whole. */
static void
a_format_is_found_by_its_first_bytes(void **state)
{
	static char body[8192];

	(void)state;
	EACH_FORMAT(d, i)
	{
		size_t last = d->magic_within - d->magic.len;

		if (d->magic.len == 0)
			continue;
		assert_true(d->magic_within < sizeof(body));
		assert_ptr_equal(format_detect(none, none, d->magic), d);
		memset(body, ' ', sizeof(body));
		memcpy(body + last, d->magic.p, d->magic.len);
		assert_ptr_equal(format_detect(none, none, slice_of(body, sizeof(body))), d);
		assert_null(format_detect(none, none, slice_of(body, d->magic_within - 1)));
		memset(body, ' ', sizeof(body));
		memcpy(body + last + 1, d->magic.p, d->magic.len);
		assert_null(format_detect(none, none, slice_of(body, sizeof(body))));
	}
}

static void
detects_as(struct slice declared, const char *name, const char *body, const char *want)
{
	const struct document_format *d = format_detect(declared, slice_str(name), slice_str(body));

	assert_non_null(d);
	assert_string_equal(d->media_type, want);
}

static void
the_type_goes_before_the_bytes_before_the_suffix(void **state)
{
	const struct slice stream = SLICE_LIT("application/octet-stream");

	(void)state;
	detects_as(SLICE_LIT("Text/Plain; charset=utf-8"), "a.pdf", "%PDF-1.4", "text/plain");
	detects_as(SLICE_LIT("application/x-pdf"), "", "", "application/pdf");
	detects_as(none, "a.txt", "\n%PDF-1.4", "application/pdf");
	detects_as(stream, "NOTES.MD", "# x", "text/markdown");
	detects_as(SLICE_LIT("application/octet-stream; x=y"), "a.text", "", "text/plain");
	detects_as(SLICE_LIT(" ; x=y"), "a.markdown", "", "text/markdown");
	detects_as(none, "a.txt", "", "text/plain");
}

static void
what_no_format_names_is_none(void **state)
{
	(void)state;
	assert_null(format_detect(none, none, none));
	assert_null(format_detect(none, SLICE_LIT(".md"), none));
	assert_null(format_detect(none, SLICE_LIT("a.html"), SLICE_LIT("<p>")));
	assert_null(format_detect(SLICE_LIT("text/html"), SLICE_LIT("a.md"), none));
	assert_null(format_detect(SLICE_LIT("text/plainer"), SLICE_LIT("a.md"), none));
	assert_null(format_detect(SLICE_LIT("image/png"), none, SLICE_LIT("%PDF-1.4")));
	assert_null(format_find(NULL));
	assert_null(format_find(""));
	assert_null(format_find("Text/Plain"));
}

static void
the_refusal_lists_the_formats(void **state)
{
	struct err err = { 0 };

	(void)state;
	format_refuse(&err);
	assert_int_equal(err.code, ERR_MEDIA_TYPE);
	EACH_FORMAT(d, i) assert_non_null(strstr(err.detail, d->media_type));
	assert_string_equal(err.detail,
	    "Documents may be application/pdf, text/plain, text/markdown, text/mdx, text/x-rst, "
	    "text/csv or application/json; declare one of these.");
}

/* How each format is read and split. */
static void
each_format_has_its_reader(void **state)
{
	const struct document_format *pdf = format_find("application/pdf");
	const struct document_format *plain = format_find("text/plain");
	const struct document_format *markdown = format_find("text/markdown");

	(void)state;
	assert_int_equal(pdf->reader, READER_PDFTOTEXT);
	assert_int_equal(plain->reader, READER_TEXT);
	assert_int_equal(markdown->reader, READER_TEXT);
	assert_int_equal(pdf->separators, CHUNK_TEXT);
	assert_int_equal(plain->separators, CHUNK_TEXT);
	assert_int_equal(markdown->separators, CHUNK_MARKDOWN);
	assert_true(pdf->has_pages && !plain->has_pages && !markdown->has_pages);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_is_whole),
		cmocka_unit_test(a_format_is_found_by_its_types),
		cmocka_unit_test(a_format_is_found_by_its_suffixes),
		cmocka_unit_test(a_format_is_found_by_its_first_bytes),
		cmocka_unit_test(the_type_goes_before_the_bytes_before_the_suffix),
		cmocka_unit_test(what_no_format_names_is_none),
		cmocka_unit_test(the_refusal_lists_the_formats),
		cmocka_unit_test(each_format_has_its_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
