/* SPDX-License-Identifier: MIT */
/*
 * test_search_filter: metadata filters as JSON: what they become, and each refusal names the place.
 * What the conditions mean to Postgres is in tests/live/search-filter.test.mjs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tenantgate/base/json.h"
#include "tenantgate/retrieval/search_filter.h"

#define ARENA_MAX (1u << 20)

static struct arena *arena;
static struct buf sql;

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new(ARENA_MAX);
	buf_init(&sql, SEARCH_FILTER_SQL_MAX);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	buf_free(&sql);
	arena_free(arena);
	return 0;
}

/* The filter goes on when its JSON is freed. */
static bool
filter_reads(const char *text, const struct search_filter **out, struct err *err)
{
	json_t *value = json_read(slice_str(text), err);
	bool ok;

	if (value == NULL)
		fail_msg("%s: %s", text, err->detail);
	ok = search_filter_read(value, "filter", arena, out, err);
	json_decref(value);
	assert_int_equal(ok, !err_is(err));
	assert_true(ok || *out == NULL);
	return ok;
}

static const struct search_filter *
read_well(const char *text)
{
	const struct search_filter *filter;
	struct err err = { 0 };

	if (!filter_reads(text, &filter, &err))
		fail_msg("%s: %s", text, err.detail);
	return filter;
}

/* The condition; good until the next call. */
static const char *
filter_sql(const char *text)
{
	buf_reset(&sql);
	assert_true(search_filter_condition(read_well(text), 3, &sql));
	return sql.data;
}

static void
has_values(const char *text, const char *values)
{
	assert_string_equal(search_filter_values(read_well(text)), values);
}

static void
mean_the_same(const char *one, const char *other)
{
	char *first = strdup(filter_sql(one));

	assert_string_equal(filter_sql(other), first);
	has_values(other, search_filter_values(read_well(one)));
	free(first);
}

static void
filter_refuses(const char *text, const char *place)
{
	const struct search_filter *filter;
	struct err err = { 0 };

	if (filter_reads(text, &filter, &err))
		fail_msg("%s was read", text);
	assert_int_equal(err_status(err.code), 400);
	if (strstr(err.detail, place) == NULL)
		fail_msg("%s: \"%s\" does not name %s", text, err.detail, place);
	assert_int_equal(err.detail[strlen(err.detail) - 1], '.');
}

static void
nothing_is_no_filter(void **state)
{
	const struct search_filter *filter;
	struct err err = { 0 };

	(void)state;
	assert_null(read_well("{}"));
	assert_null(read_well("null"));
	assert_true(search_filter_read(NULL, "filter", arena, &filter, &err));
	assert_null(filter);
}

static void
one_name_is_compared(void **state)
{
#define STORED \
	"(d.metadata OPERATOR(pg_catalog.->) ($3::pg_catalog.jsonb OPERATOR(pg_catalog.->>) 0))"
#define VALUE	 "($3::pg_catalog.jsonb OPERATOR(pg_catalog.->) 1)"
#define CONTAINS " OPERATOR(pg_catalog.@>) "
#define IS_ARRAY "CASE WHEN pg_catalog.jsonb_typeof" STORED " OPERATOR(pg_catalog.=) 'array' THEN "
	(void)state;
	assert_string_equal(filter_sql("{\"year\": 2020}"),
	    "(coalesce(" STORED CONTAINS VALUE ", false))");
	assert_string_equal(filter_sql("{\"year\": {\"exists\": true}}"),
	    "(" STORED " IS NOT NULL)");
	assert_string_equal(filter_sql("{\"year\": {\"exists\": false}}"),
	    "(NOT (" STORED " IS NOT NULL))");
	assert_string_equal(filter_sql("{\"year\": {\"in\": [2020, 2021]}}"),
	    "(coalesce(" IS_ARRAY "EXISTS (SELECT FROM pg_catalog.jsonb_array_elements" STORED
	    " AS one (value) WHERE " VALUE CONTAINS
	    "one.value AND pg_catalog.jsonb_typeof(one.value)"
	    " OPERATOR(pg_catalog.<>) 'array') ELSE " VALUE CONTAINS STORED " END, false))");
	assert_string_equal(filter_sql("{\"year\": {\"lt\": 2020}}"),
	    "(coalesce(" IS_ARRAY "pg_catalog.jsonb_path_exists(" STORED
	    ", 'strict $[*] ? (@ < $a && @ < $b)'::pg_catalog.jsonpath, " VALUE
	    ", true) ELSE pg_catalog.jsonb_path_exists(" STORED
	    ", 'strict $ ? (@ < $a && @ < $b)'::pg_catalog.jsonpath, " VALUE
	    ", true) END, false))");
	assert_non_null(strstr(filter_sql("{\"y\": {\"lte\": 1}}"), "$ ? (@ <= $a || @ <= $b)"));
	assert_non_null(strstr(filter_sql("{\"y\": {\"gt\": 1}}"), "$ ? (@ > $a && @ > $b)"));
	assert_non_null(strstr(filter_sql("{\"y\": {\"gte\": 1}}"), "$ ? (@ >= $a || @ >= $b)"));
}

