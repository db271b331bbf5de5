/* SPDX-License-Identifier: MIT */
/*
 * test_json_long: what is shortened and read piece by piece is what jansson reads at once, wherever
 * a piece ends; and what is broken is told by its byte.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json_fixture.h"
#include "tenantgate/base/json_long.h"
#include "tenantgate/base/spool.h"

static const struct json_long_conf small = { .string_max = 96,
	.string_kept = 32,
	.rest_max = 2048,
	.piece = 16 };

/* Every kind that a string has: characters of one byte to four, each escape, a pair of surrogates,
 * a NUL. */
#define KINDS                                                                                      \
	"plain \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 \\\" \\\\ \\/ \\b\\f\\n\\r\\t \\u00e9\\u20AC"  \
	"\\ud83d\\uDE00\\u0000 end. "

struct mapped {
	struct spool file;
	struct slice text;
	struct json_long strings;
};

static int
make_mapped(void **state)
{
	struct mapped *m = calloc(1, sizeof(*m));

	spool_init(&m->file);
	*state = m;
	return 0;
}

static int
free_mapped(void **state)
{
	struct mapped *m = *state;

	json_long_free(&m->strings);
	spool_close(&m->file);
	free(m);
	return 0;
}

static void
map_text(struct mapped *m, struct slice text)
{
	struct err err = { 0 };
	int folder = spool_folder_open("/tmp", &err);

	json_long_free(&m->strings);
	spool_close(&m->file);
	assert_true(folder >= 0);
	assert_true(spool_add(&m->file, folder, text, &err));
	assert_true(spool_map(&m->file, &m->text, &err));
	close(folder);
}

static json_t *
read_long(struct mapped *m, const struct json_long_conf *conf, struct err *err)
{
	if (!json_long_begin(&m->strings, conf, m->text, err))
		return NULL;
	return json_long_object(&m->strings, 1000, err);
}

static bool
add_piece(void *arg, struct slice bytes, struct err *err)
{
	(void)err;
	return buf_slice(arg, bytes);
}

static void
expect_whole(struct mapped *m, const json_t *got, const json_t *want)
{
	struct slice value = slice_of(json_string_value(got), json_string_length(got));
	unsigned which = json_long_which(&m->strings, value);
	struct err err = { 0 };
	struct buf whole;

	buf_init(&whole, SIZE_MAX / 2);
	assert_true(which < m->strings.count);
	assert_true(json_long_read(&m->strings, which, add_piece, &whole, &err));
	assert_int_equal(whole.len, json_string_length(want));
	assert_memory_equal(whole.data, json_string_value(want), whole.len);
	buf_free(&whole);
}

/* {"title":"T","text":"<lead><kinds, so many times>","ifNew":true} */
static void
make_text(struct buf *b, unsigned lead, unsigned times)
{
	buf_init(b, SIZE_MAX / 2);
	buf_puts(b, "{\"title\":\"T\",\"text\":\"");
	for (unsigned i = 0; i < lead; i++)
		buf_putc(b, 'x');
	for (unsigned i = 0; i < times; i++)
		buf_puts(b, KINDS);
	buf_puts(b, "\", \"ifNew\" : true}");
}

static void
expect_same_text(struct mapped *m, const struct json_long_conf *conf, struct slice text)
{
	struct err err = { 0 };
	json_t *want = json_read_object_with_nul(text, &err), *got;

	map_text(m, text);
	got = read_long(m, conf, &err);
	assert_non_null(want);
	assert_non_null(got);
	assert_string_equal(json_string_value(json_object_get(got, "title")), "T");
	assert_true(json_is_true(json_object_get(got, "ifNew")));
	expect_whole(m, json_object_get(got, "text"), json_object_get(want, "text"));
	json_decref(want);
	json_decref(got);
}

static void
a_string_is_whole_wherever_its_pieces_end(void **state)
{
	for (unsigned lead = 0; lead < 100; lead++) {
		struct json_long_conf conf = small;
		struct buf b;

		conf.piece = 16 + lead % 37;
		conf.string_kept = lead % 60;
		make_text(&b, lead, 3);
		expect_same_text(*state, &conf, buf_view(&b));
		buf_free(&b);
	}
}

static void
a_large_one_is_too(void **state)
{
	const struct json_long_conf large = { .string_max = 128 << 10,
		.string_kept = 100 << 10,
		.rest_max = 512 << 10,
		.piece = 64 << 10 };
	struct buf b;

	make_text(&b, 5, 100000);
	expect_same_text(*state, &large, buf_view(&b));
	buf_free(&b);
}

