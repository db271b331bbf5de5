/* SPDX-License-Identifier: MIT */
/*
 * An answer of POST /rerank to scores: the forms that servers have, every refusal; and the order
 * that scores make.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/rerank_body.h"

static float scores[4];

/* Of memory of its own, whose end the sanitizer knows. */
static const char *
answer_read(const char *body, size_t n, size_t wanted)
{
	size_t len = strlen(body);
	char *copy = malloc(len);
	const char *wrong;

	memcpy(copy, body, len);
	wrong = rerank_answer_read(slice_of(copy, len), n, wanted, scores);
	free(copy);
	return wrong;
}

static void
every_form_has_the_same_scores(void **state)
{
	static const char *const bodies[] = {
		/* Cohere */
		"{\"id\":\"x\",\"results\":[{\"index\":2,\"relevance_score\":0.5},"
		"{\"index\":0,\"relevance_score\":0.25}],\"meta\":{\"billed_units\":{}}}",
		/* Jina and vLLM, which repeat the documents */
		"{\"model\":\"m\",\"usage\":{\"total_tokens\":8},\"results\":[{\"index\":0,"
		"\"document\":{\"text\":\"a [\\\"index\\\":1]\"},\"relevance_score\":25e-2},"
		"{\"index\":2,\"document\":{\"text\":\"c\"},\"relevance_score\":0.5}]}",
		/* TEI */
		"[{\"index\":2,\"score\":0.5},{\"index\":0,\"score\":0.25,\"text\":null}]",
		/* Voyage */
		" {\"object\":\"list\",\"data\":[{\"relevance_score\":0.25,\"index\":0},"
		"{\"relevance_score\":0.5,\"index\":2.0}],\"model\":\"m\"}\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		const char *wrong = answer_read(bodies[i], 3, 2);

		if (wrong != NULL)
			fail_msg("%s: %s", bodies[i], wrong);
		assert_true(scores[0] == 0.25f && isnan(scores[1]) && scores[2] == 0.5f);
	}
}

#define ONE(text) "{\"results\":[" text "]}"

static void
wrong_answers_are_refused(void **state)
{
	static const struct {
		const char *body, *why;
	} cases[] = {
		{ "", "shape" },
		{ "<html>", "shape" },
		{ "null", "shape" },
		{ "{}", "shape" },
		{ "{\"results\":null}", "shape" },
		{ "{\"results\":{\"index\":0}}", "shape" },
		{ "{\"results\":[{\"index\":0,\"relevance_score\":1}]", "shape" },
		{ "[{\"index\":0,\"score\":1}]]", "shape" },
		{ "[0]", "shape" },
		{ ONE("{\"index\":0,\"relevance_score\":NaN}"), "shape" },
		{ ONE(""), "missing" },
		{ ONE("{\"index\":1,\"relevance_score\":1}"), "missing" },
		{ ONE("{\"relevance_score\":1}"), "no index" },
		{ ONE("{\"index\":\"0\",\"relevance_score\":1}"), "no index" },
		{ ONE("{\"index\":2,\"relevance_score\":1}"), "out of range" },
		{ ONE("{\"index\":-1,\"relevance_score\":1}"), "out of range" },
		{ ONE("{\"index\":0.5,\"relevance_score\":1}"), "out of range" },
		{ ONE("{\"index\":1e300,\"relevance_score\":1}"), "out of range" },
		{ ONE("{\"index\":0}"), "no score" },
		{ ONE("{\"index\":0,\"relevance_score\":null}"), "no score" },
		{ ONE("{\"index\":0,\"relevance_score\":\"1\"}"), "no score" },
		{ ONE("{\"index\":0,\"relevance_score\":1e39}"), "not finite" },
		{ ONE("{\"index\":0,\"score\":1},{\"index\":0,\"score\":2}"), "twice" },
		{ ONE("{\"index\":0,\"score\":1},{\"index\":1,\"score\":2},"
		      "{\"index\":1,\"score\":2}"),
		    "twice" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *wrong = answer_read(cases[i].body, 2, 2);

		if (wrong == NULL || strstr(wrong, cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].body, wrong != NULL ? wrong : "taken");
	}
}

static void
the_best_come_first_and_those_without_a_score_last(void **state)
{
	const float some[] = { 0.5f, NAN, 0.75f, 0.5f, NAN, -3 }, none[] = { NAN, NAN };
	const unsigned want[] = { 2, 0, 3, 5, 1, 4 };
	unsigned order[6];

	(void)state;
	assert_int_equal(rerank_order(some, 6, order), 4);
	assert_memory_equal(order, want, sizeof(want));
	assert_int_equal(rerank_order(none, 2, order), 0);
	assert_true(order[0] == 0 && order[1] == 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_has_the_same_scores),
		cmocka_unit_test(wrong_answers_are_refused),
		cmocka_unit_test(the_best_come_first_and_those_without_a_score_last),
	};

	return cmocka_run_group_tests_name("rerank_body", tests, NULL, NULL);
}