static void
names_and_values_are_the_parameter(void **state)
{
	(void)state;
	has_values("{\"author\": \"Ann\"}", "[\"author\",\"Ann\"]");
	has_values("{\"a\": true, \"b\": null, \"\": -7}", "[\"a\",true,\"b\",null,\"\",-7]");
	has_values("{\"a\": {\"in\": [\"x\", 1, false, null]}}", "[\"a\",[\"x\",1,false,null]]");
	has_values("{\"a\": {\"gt\": \"x\"}}", "[\"a\",{\"a\":\"x\",\"b\":\"x\"}]");
	has_values("{\"a\": {\"exists\": true}}", "[\"a\"]");
	has_values("{\"it's\": \"\\\"; drop -- \\\\ \\u2028 \xf0\x9f\x98\x80\"}",
	    "[\"it's\",\"\\\"; drop -- \\\\ \\u2028 \xf0\x9f\x98\x80\"]");
}

static void
the_text_is_the_shapes_alone(void **state)
{
	(void)state;
	mean_the_same("{\"author\": \"Ann\"}", "{\"author\": {\"eq\": \"Ann\"}}");
	assert_null(strstr(filter_sql("{\"au'thor\": {\"in\": [\"An'n\"]}}"), "n'"));
	{
		char *first = strdup(filter_sql("{\"or\": [{\"a\": 1, \"b\": {\"gt\": \"x\"}}]}"));

		assert_string_equal(filter_sql("{\"or\": [{\"c\": null, \"d\": {\"gt\": 5}}]}"),
		    first);
		free(first);
	}
}

static void
conditions_are_joined(void **state)
{
	(void)state;
	mean_the_same("{\"a\": 1, \"b\": 2}", "{\"and\": [{\"a\": 1}, {\"b\": 2}]}");
	mean_the_same("{\"y\": {\"gte\": 1, \"lt\": 2}}",
	    "{\"and\": [{\"y\": {\"gte\": 1}}, {\"y\": {\"lt\": 2}}]}");
	mean_the_same("{\"a\": {\"ne\": 1}}", "{\"not\": {\"a\": 1}}");
	mean_the_same("{\"a\": {\"nin\": [1]}}", "{\"not\": {\"a\": {\"in\": [1]}}}");
	mean_the_same("{\"or\": [{\"a\": 1}]}", "{\"a\": 1}");
	assert_non_null(strstr(filter_sql("{\"or\": [{\"a\": 1}, {\"b\": 1}]}"), ")) OR (coal"));
	assert_non_null(strstr(filter_sql("{\"and\": [{\"a\": 1}, {\"b\": 1}]}"), ")) AND (coal"));
}

static void
openai_says_the_same(void **state)
{
	(void)state;
	mean_the_same("{\"type\": \"eq\", \"key\": \"a\", \"value\": 1}", "{\"a\": 1}");
	mean_the_same("{\"key\": \"a\", \"value\": [1, 2], \"type\": \"nin\"}",
	    "{\"a\": {\"nin\": [1, 2]}}");
	mean_the_same("{\"type\": \"or\", \"filters\": [{\"type\": \"gte\", \"key\": \"a\","
		      " \"value\": 1}, {\"b\": 2}]}",
	    "{\"or\": [{\"a\": {\"gte\": 1}}, {\"b\": 2}]}");
	mean_the_same("{\"not\": {\"type\": \"and\", \"filters\": [{\"a\": 1}]}}",
	    "{\"not\": {\"a\": 1}}");
	/* Names that our own form keeps for itself. */
	has_values("{\"type\": \"eq\", \"key\": \"and\", \"value\": 1}", "[\"and\",1]");
	has_values("{\"type\": \"report\"}", "[\"type\",\"report\"]");
	has_values("{\"key\": 1, \"filters\": 2}", "[\"key\",1,\"filters\",2]");
}

