/* SPDX-License-Identifier: MIT */
/*
 * test_api_multipart_mapped: a form that lies in a file is read as one in memory is, wherever its
 * boundaries are; what it has in base64 stays as it is, for another file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/ingest_form.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/base/random.h"

#define WINDOW ((size_t)256 << 10) /* multipart.c's */

static struct spool form, decoded;
static struct parts mapped, in_memory;
static struct err err;
static int folder;

static int
set_up(void **state)
{
	(void)state;
	spool_init(&form);
	spool_init(&decoded);
	err_clear(&err);
	folder = spool_folder_open("/tmp", &err);
	return folder < 0;
}

static int
tear_down(void **state)
{
	(void)state;
	spool_close(&form);
	spool_close(&decoded);
	close(folder);
	return 0;
}

static bool
add_to_file(void *arg, struct slice bytes, struct err *why)
{
	return spool_add(arg, folder, bytes, why);
}

/* In a file, parts and all. */
static bool
reads_mapped(struct slice body)
{
	struct ingest_source source = { .decoded = &decoded, .add = add_to_file, .arg = &decoded };
	struct slice all;

	spool_close(&form);
	spool_close(&decoded);
	err_clear(&err);
	assert_true(spool_add(&form, folder, body, &err));
	assert_true(spool_map(&form, &all, &err));
	return multipart_read(form.map, all.len, true, SLICE_LIT("B"), &mapped, &err) &&
	    ingest_form_decode(&mapped, &source, &err);
}

static void
same(struct slice got, struct slice want)
{
	assert_int_equal(got.len, want.len);
	assert_int_equal(got.p == NULL, want.p == NULL);
	if (want.len > 0)
		assert_memory_equal(got.p, want.p, want.len);
}

static void
reads_the_same(struct slice body)
{
	char *copy = malloc(body.len);
	struct err why = { .code = ERR_NONE };
	bool ok;

	memcpy(copy, body.p, body.len);
	ok = multipart_read(copy, body.len, false, SLICE_LIT("B"), &in_memory, &why);
	assert_int_equal(reads_mapped(body), ok);
	assert_string_equal(err.detail, why.detail);
	if (ok)
		assert_int_equal(mapped.count, in_memory.count);
	for (unsigned i = 0; ok && i < mapped.count; i++) {
		same(mapped.items[i].name, in_memory.items[i].name);
		same(mapped.items[i].file_name, in_memory.items[i].file_name);
		same(mapped.items[i].content_type, in_memory.items[i].content_type);
		same(mapped.items[i].bytes, in_memory.items[i].bytes);
		assert_false(mapped.items[i].is_base64);
	}
	free(copy);
}

#define PART(name, more) \
	"Content-Disposition: form-data; name=" name "; filename=\"a\\\"b.pdf\"\r\n" more "\r\n"

#define ENCODED_PART PART("file", "Content-Transfer-Encoding: base64\r\n")

static void
add_text(struct buf *b, const char *text)
{
	assert_true(buf_puts(b, text));
}

/* As long as it is to be, and with what looks like a delimiter in it. */
static void
add_filler(struct buf *b, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		buf_putc(b, i % 17 == 0 ? '\r' : i % 17 == 1 ? '\n' : i % 17 < 4 ? '-' : 'x');
}

/* The delimiter at, before and behind the end of a window: in all its places. */
static void
boundaries_lie_anywhere(void **state)
{
	(void)state;
	for (size_t at = WINDOW - 12; at < WINDOW + 12; at++) {
		struct buf b;

		buf_init(&b, 8 << 20);
		add_text(&b, "--B\r\n" PART("file", ""));
		add_filler(&b, at);
		add_text(&b, "\r\n--B\r\n" PART("title", ""));
		add_text(&b, "What it is");
		add_text(&b, "\r\n--B\r\n" PART("file", "Content-Type: application/pdf\r\n"));
		add_filler(&b, 2 * at + 5);
		add_text(&b, "\r\n--B--");
		reads_the_same(buf_view(&b));
		assert_int_equal(mapped.count, 3);
		same(mapped.items[0].file_name, SLICE_LIT("a\"b.pdf"));
		buf_free(&b);
	}
}

static void
a_long_preamble_is_passed_over(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 8 << 20);
	add_filler(&b, 3 * WINDOW);
	add_text(&b, "\r\n--B\r\n" PART("file", "") "x\r\n--B--");
	reads_the_same(buf_view(&b));
	assert_int_equal(mapped.count, 1);
	buf_free(&b);
}

