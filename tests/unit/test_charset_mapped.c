/* SPDX-License-Identifier: MIT */
/*
 * test_charset_mapped: of a text in a mapping, which is gone through in windows, becomes what
 * becomes of it in memory, wherever the windows end: between the halves of a character, in an
 * escape sequence, in what is broken.
 */
#include <iconv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tenantgate/retrieval.h"

#define TEXT_SIZE ((size_t)300 << 10) /* bytes; more than a window */
#define PLACES	  5		      /* where a text begins in its page */

static struct arena *arena;
static const struct extract_conf conf = { .text_max = (size_t)4 << 20 };
static int folder;

struct sample {
	const char *declared; /* NULL: nothing is */
	const char *iconv;
	const char *letters;
};

#define KANJI "\xe6\xb8\xaf\xe3\x81\xae\xe6\xb9\xaf"
#define HAN   "\xe6\xb8\xaf\xe5\x8f\xa3"
#define HORN  "\xf0\x9f\x93\xaf" /* past U+FFFF: two units of UTF-16, four bytes of GB18030 */
#define KOREA "\xed\x95\xad\xea\xb5\xac"

static const struct sample samples[] = {
	{ "utf-8", "UTF-8", "caf\xc3\xa9 \xe2\x82\xac" HORN },
	{ NULL, "UTF-8", "\xef\xbb\xbf" HORN "\xc2\xad\xef\xac\x81" },
	{ NULL, "UTF-16LE", "\xef\xbb\xbf" HORN "a" },
	{ NULL, "UTF-16BE", "the kettle whistles " },
	{ "utf-16be", "UTF-16BE", HORN "\xe2\x82\xac" },
	{ "utf-32le", "UTF-32LE", HORN "ab" },
	{ "iso-8859-1", "CP1252", "caf\xc3\xa9 \xe2\x82\xac" },
	{ NULL, "CP1252", "le caf\xc3\xa9 est \xc3\xa0 c\xc3\xb4t\xc3\xa9 du port " },
	{ NULL, "ISO-8859-2",
	    "p\xc5\x99\xc3\xadli\xc5\xa1 \xc5\xbelu\xc5\xa5ou\xc4\x8dk\xc3\xbd " },
	{ NULL, "CP1250", "p\xc5\x99\xc3\xadli\xc5\xa1 \xc5\xbelu\xc5\xa5ou\xc4\x8dk\xc3\xbd " },
	{ "windows-1258", "CP1258", "ti\xc3\xaa\xcc\x81ng e\xcc\x80" },
	{ "windows-1255", "CP1255", "\xd7\xa9\xd6\xb8\xd7\x81" },
	{ "viscii", "VISCII", "ti\xe1\xba\xbfng" },
	{ "windows-874", "CP874", "\xe0\xb8\x97\xe0\xb9\x88\xe0\xb8\xb2" },
	{ "shift_jis", "CP932", KANJI "\xef\xbd\xb6" },
	{ "euc-jp", "EUC-JP-MS", KANJI "\xe4\xb8\x82" },
	{ NULL, "ISO-2022-JP", KANJI "a" },
	{ "iso-2022-jp", "ISO-2022-JP", "a" KANJI },
	{ "gb18030", "GB18030", HAN HORN "\xe1\xa0\xa0" },
	{ NULL, "GB18030", HAN "\xe7\x9a\x84\xe6\xb0\xb4\xe5\xa3\xb6\xe5\x9c\xa8\xe5\x93\x8d" },
	{ "big5", "BIG5-HKSCS", HAN "\xc3\x8a\xcc\x84" },
	{ "euc-tw", "EUC-TW", HAN "\xe4\xb8\x82" },
	{ "euc-kr", "CP949", KOREA },
	{ "johab", "JOHAB", KOREA },
	{ "iso-2022-kr", "ISO-2022-KR", "a" KOREA },
};

static int
set_up(void **state)
{
	struct err err = { .code = ERR_NONE };

	(void)state;
	arena = arena_new(1u << 20);
	folder = spool_folder_open("/tmp", &err);
	assert_true(folder > 0);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	close(folder);
	return 0;
}

/* The letters again and again, and their number between them now and then. */
static void
sample_make(const struct sample *s, struct buf *out)
{
	struct buf text;
	char *in, *to;
	size_t left, room = 5 * TEXT_SIZE;
	iconv_t cd = iconv_open(s->iconv, "UTF-8");

	assert_true(cd != (iconv_t)-1);
	buf_init(&text, 2 * TEXT_SIZE);
	for (unsigned i = 0; text.len < TEXT_SIZE; i++) {
		buf_puts(&text, s->letters);
		if (i % 7 == 0)
			buf_printf(&text, "%u\n", i);
	}
	buf_init(out, room);
	to = buf_extend(out, room);
	in = text.data;
	left = text.len;
	if (iconv(cd, &in, &left, &to, &room) == (size_t)-1 ||
	    iconv(cd, NULL, NULL, &to, &room) == (size_t)-1)
		fail_msg("%s lacks a letter at %zu", s->iconv, text.len - left);
	buf_cut(out, (size_t)(to - out->data));
	iconv_close(cd);
	buf_free(&text);
}