/* A fraction may be stored in either form. */
static void
a_fraction_has_two_forms(void **state)
{
	(void)state;
	has_values("{\"a\": 0.1}", "[\"a\",[0.1,0.10000000000000001]]");
	mean_the_same("{\"a\": 0.1}", "{\"a\": {\"in\": [0.1]}}");
	has_values("{\"a\": {\"in\": [0.1, 0.5]}}", "[\"a\",[0.1,0.10000000000000001,0.5]]");
	has_values("{\"a\": {\"lt\": 0.7}}", "[\"a\",{\"a\":0.7,\"b\":0.69999999999999996}]");
	has_values("{\"a\": 5e-324}", "[\"a\",[5e-324,4.9406564584124654e-324]]");
	has_values("{\"a\": 0.5}", "[\"a\",0.5]");
	has_values("{\"a\": 3.0}", "[\"a\",3]");
	has_values("{\"a\": 1e300}", "[\"a\",[1e+300,1.0000000000000001e+300]]");
	has_values("{\"a\": 0.30000000000000004}", "[\"a\",0.30000000000000004]");
	has_values("{\"a\": 9007199254740993}", "[\"a\",9007199254740993]");
}

static void
what_is_not_understood_is_refused(void **state)
{
	static const char *const cases[][2] = {
		{ "[]", "\"filter\" must be an object" },
		{ "\"author = 'Ann'\"", "\"filter\" must be an object" },
		{ "{\"year\": [2020]}", "\"filter.year\" must be a value; for one of several" },
		{ "{\"year\": {}}", "\"filter.year\" must be a value, or an object with" },
		{ "{\"year\": {\"$gte\": 1}}", "\"filter.year.$gte\" must be one of the oper" },
		{ "{\"$and\": [{\"a\": 1}]}", "\"filter.$and\" must be a value" },
		{ "{\"year\": {\"gte\": true}}", "\"filter.year.gte\" must be a string or a num" },
		{ "{\"year\": {\"lt\": null}}", "\"filter.year.lt\" must be a string or a num" },
		{ "{\"year\": {\"lt\": [1]}}", "\"filter.year.lt\" must be a string or a num" },
		{ "{\"year\": {\"eq\": [1]}}", "\"filter.year.eq\" must be a string, a number, t" },
		{ "{\"year\": {\"ne\": {}}}", "\"filter.year.ne\" must be a string, a number, t" },
		{ "{\"year\": {\"in\": 1}}", "\"filter.year.in\" must be an array of at least" },
		{ "{\"year\": {\"in\": []}}", "\"filter.year.in\" must be an array of at least" },
		{ "{\"year\": {\"in\": [1, [2]]}}", "\"filter.year.in[1]\" must be a string, a" },
		{ "{\"year\": {\"exists\": 1}}", "\"filter.year.exists\" must be true or false" },
		{ "{\"a\": 1, \"b\": {\"gt\": 1, \"x\": 2}}", "\"filter.b.x\" must be one of" },
		{ "{\"and\": {\"a\": 1}}", "\"filter.and\" must be an array of at least one f" },
		{ "{\"or\": []}", "\"filter.or\" must be an array of at least one filter" },
		{ "{\"and\": [{\"a\": 1}, {}]}", "\"filter.and[1]\" must be an object with a" },
		{ "{\"or\": [{\"not\": {\"a\": [1]}}]}", "\"filter.or[0].not.a\" must be a val" },
		{ "{\"not\": [{\"a\": 1}]}", "\"filter.not\" must be an object" },
		{ "{\"not\": null}", "\"filter.not\" must be an object" },
		{ "{\"type\": \"eq\", \"key\": \"a\"}", "\"filter\" must be type, key and value" },
		{ "{\"type\": \"eq\", \"key\": \"a\", \"value\": 1, \"x\": 1}", "and no more" },
		{ "{\"type\": \"eq\", \"key\": \"a\", \"valu\": 1}",
		    "\"filter.value\" must be a str" },
		{ "{\"type\": \"in\", \"key\": \"a\", \"valu\": 1}",
		    "\"filter.value\" must be an" },
		{ "{\"type\": \"lt\", \"key\": \"a\", \"valu\": 1}", "\"filter.value\" must be a" },
		{ "{\"type\": \"exists\", \"key\": \"a\", \"v\": 1}",
		    "\"filter.value\" must be true" },
		{ "{\"type\": \"like\", \"key\": \"a\", \"value\": 1}",
		    "\"filter.type\" must be eq" },
		{ "{\"type\": 1, \"key\": \"a\", \"value\": 1}", "\"filter.type\" must be eq" },
		{ "{\"type\": \"eq\", \"key\": 1, \"value\": 1}",
		    "\"filter.key\" must be a string" },
		{ "{\"type\": \"nor\", \"filters\": [{\"a\": 1}]}",
		    "\"filter.type\" must be and or or" },
		{ "{\"type\": \"and\", \"filters\": []}", "\"filter.filters\" must be an array" },
		{ "{\"type\": \"and\", \"filters\": [{\"a\": []}]}", "\"filter.filters[0].a\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		filter_refuses(cases[i][0], cases[i][1]);
}

/* A NUL is refused by the JSON's parser too, where it is asked to. */
static void
hostile_names_are_shown_harmless(void **state)
{
	const struct search_filter *filter;
	struct err err = { 0 };
	json_t *value;

	(void)state;
	filter_refuses("{\"a\\n\\u001b[2Jb\": []}", "\"filter.a??[2Jb\" must be a value");
	filter_refuses("{\"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		       "\xc3"
		       "\xa9"
		       "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9x\xc3\xa9\": []}",
	    "\xc3\xa9x\" must be a value");
	value = json_pack("{s:s#}", "a", "x\0y", 3);
	assert_non_null(value);
	assert_false(search_filter_read(value, "filter", arena, &filter, &err));
	assert_string_equal(err.detail, "Field \"filter.a\" must be without NUL.");
	json_decref(value);
}

/* `count` times the middle between the two ends. */
static void
filter_repeat(struct buf *b, const char *begin, const char *middle, unsigned count, const char *end)
{
	buf_reset(b);
	buf_puts(b, begin);
	for (unsigned i = 0; i < count; i++)
		buf_puts(b, middle);
	buf_puts(b, end);
	assert_false(b->failed);
}

static void
all_is_bounded(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text, 1u << 20);
	filter_repeat(&text, "", "{\"not\":", SEARCH_FILTER_DEPTH - 1, "{\"a\":1}}}}}}}}");
	assert_non_null(read_well(text.data));
	filter_repeat(&text, "", "{\"not\":", SEARCH_FILTER_DEPTH, "{\"a\":1}}}}}}}}}");
	filter_refuses(text.data, "nested deeper than 8");
	filter_repeat(&text, "", "{\"type\":\"or\",\"filters\":[", SEARCH_FILTER_DEPTH,
	    "{\"a\":1}]}]}]}]}]}]}]}]}");
	filter_refuses(text.data, "nested deeper than 8");
	/* The longest condition of each fits. */
	filter_repeat(&text, "{\"or\":[", "{\"a\":{\"gt\":0.1}},", SEARCH_FILTER_NODES - 2,
	    "{\"a\":{\"in\":[1]}}]}");
	assert_true(strlen(filter_sql(text.data)) < SEARCH_FILTER_SQL_MAX);
	filter_repeat(&text, "{\"or\":[", "{\"a\":1},", SEARCH_FILTER_NODES - 1, "{\"a\":1}]}");
	filter_refuses(text.data, "more than 100 conditions");
	filter_repeat(&text, "{\"a\":{\"in\":[", "0.1,", SEARCH_FILTER_VALUES - 1, "1]}}");
	assert_non_null(read_well(text.data));
	filter_repeat(&text, "{\"a\":{\"in\":[", "1,", SEARCH_FILTER_VALUES, "1]}}");
	filter_refuses(text.data, "more than 1000 values");
	/* All of them such as JSON escapes, each in two forms. */
	filter_repeat(&text, "{\"a\":{\"gt\":\"", "\\u0001", SEARCH_FILTER_BYTES - 1, "\"}}");
	assert_non_null(read_well(text.data));
	filter_repeat(&text, "{\"a\":{\"gt\":\"", "x", SEARCH_FILTER_BYTES, "\"}}");
	filter_refuses(text.data, "more than 16384 bytes");
	buf_free(&text);
}

static void
a_full_arena_passes(void **state)
{
	const struct search_filter *filter;
	struct err err = { 0 };

	(void)state;
	while (arena_alloc(arena, 1024) != NULL)
		;
	while (arena_alloc(arena, 16) != NULL)
		;
	assert_false(filter_reads("{\"a\": 1}", &filter, &err));
	assert_int_equal(err.code, ERR_OVERLOADED);
}

/* A buf that is too small is said, never half a condition. */
static void
a_full_buf_is_said(void **state)
{
	struct buf small;

	(void)state;
	buf_init(&small, 40);
	assert_false(search_filter_condition(read_well("{\"a\": 1}"), 1, &small));
	buf_free(&small);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_no_filter, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_name_is_compared, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_and_values_are_the_parameter, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(the_text_is_the_shapes_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(conditions_are_joined, set_up, tear_down),
		cmocka_unit_test_setup_teardown(openai_says_the_same, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_fraction_has_two_forms, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_not_understood_is_refused, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(hostile_names_are_shown_harmless, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(all_is_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_arena_passes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_buf_is_said, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
