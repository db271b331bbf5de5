/* SPDX-License-Identifier: MIT */
/*
 * An embeddings response to floats: both encodings, every refusal.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/vectors.h"

/* [1, 2, 3] and [0, 0, 0.5] as little-endian float32. */
#define ONE_TWO_THREE "AACAPwAAAEAAAEBA"
#define HALF	      "AAAAAAAAAAAAAAA/"
#define ITEM(i, v)    "{\"object\":\"embedding\",\"index\":" i ",\"embedding\":" v "}"
#define BARE(v)	      "{\"object\":\"embedding\",\"embedding\":" v "}"
#define LIST(items)   "{\"object\":\"list\",\"data\":[" items "],\"usage\":{\"prompt_tokens\":5}}"

static float out[9];
static struct model_usage usage;

static const char *
read_vectors(const char *body, size_t n)
{
	size_t len = strlen(body);
	char *copy = malloc(len);
	const char *wrong;

	memcpy(copy, body, len);
	wrong = vectors_read(slice_of(copy, len), n, 3, out, &usage);
	free(copy);
	return wrong;
}

static const char *
read_two(const char *body)
{
	return read_vectors(body, 2);
}

static void
vectors_are_placed_by_index(void **state)
{
	static const char *const bodies[] = {
		LIST(ITEM("0", "[1,2.0,3e0]") "," ITEM("1", "[0,-0,0.5]")),
		LIST(ITEM("1", "\"" HALF "\"") "," ITEM("0", "\"" ONE_TWO_THREE "\"")),
		LIST(ITEM("1", "\"AAAAAAAAAAAAAAA\\/\"") "," ITEM("0", "[1,2,3]")),
		LIST("{\"embedding\":[0,0,0.5],\"index\":1}," ITEM("0", "[1,2,3]")),
		/* The position stands for an index that is absent: of the first, as Go's omitempty
		 * has it, of all, and of others when what is there agrees. */
		LIST(BARE("[1,2,3]") "," ITEM("1", "[0,0,0.5]")),
		LIST(BARE("[1,2,3]") "," BARE("\"" HALF "\"")),
		LIST(ITEM("0", "[1,2,3]") "," BARE("[0,0,0.5]")),
		LIST(ITEM("null", "[1,2,3]") "," ITEM("null", "[0,0,0.5]")),
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		memset(out, 0, sizeof(out));
		if (read_two(bodies[i]) != NULL)
			fail_msg("%s: %s", bodies[i], read_two(bodies[i]));
		assert_true(out[0] == 1 && out[1] == 2 && out[2] == 3 && out[5] == 0.5f);
		assert_true(usage.known && usage.input_tokens == 5);
	}
}

static void
any_length_is_one_that_an_index_takes(void **state)
{
	static const struct {
		const char *body;
		float first, second;
	} cases[] = {
		{ LIST(ITEM("0", "[3e-30,4e-30,0]")), 3e-30f, 4e-30f },
		{ LIST(ITEM("0", "[-3e30,4e30,0]")), -3e30f, 4e30f },
		{ LIST(ITEM("0", "[1e-44,3e-45,0]")), 1e-44f, 3e-45f },
		{ LIST(ITEM("0", "[3e38,3e38,3e38]")), 3e38f, 3e38f },
		{ LIST(ITEM("0", "[70000,1,0]")), 70000, 1 },
		{ LIST(ITEM("0", "[0.01,0.02,0]")), 0.01f, 0.02f },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double length;

		assert_null(read_vectors(cases[i].body, 1));
		length = sqrt(
		    (double)out[0] * out[0] + (double)out[1] * out[1] + (double)out[2] * out[2]);
		assert_true(length >= 0.5 && length < 1);
		assert_true((double)out[0] * cases[i].second == (double)out[1] * cases[i].first);
	}
	assert_null(read_vectors(LIST(ITEM("0", "[3000,0.5,0]")), 1));
	assert_true(out[0] == 3000 && out[1] == 0.5f);
}