struct text_reading {
	bool is_read;
	struct err err;
	struct extract_out out; /* owned */
};

static void
read_as(const char *declared, struct slice body, bool is_mapped, struct text_reading *r)
{
	const struct extract_in in = { .mime = "text/plain",
		.body = body,
		.charset = slice_str(declared),
		.is_mapped = is_mapped };

	*r = (struct text_reading){ .err.code = ERR_NONE };
	buf_init(&r->out.text, conf.text_max);
	r->is_read = extract_read(&conf, &in, arena, &r->out, &r->err);
}

static void
is_equal(const struct sample *s, const struct text_reading *want, struct slice text,
    struct slice body)
{
	struct text_reading got;

	read_as(s->declared, body, true, &got);
	if (got.is_read != want->is_read || got.err.code != want->err.code ||
	    got.out.warnings != want->out.warnings)
		fail_msg("%s: %d, not %d", s->iconv, got.err.code, want->err.code);
	if (want->is_read) {
		struct slice page = got.out.pages[0].text;

		assert_int_equal(page.len, text.len);
		if (memcmp(page.p, text.p, text.len) != 0)
			fail_msg("%s is another text", s->iconv);
	}
	extract_free(&got.out);
}

/* The bytes in a file, behind so many others. */
static struct slice
mapped_behind(struct spool *spool, size_t place, struct slice bytes)
{
	struct err err = { .code = ERR_NONE };
	struct slice all;

	spool_init(spool);
	assert_true(spool_add(spool, folder, slice_of("........", place), &err));
	assert_true(spool_add(spool, folder, bytes, &err));
	assert_true(spool_map(spool, &all, &err));
	return slice_of(all.p + place, bytes.len);
}

static bool
is_same_at_all_places(const struct sample *s, struct slice bytes)
{
	struct text_reading want;
	struct buf text;
	bool is_read;

	read_as(s->declared, bytes, false, &want);
	buf_init(&text, conf.text_max);
	if (want.is_read)
		buf_slice(&text, want.out.pages[0].text);
	for (size_t place = 0; place < PLACES; place++) {
		struct spool spool;

		is_equal(s, &want, buf_view(&text), mapped_behind(&spool, place, bytes));
		spool_close(&spool);
	}
	is_read = want.is_read;
	extract_free(&want.out);
	buf_free(&text);
	return is_read;
}

static void
a_mapping_is_read_as_memory_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct buf bytes;

		sample_make(&samples[i], &bytes);
		if (!is_same_at_all_places(&samples[i], buf_view(&bytes)))
			fail_msg("%s is not read", samples[i].iconv);
		buf_free(&bytes);
	}
}

/* A byte of many is another; and the last character lacks one. */
static void
what_is_broken_is_as_in_memory(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct buf bytes;

		sample_make(&samples[i], &bytes);
		for (size_t at = 0; at < bytes.len; at += 89)
			bytes.data[at] = (char)(at % 3 == 0 ? 0xff : at % 3 == 1 ? 0x80 : 0xf0);
		buf_cut(&bytes, bytes.len - 1);
		(void)is_same_at_all_places(&samples[i], buf_view(&bytes));
		buf_free(&bytes);
	}
}

/* In the first window too much is no character; in all of the text it is not. */
static void
one_that_fits_only_as_a_whole_is_read(void **state)
{
	static const struct sample late = { "iso-8859-1", "CP1252",
		"the harbour and the caf\xc3\xa9 " };
	struct buf bytes;

	(void)state;
	sample_make(&late, &bytes);
	memset(bytes.data, 0x81, 37000);
	assert_true(is_same_at_all_places(&late, buf_view(&bytes)));
	memset(bytes.data, 0x81, 100000);
	(void)is_same_at_all_places(&late, buf_view(&bytes));
	buf_free(&bytes);
}

/* The output's limit counts for both; what lies behind it is not decoded. */
static void
a_mapped_text_past_its_limit_is_refused(void **state)
{
	const struct extract_conf tight = { .text_max = TEXT_SIZE / 3 };
	struct buf bytes;
	struct slice body;
	struct spool spool;

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct extract_in in = { .mime = "text/plain",
			.charset = slice_str(samples[i].declared),
			.is_mapped = true };
		struct extract_out out = { 0 };
		struct err err = { .code = ERR_NONE };

		sample_make(&samples[i], &bytes);
		body = mapped_behind(&spool, 1, buf_view(&bytes));
		in.body = body;
		buf_init(&out.text, tight.text_max);
		assert_false(extract_read(&tight, &in, arena, &out, &err));
		assert_int_equal(err.code, ERR_DOC_LIMIT);
		assert_true(out.text.cap <= tight.text_max);
		assert_true(extract_text_bytes(&tight, &in) <= tight.text_max);
		extract_free(&out);
		buf_free(&bytes);
		spool_close(&spool);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_mapping_is_read_as_memory_is),
		TEST(what_is_broken_is_as_in_memory),
		TEST(one_that_fits_only_as_a_whole_is_read),
		TEST(a_mapped_text_past_its_limit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
