/* SPDX-License-Identifier: MIT */
/*
 * Whose a tenant's vectors are: which names are one model, what a refusal says, and which vectors
 * have length 1.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tenantgate/retrieval/vector_model.h"

static bool
is_of(const char *stored, unsigned dimensions, const char *configured)
{
	const struct vector_model model = { configured, 1536 };

	return vectors_are_of(stored, dimensions, &model);
}

static void
a_model_is_the_same_wherever_it_is_asked(void **state)
{
	(void)state;
	assert_true(is_of("bge-m3", 1536, "bge-m3"));
	assert_true(is_of("near/bge-m3", 1536, "bge-m3"));
	assert_true(is_of("bge-m3", 1536, "far/bge-m3"));
	assert_true(is_of("near/bge-m3", 1536, "far/bge-m3"));
	assert_true(is_of("near/BAAI/bge-m3", 1536, "BAAI/bge-m3"));
	assert_true(is_of("", 0, "bge-m3"));
	assert_true(is_of("bge-m3", 0, "bge-m3"));
}

static void
another_name_or_size_is_another_model(void **state)
{
	(void)state;
	assert_false(is_of("bge-m3", 1536, "bge-m3-large"));
	assert_false(is_of("bge-m3", 1536, "m3"));
	assert_false(is_of("large/bge-m3", 1536, "bge-m3-large"));
	assert_false(is_of("text-embedding-3-small", 1536, "text-embedding-3-large"));
	assert_false(is_of("near/bge-m3", 1536, "near/bge-m4"));
	assert_false(is_of("bge-m3", 1024, "bge-m3"));
}

static void
a_refusal_says_what_to_do_and_whose_they_are(void **state)
{
	const struct vector_model model = { "new", 512 };
	struct err err = { .code = ERR_NONE };

	(void)state;
	vectors_refuse("near/old", 1536, &model, &err);
	assert_int_equal(err.code, ERR_VECTORS);
	assert_int_equal(err_status(err.code), 409);
	assert_non_null(strstr(err.detail, "tenantgate reembed TENANT"));
	assert_non_null(strstr(err.detail, "set embedding_model back."));
	assert_null(strstr(err.detail, "old"));
	assert_non_null(strstr(err.cause, "near/old (1536 numbers)"));
	assert_non_null(strstr(err.cause, "new (512)"));
}

static void
vectors_of_length_1_are_known(void **state)
{
	const float unit[] = { 0.6f, 0.8f, 0 }, nearly[] = { 0.6003f, 0.8f, 0 },
		    long_one[] = { 1, 1, 1 };
	const float *both[] = { unit, nearly }, *mixed[] = { unit, long_one };

	(void)state;
	assert_true(vectors_are_normalized(both, 2, 3));
	assert_false(vectors_are_normalized(mixed, 2, 3));
	assert_true(vectors_are_normalized(mixed, 1, 3));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_model_is_the_same_wherever_it_is_asked),
		cmocka_unit_test(another_name_or_size_is_another_model),
		cmocka_unit_test(a_refusal_says_what_to_do_and_whose_they_are),
		cmocka_unit_test(vectors_of_length_1_are_known),
	};

	return cmocka_run_group_tests_name("vector_model", tests, NULL, NULL);
}