static void
bad_vectors_are_refused(void **state)
{
	static const char *const bodies[] = {
		"",
		"{}",
		"[]",
		"<html>",
		"{\"data\":null}",
		LIST(""),
		LIST(ITEM("0", "[1,2,3]")),
		LIST(ITEM("0", "[1,2,3]") "," ITEM("0", "[1,2,3]")),
		LIST(ITEM("0", "[1,2,3]") "," ITEM("2", "[1,2,3]")),
		LIST(ITEM("0", "[1,2,3]") "," ITEM("-1", "[1,2,3]")),
		LIST(ITEM("0", "[1,2,3]") "," ITEM("0.5", "[1,2,3]")),
		LIST(ITEM("0", "[1,2,3]") "," ITEM("1e300", "[1,2,3]")),
		/* An absent index beside others that are out of order: whose is it? */
		LIST(ITEM("1", "[1,2,3]") "," BARE("[1,2,3]")),
		LIST(BARE("[1,2,3]") "," ITEM("0", "[1,2,3]")),
		LIST(BARE("[1,2,3]") "," ITEM("1", "[1,2,3]") "," BARE("[1,2,3]")),
		LIST(BARE("[1,2,3]")),
		LIST(ITEM("\"0\"", "[1,2,3]") "," ITEM("1", "[1,2,3]")),
		LIST(ITEM("0", "[1,2,3]") ",{\"index\":1}"),
		LIST(ITEM("0", "[1,2,3]") "," ITEM("1", "[1,2]")),
		LIST(ITEM("0", "[1,2,3]") "," ITEM("1", "[1,2,3,4]")),
		LIST(ITEM("0", "[1,2,3]") "," ITEM("1", "[]")),
		LIST(ITEM("0", "[1,2,3]") "," ITEM("1", "null")),
		LIST(ITEM("0", "[1,2,3]") "," ITEM("1", "[0,0,0]")),
		LIST(ITEM("0", "[1,2,3]") "," ITEM("1", "[1,2,1e60]")),
		LIST(ITEM("0", "[1,2,3]") "," ITEM("1", "[1,2,\"3\"]")),
		LIST(ITEM("0", "[1,2,3]") "," ITEM("1", "\"\"")),
		LIST(ITEM("0", "[1,2,3]") "," ITEM("1", "\"AACAPwAAAEAAAEB=\"")),
		LIST(ITEM("0", "[1,2,3]") "," ITEM("1", "\"AACAPwAAAEAAAE_A\"")),
		LIST(ITEM("0", "[1,2,3]") "," ITEM("1",
		    "\"AACAPwAAAEAAAEBA"
		    "AACA\"")),
		LIST(ITEM("0", "[1,2,3]") "," ITEM("1", "\"AACAPwAAAEAAAMB/\"")), /* NaN */
		LIST(ITEM("0", "[1,2,3]") "," ITEM("1", "[1,2,3]") "x"),
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		if (read_two(bodies[i]) == NULL)
			fail_msg("taken: %s", bodies[i]);
}

/* The one place that is left is where it would go, and yet the order says nothing. */
static void
no_place_is_guessed_among_items_out_of_order(void **state)
{
	static const char *const bodies[] = {
		LIST(ITEM("1", "[1,2,3]") "," ITEM("0", "[1,2,3]") "," BARE("[1,2,3]")),
		LIST(BARE("[1,2,3]") "," ITEM("2", "[1,2,3]") "," ITEM("1", "[1,2,3]")),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		const char *wrong = read_vectors(bodies[i], 3);

		assert_non_null(wrong);
		assert_non_null(strstr(wrong, "not in order"));
	}
	assert_null(
	    read_vectors(LIST(BARE("[1,2,3]") "," ITEM("1", "[1,2,3]") "," BARE("[1,2,3]")), 3));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_are_placed_by_index),
		cmocka_unit_test(any_length_is_one_that_an_index_takes),
		cmocka_unit_test(bad_vectors_are_refused),
		cmocka_unit_test(no_place_is_guessed_among_items_out_of_order),
	};

	return cmocka_run_group_tests_name("model_vectors", tests, NULL, NULL);
}
