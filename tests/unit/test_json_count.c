/* SPDX-License-Identifier: MIT */
/*
 * test_json_count: the number of nodes is that of jansson's tree, and the counting stops at its
 * ceiling and at the text's end.
 */
#include <stdlib.h>
#include <string.h>

#include "json_fixture.h"

/* The text ends where its memory does, so that the sanitizer sees a read past it. */
static void
expect_nodes(const char *text, size_t wanted)
{
	size_t n = strlen(text), counted;
	char *copy = malloc(n + (n == 0));

	assert_non_null(copy);
	memcpy(copy, text, n);
	counted = json_count_nodes(slice_of(copy, n), 1000);
	free(copy);
	if (counted != wanted)
		fail_msg("%s: %zu nodes, not %zu", text, counted, wanted);
}

static void
values_members_and_elements_are_counted(void **state)
{
	(void)state;
	expect_nodes("", 0);
	expect_nodes(" \n\t\r", 0);
	expect_nodes("1", 1);
	expect_nodes("  \"a\"  ", 1);
	expect_nodes("{}", 1);
	expect_nodes("[ \n ]", 1);
	expect_nodes("[1,2 , 3]", 4);
	expect_nodes("{\"a\":1,\"b\":\"x\"}", 3);
	expect_nodes("[[],[ ],{},{ }]", 5);
	expect_nodes("[[[[1]]]]", 5);
	expect_nodes("{\"a\":{\"b\":[true,false,null]},\"c\":-1.5e+3}", 7);
}

static void
what_a_string_holds_is_no_node(void **state)
{
	(void)state;
	expect_nodes("\",,,,[[[[{{{{\"", 1);
	expect_nodes("[\"a\\\",[\",\"\\\\\",\"\\\\\\\",\"]", 4);
	expect_nodes("{\",\\\"{\":\"}\",\"x\":[\"]\",\"\"]}", 5);
}

static void
a_text_that_is_not_json_is_read_to_its_end_only(void **state)
{
	(void)state;
	expect_nodes("[", 1);
	expect_nodes("\"", 1);
	expect_nodes("\"\\", 1);
	expect_nodes("[\"abcdefghijklmnopqrstuvwxyz", 2);
	expect_nodes("]]]]", 0);
	expect_nodes("[,,]", 3);
}

static void
counting_stops_past_the_ceiling(void **state)
{
	struct err err = { 0 };
	struct buf b;
	int i;

	(void)state;
	buf_init(&b, 1 << 20);
	buf_puts(&b, "[0");
	for (i = 0; i < 9999; i++)
		buf_puts(&b, ",0");
	buf_puts(&b, "]");
	assert_int_equal(json_count_nodes(buf_view(&b), 10001), 10001);
	assert_int_equal(json_count_nodes(buf_view(&b), 10000), 10001);
	assert_int_equal(json_count_nodes(buf_view(&b), 5), 6);
	assert_int_equal(json_count_nodes(buf_view(&b), 0), 1);
	assert_true(json_nodes_fit(buf_view(&b), 10001, &err));
	assert_false(err_is(&err));
	assert_false(json_nodes_fit(buf_view(&b), 10000, &err));
	assert_int_equal(err.code, ERR_INVALID_JSON);
	assert_non_null(strstr(err.detail, "more than 10000 values"));
	buf_free(&b);
}

static void
expect_fraction(const char *text, size_t digits)
{
	if (json_fraction_digits(slice_str(text)) != digits)
		fail_msg("%s: %zu digits", text, json_fraction_digits(slice_str(text)));
}

static void
digits_behind_the_point_are_counted(void **state)
{
	(void)state;
	expect_fraction("{\"a\":1}", 0);
	expect_fraction("[1.25,-0.5,3]", 2);
	expect_fraction("{\"1.2345\":\"6.789\",\"\\\"1.23\":1.5}", 1);
	expect_fraction("1.5e-3", 4);
	expect_fraction("1.5E+3", 0);
	expect_fraction("1.5e1", 0);
	expect_fraction("1.25e1", 1);
	expect_fraction("[1e-16383,0]", 16383);
	expect_fraction("1e-99999999999999999999", 999999999);
	expect_fraction("1e99999999999999999999", 0);
	expect_fraction("1.", 0);
	expect_fraction("1e", 0);
	expect_fraction("1e-", 0);
	expect_fraction("\"1.5", 0);
	expect_fraction("", 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_members_and_elements_are_counted),
		cmocka_unit_test(what_a_string_holds_is_no_node),
		cmocka_unit_test(a_text_that_is_not_json_is_read_to_its_end_only),
		cmocka_unit_test(counting_stops_past_the_ceiling),
		cmocka_unit_test(digits_behind_the_point_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
