/* SPDX-License-Identifier: MIT */
/*
 * test_http_path: which paths a pattern takes, what it captures of them, and how that is decoded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tenantgate/http.h"

static struct http_path_params params;

static bool
matches(const char *pattern, struct slice path)
{
	memset(&params, 0xa5, sizeof(params));
	return http_path_match(pattern, path, &params);
}

static void
captured(unsigned i, const char *name, const char *raw)
{
	assert_true(i < params.count);
	assert_true(slice_is(params.items[i].name, name));
	assert_true(slice_is(params.items[i].raw, raw));
}

static void
a_literal_pattern_takes_its_path_alone(void **state)
{
	static const struct slice others[] = { SLICE_LIT("/"), SLICE_LIT("/chat/"),
		SLICE_LIT("/CHAT"), SLICE_LIT("/chat\0"), SLICE_LIT("//chat"), SLICE_LIT("*"),
		SLICE_LIT("/cha"), SLICE_LIT("/%63hat"), SLICE_LIT("/chats"), SLICE_LIT(""),
		{ NULL, 0 } };

	(void)state;
	assert_true(matches("/chat", SLICE_LIT("/chat")));
	assert_int_equal(params.count, 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(matches("/chat", others[i]));
}

static void
names_capture_segments(void **state)
{
	(void)state;
	assert_true(matches("/documents/{id}", SLICE_LIT("/documents/doc_1")));
	assert_int_equal(params.count, 1);
	captured(0, "id", "doc_1");
	assert_true(matches("/t/{tenant}/documents/{id}/text", SLICE_LIT("/t/a/documents/b/text")));
	assert_int_equal(params.count, 2);
	captured(0, "tenant", "a");
	captured(1, "id", "b");
	assert_true(matches("/{a}/{b}/{c}/{d}", SLICE_LIT("/1/{b}/../4")));
	captured(1, "b", "{b}");
	captured(3, "d", "4");
}

static void
a_name_captures_one_whole_segment(void **state)
{
	static const char *const others[] = { "/documents/", "/documents", "/documents//",
		"/documents/a/", "/documents/a/b", "/Documents/a", "/documents//a" };

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(matches("/documents/{id}", slice_str(others[i])));
	assert_false(matches("/documents/{id}/text", SLICE_LIT("/documents//text")));
	assert_false(matches("/documents/{id}/text", SLICE_LIT("/documents/a/texts")));
	assert_false(matches("/documents/{id}/text", SLICE_LIT("/documents/a")));
}

/* The value of {id} in "/d/{id}", decoded; NULL when it is malformed. */
static const char *
decoded(struct arena *arena, struct slice path)
{
	struct slice value;

	assert_true(matches("/d/{id}", path));
	value = http_path_param(&params, "id", arena);
	return value.p == NULL ? NULL : arena_slice(arena, value);
}

static void
what_is_captured_is_decoded(void **state)
{
	struct arena *arena = arena_new(1u << 16);

	(void)state;
	assert_string_equal(decoded(arena, SLICE_LIT("/d/a+b")), "a+b");
	assert_string_equal(decoded(arena, SLICE_LIT("/d/%C3%a9%20x")), "\xc3\xa9 x");
	assert_string_equal(decoded(arena, SLICE_LIT("/d/a%2Fb%2f..%2F")), "a/b/../");
	assert_string_equal(decoded(arena, SLICE_LIT("/d/%252F")), "%2F");
	assert_null(decoded(arena, SLICE_LIT("/d/a%00")));
	assert_null(decoded(arena, SLICE_LIT("/d/a%")));
	assert_null(decoded(arena, SLICE_LIT("/d/a%2")));
	assert_null(decoded(arena, SLICE_LIT("/d/%zz")));
	assert_true(matches("/d/{id}", SLICE_LIT("/d/a")));
	assert_null(http_path_param(&params, "i", arena).p);
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_literal_pattern_takes_its_path_alone),
		cmocka_unit_test(names_capture_segments),
		cmocka_unit_test(a_name_captures_one_whole_segment),
		cmocka_unit_test(what_is_captured_is_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
