/* SPDX-License-Identifier: MIT */
/*
 * Texts cut at every place, and put together again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/text_seam.h"

static struct text_seam seam;
static struct buf out;

static int
set_up(void **state)
{
	(void)state;
	memset(&seam, 0, sizeof(seam));
	buf_init(&out, 4096);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	buf_free(&out);
	return 0;
}

/* From a block of its own, so that the sanitizer sees a byte read past it. */
static void
add(const char *text, size_t len)
{
	char *copy = malloc(len + 1);

	memcpy(copy, text, len);
	text_seam_add(&seam, &out, slice_of(copy, len));
	free(copy);
}

static void
expect_text(const char *whole)
{
	text_seam_end(&seam, &out);
	text_seam_end(&seam, &out);
	buf_puts(&out, "");
	assert_string_equal(out.data, whole);
	assert_false(out.failed);
	buf_reset(&out);
}

static void
text_is_the_same_at_every_two_cuts(void **state)
{
	static const char text[] = "a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80z\xef\xbf\xbd~";
	size_t n = sizeof(text) - 1, i, j;

	(void)state;
	for (i = 0; i <= n; i++)
		for (j = i; j <= n; j++) {
			add(text, i);
			add(text + i, j - i);
			add(text + j, n - j);
			expect_text(text);
		}
}

/* What begins as a character and goes on as another. */
static void
broken_bytes_are_replaced_at_every_cut(void **state)
{
	static const char text[] = "a\xff\xc3(\xe4\xb8z\xed\xa0\x80\xf0\x9f\x98";
	static const char whole[] =
	    "a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd"
	    "\xef\xbf\xbd\xef\xbf\xbd";
	size_t n = sizeof(text) - 1, i;

	(void)state;
	for (i = 0; i <= n; i++) {
		add(text, i);
		add(text + i, n - i);
		expect_text(whole);
	}
}

struct seam_case {
	const char *pieces[4]; /* NULL-ended */
	const char *whole;
};

static const struct seam_case seam_cases[] = {
	{ { "\\ud83d", "\\ude00" }, "\xf0\x9f\x98\x80" },
	{ { "Hi \\uD83D", "\\uDE00!" }, "Hi \xf0\x9f\x98\x80!" },
	{ { "\\ud83d", "", "\\ude00" }, "\xf0\x9f\x98\x80" },
	{ { "\\ud83d\\ude00\\ud83d", "\\ude00" }, "\xf0\x9f\x98\x80\xf0\x9f\x98\x80" },
	{ { "\\ud83d", "x" }, "\xef\xbf\xbdx" },
	{ { "\\ud83d" }, "\xef\xbf\xbd" },
	{ { "\\ud83d", "\\ud83d", "\\ude00" }, "\xef\xbf\xbd\xf0\x9f\x98\x80" },
	{ { "\\ude00", "\\ud83d", "\\n" }, "\xef\xbf\xbd\xef\xbf\xbd\n" },
	{ { "\\\\ud83d", "\\ude00" }, "\\ud83d\xef\xbf\xbd" }, /* a backslash, and letters */
	{ { "\\\\\\ud83d", "\\ude00" }, "\\\xf0\x9f\x98\x80" },
	{ { "ud83d", "\\ude00" }, "ud83d\xef\xbf\xbd" },
	{ { "\\u00e9\\ud83d", "\xc3\xa9" }, "\xc3\xa9\xef\xbf\xbd\xc3\xa9" },
	{ { "\xc3", "\\u00e9" }, "\xef\xbf\xbd\xc3\xa9" },
	{ { "\\u0000" }, "\xef\xbf\xbd" },
};

static void
halves_of_a_pair_are_joined(void **state)
{
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(seam_cases) / sizeof(seam_cases[0]); i++) {
		for (j = 0; seam_cases[i].pieces[j] != NULL; j++)
			add(seam_cases[i].pieces[j], strlen(seam_cases[i].pieces[j]));
		expect_text(seam_cases[i].whole);
	}
}

static void
the_ceiling_is_kept(void **state)
{
	size_t i;

	(void)state;
	out.max = 10;
	for (i = 0; i < 20; i++)
		add("\xff\xc3", 2);
	assert_true(out.failed);
	assert_true(out.len <= 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(text_is_the_same_at_every_two_cuts, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(broken_bytes_are_replaced_at_every_cut, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(halves_of_a_pair_are_joined, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_ceiling_is_kept, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("text_seam", tests, NULL, NULL);
}