static void
what_is_short_and_names_stay(void **state)
{
	struct mapped *m = *state;
	struct err err = { 0 };
	struct buf b;
	json_t *got;

	buf_init(&b, 4096);
	buf_printf(&b, "{\"%0120d\" : \"%096d\",\"long\":[\"%097d\"]}", 1, 2, 3);
	map_text(m, buf_view(&b));
	got = read_long(m, &small, &err);
	assert_non_null(got);
	assert_int_equal(m->strings.count, 1);
	assert_int_equal(m->strings.strings[0].len, 97);
	json_decref(got);
	buf_free(&b);
}

static void
expect_broken(struct mapped *m, const char *text, const char *why)
{
	struct err err = { 0 };
	json_t *got;

	map_text(m, slice_str(text));
	got = read_long(m, &small, &err);
	if (got != NULL)
		assert_false(json_long_read(&m->strings, JSON_LONG_NONE, NULL, NULL, &err));
	json_decref(got);
	assert_int_equal(err.code, ERR_INVALID_JSON);
	if (strstr(err.detail, why) == NULL)
		fail_msg("%s: \"%s\" and not \"%s\"", text, err.detail, why);
}

/* Bytes are counted from 1, and the inside of the long string begins at the seventh. */
#define LONG_120                                                                                   \
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567" \
	"89012345678901234567890123456789"

static void
what_is_broken_is_told_by_its_byte(void **state)
{
	expect_broken(*state, "{\"a\":\"" LONG_120 "\",}", "byte 129: the syntax");
	expect_broken(*state, "{\"a\":\"" LONG_120 "\\x\"}", "byte 128: the syntax");
	expect_broken(*state, "{\"a\":\"" LONG_120 "\n\"}", "byte 126: the syntax");
	expect_broken(*state, "{\"a\":\"" LONG_120 "\xff\"}", "byte 126: it is not UTF-8");
	expect_broken(*state, "{\"a\":\"" LONG_120 "\\ud800\"}", "the syntax");
	expect_broken(*state, "{\"a\":\"" LONG_120 "\\u00\"}", "the syntax");
	expect_broken(*state, "{\"a\":\"" LONG_120, "it ends too early");
	expect_broken(*state, "{\"a\":\"" LONG_120 "\\", "it ends too early");
	expect_broken(*state, "[\"" LONG_120 "\"]", "must be an object");
	expect_broken(*state, "{\"a\":\"" LONG_120 "\",\"a\":1}", "a field twice");
}

static void
the_rest_has_a_ceiling(void **state)
{
	struct mapped *m = *state;
	struct buf b;

	for (int is_string = 0; is_string < 2; is_string++) {
		struct err err = { 0 };

		buf_init(&b, 1 << 20);
		buf_puts(&b, "{\"a\":[");
		for (int i = 0; i < 700; i++)
			buf_puts(&b, is_string ? "\"b\"," : "123,");
		map_text(m, buf_view(&b));
		assert_null(read_long(m, &small, &err));
		assert_int_equal(err.code, ERR_TOO_LARGE);
		assert_non_null(strstr(err.detail, "2048 bytes"));
		buf_free(&b);
	}
}

/* Those that are not shortened any more are long all the same. */
static void
more_long_strings_stay_long(void **state)
{
	struct json_long_conf conf = small;
	struct mapped *m = *state;
	struct err err = { 0 };
	struct buf b;
	json_t *got, *last;

	conf.rest_max = 4096;
	buf_init(&b, 4096);
	buf_puts(&b, "{\"a\":[");
	for (int i = 0; i < JSON_LONG_STRINGS; i++)
		buf_puts(&b, "\"" LONG_120 "\",");
	buf_puts(&b, "\"" LONG_120 "\"]}");
	map_text(m, buf_view(&b));
	got = read_long(m, &conf, &err);
	assert_int_equal(m->strings.count, JSON_LONG_STRINGS);
	last = json_array_get(json_object_get(got, "a"), JSON_LONG_STRINGS);
	assert_string_equal(json_string_value(last), LONG_120);
	json_decref(got);
	buf_free(&b);
}

static void
a_sink_ends_it(void **state)
{
	struct mapped *m = *state;
	struct err err = { 0 };
	struct buf full, b;
	json_t *got;

	make_text(&b, 0, 3);
	map_text(m, buf_view(&b));
	got = read_long(m, &small, &err);
	buf_init(&full, 20);
	assert_false(json_long_read(&m->strings, 0, add_piece, &full, &err));
	assert_true(full.len > 0);
	json_decref(got);
	buf_free(&full);
	buf_free(&b);
}

#define MAPPED_TEST(test) cmocka_unit_test_setup_teardown(test, make_mapped, free_mapped)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		MAPPED_TEST(a_string_is_whole_wherever_its_pieces_end),
		MAPPED_TEST(a_large_one_is_too),
		MAPPED_TEST(what_is_short_and_names_stay),
		MAPPED_TEST(what_is_broken_is_told_by_its_byte),
		MAPPED_TEST(the_rest_has_a_ceiling),
		MAPPED_TEST(more_long_strings_stay_long),
		MAPPED_TEST(a_sink_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
