/* SPDX-License-Identifier: MIT */
/*
 * json_scan against jansson: each accepts what the other does, also with any byte changed or cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "model/json_scan.h"

static const char *const texts[] = {
	"{}",
	"[]",
	"[1,2]",
	"[1,]",
	"[,1]",
	"{\"a\":1,}",
	"{\"a\" 1}",
	"{,}",
	"{\"a\":}",
	"{\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" h\\u00e9\\n\"},"
	"\"finish_reason\":null}],\"usage\":null,\"x\":-1.5e+3}",
	"[true,false,null,tru,nul]",
	"[true, false,null ]",
	"\"\\u12\"",
	"\"\\x\"",
	"\"a\nb\"",
	"[0,-0,0.5,1e5,1E-5,-1.25e+10]",
	"[01]",
	"[1.]",
	"[.5]",
	"[+1]",
	"[-]",
	"[1e]",
	"[1 2]",
	" [ { \"a\" : [ ] , \"b\" : { } } ] \r\n\t",
	"[[[[[[[[1]]]]]]]]",
	"[1]]",
	"[[1]",
	"1",
	"",
	"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
	"{\"a\":\"b\"}x",
	"{1:2}",
	"[\"a\" \"b\"]",
	"[}",
	"{]",
};

static bool
scan_takes(const char *text, size_t len)
{
	char *copy = malloc(len + 1);
	struct json_scan s;
	bool good;

	memcpy(copy, text, len);
	json_scan_begin(&s, slice_of(copy, len));
	json_scan_skip(&s);
	good = json_scan_whole(&s);
	free(copy);
	return good;
}

static bool
jansson_takes(const char *text, size_t len)
{
	json_t *value = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	bool good = value != NULL;

	json_decref(value);
	return good;
}

static void
compare(const char *text, size_t len)
{
	if (scan_takes(text, len) != jansson_takes(text, len))
		fail_msg("jansson takes it: %d, scan: %d, %zu bytes: %.*s",
		    jansson_takes(text, len), scan_takes(text, len), len, (int)len, text);
}

/* No NUL: jansson 2.14 takes one after a number. */
static const char changes[] = "\"\\{}[]:,x0-.tn \n\x01";

static void
agrees_with_jansson(void **state)
{
	char text[512];
	size_t i, at, c;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		size_t len = strlen(texts[i]);

		for (at = 0; at <= len; at++)
			compare(texts[i], at);
		for (at = 0; at < len; at++)
			for (c = 0; c + 1 < sizeof(changes); c++) {
				memcpy(text, texts[i], len);
				text[at] = changes[c];
				compare(text, len);
			}
	}
}

static void
deep_nesting_is_refused(void **state)
{
	char text[2 * JSON_SCAN_DEPTH_MAX + 2];

	(void)state;
	memset(text, '[', JSON_SCAN_DEPTH_MAX + 1);
	memset(text + JSON_SCAN_DEPTH_MAX + 1, ']', JSON_SCAN_DEPTH_MAX + 1);
	assert_false(scan_takes(text, sizeof(text)));
	assert_true(scan_takes(text + 1, sizeof(text) - 2));
}

static void
unescape(const char *raw, const char *text)
{
	struct buf out;

	buf_init(&out, 100);
	assert_true(json_scan_unescape(slice_str(raw), &out));
	assert_string_equal(out.data, text);
	buf_free(&out);
}

static void
escapes_become_text(void **state)
{
	(void)state;
	unescape("plain", "plain");
	unescape("\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t");
	unescape("a\\u00e9b\\u20ACc",
	    "a\xc3\xa9"
	    "b\xe2\x82\xac"
	    "c");
	unescape("\\ud83d\\ude00!", "\xf0\x9f\x98\x80!");
	unescape("\\ud83d!", "\xef\xbf\xbd!");
	unescape("\\ud83d\\n", "\xef\xbf\xbd\n");
	unescape("\\ude00\\ud83d\\u0041",
	    "\xef\xbf\xbd\xef\xbf\xbd"
	    "A");
	unescape("\\u0000", "\xef\xbf\xbd");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_jansson),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(escapes_become_text),
	};

	return cmocka_run_group_tests_name("json_scan", tests, NULL, NULL);
}