static void
what_is_broken_is_refused_alike(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 8 << 20);
	add_text(&b, "--B\r\n" PART("file", ""));
	add_filler(&b, 2 * WINDOW);
	reads_the_same(buf_view(&b));
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	buf_reset(&b);
	add_filler(&b, 2 * WINDOW);
	reads_the_same(buf_view(&b));
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	buf_free(&b);
}

/* Lengths around the blocks in which it is decoded, in lines and in one. */
static void
base64_is_decoded_into_another_file(void **state)
{
	static const char alphabet[] = "ABCDwxyz0189+/";

	(void)state;
	for (size_t groups = 2040; groups < 2060; groups++) {
		struct buf b;

		buf_init(&b, 8 << 20);
		for (int i = 0; i < 3; i++) {
			add_text(&b, "--B\r\n" ENCODED_PART);
			for (size_t k = 0; k < 4 * (groups + (size_t)i); k++) {
				buf_putc(&b, alphabet[(k * 5 + groups) % (sizeof(alphabet) - 1)]);
				if (i == 1 && k % 76 == 75)
					add_text(&b, "\r\n");
			}
			add_text(&b, i == 0 ? "aGU=\r\n" : "\r\n");
		}
		add_text(&b, "--B\r\n" PART("title", "") "plain\r\n--B--");
		reads_the_same(buf_view(&b));
		assert_int_equal(mapped.count, 4);
		assert_int_equal(mapped.items[0].bytes.len, groups * 3 + 2);
		buf_free(&b);
	}
}

static void
what_is_no_base64_is_refused_alike(void **state)
{
	struct buf b;

	(void)state;
	for (int i = 0; i < 3; i++) {
		buf_init(&b, 8 << 20);
		add_text(&b, "--B\r\n" ENCODED_PART);
		for (int k = 0; k < 8192; k++)
			buf_putc(&b, k == 8191 && i == 0 ? '=' : k == 100 && i == 1 ? '!' : 'A');
		add_text(&b, i == 2 ? "AAA\r\n--B--" : "AAAA\r\n--B--");
		reads_the_same(buf_view(&b));
		assert_int_equal(err.code, ERR_BAD_REQUEST);
		buf_free(&b);
	}
}

/* Pages of the process that are in memory. */
static long
resident_pages(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long all = 0, pages = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &all, &pages), 2);
	fclose(f);
	return pages;
}

/* So many MiB of one character between these, read as they are to be. */
static void
reads_in_little_memory(struct slice begin, char c, struct slice end, enum err_code code)
{
	static char fill[(size_t)1 << 20];
	struct ingest_source source = { .decoded = &decoded, .add = add_to_file, .arg = &decoded };
	struct slice all;
	long before;

	spool_close(&form);
	spool_close(&decoded);
	err_clear(&err);
	memset(fill, c, sizeof(fill));
	assert_true(spool_add(&form, folder, begin, &err));
	for (int i = 0; i < 32; i++)
		assert_true(spool_add(&form, folder, slice_of(fill, sizeof(fill)), &err));
	assert_true(spool_add(&form, folder, end, &err));
	assert_true(spool_map(&form, &all, &err));
	before = resident_pages();
	if (multipart_read(form.map, all.len, true, SLICE_LIT("B"), &mapped, &err))
		(void)ingest_form_decode(&mapped, &source, &err);
	assert_int_equal(err.code, code);
	assert_true((resident_pages() - before) * sysconf(_SC_PAGESIZE) < (long)4 << 20);
}

static void
nothing_takes_memory_by_its_length(void **state)
{
	const struct slice end = SLICE_LIT("\r\n--B--");

	(void)state;
	reads_in_little_memory(SLICE_LIT("--B\r\n"), 'x', SLICE_LIT(""), ERR_BAD_REQUEST);
	reads_in_little_memory(SLICE_LIT("--B"), ' ', SLICE_LIT(""), ERR_BAD_REQUEST);
	reads_in_little_memory(SLICE_LIT("--B\r\n" PART("file", "")), 'x', end, ERR_NONE);
	reads_in_little_memory(SLICE_LIT("--B\r\n" ENCODED_PART), 'A', end, ERR_NONE);
	reads_in_little_memory(SLICE_LIT("--B\r\n" ENCODED_PART), ' ', end, ERR_NONE);
	reads_in_little_memory(SLICE_LIT(""), 'x', SLICE_LIT(""), ERR_BAD_REQUEST);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_takes_memory_by_its_length),
		TEST(boundaries_lie_anywhere),
		TEST(a_long_preamble_is_passed_over),
		TEST(what_is_broken_is_refused_alike),
		TEST(base64_is_decoded_into_another_file),
		TEST(what_is_no_base64_is_refused_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
