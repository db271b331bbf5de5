/* SPDX-License-Identifier: MIT */
/*
 * model_rerank() against a scripted server: what it sends, in which form, and what it makes of
 * responses.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rerank_asker.h"

static const struct scripted_response fine = { "200 OK", JSON, BEST_LAST, WHOLE };
static const char documents[] = "{\"query\":\"why\",\"documents\":[\"a\",\"b \\\"b\\\"\",\"c\"],"
				"\"model\":\"judge\",\"top_n\":2}";
static const char texts[] =
    "{\"query\":\"why\",\"texts\":[\"a\",\"b \\\"b\\\"\",\"c\"],\"truncate\":true}";

static const char *
rerank_request(void)
{
	return strstr(model_fixture.request.data, "\r\n\r\n") + 4;
}

static void
texts_are_put_in_order(void **state)
{
	const struct scripted_response script[] = { fine, { 0 } };
	struct rerank_asker a;

	(void)state;
	assert_true(model_reranks(model_fixture.model));
	rerank_asker_run(&a, script);
	assert_true(a.ranking.ranked);
	assert_int_equal(a.ranking.count, 3);
	assert_int_equal(a.ranking.scored, 3);
	assert_true(a.ranking.order[0] == 2 && a.ranking.order[1] == 0 && a.ranking.order[2] == 1);
	assert_true(a.ranking.scores[0] == 0.9f && a.ranking.scores[2] == 0.25f);
	assert_non_null(strstr(model_fixture.request.data, "POST /v1/rerank HTTP/1.1\r\n"));
	assert_non_null(strstr(model_fixture.request.data, "Authorization: Bearer sk-secret\r\n"));
	assert_string_equal(rerank_request(), documents);
}

/* top_n are enough; the others come after them, as they were. */
static void
those_that_were_not_wanted_come_last(void **state)
{
	const struct scripted_response script[] = {
		{ "200 OK", JSON, RESULTS(RESULT("1", "-4") "," RESULT("2", "7")), WHOLE }, { 0 }
	};
	struct rerank_asker a;

	(void)state;
	rerank_asker_run(&a, script);
	assert_true(a.ranking.ranked);
	assert_int_equal(a.ranking.scored, 2);
	assert_true(a.ranking.order[0] == 2 && a.ranking.order[1] == 1 && a.ranking.order[2] == 0);
	assert_true(isnan(a.ranking.scores[2]));
}

static void
without_a_model_nobody_is_asked(void **state)
{
	struct model_conf conf;
	struct rerank_asker a;

	(void)state;
	model_fixture_conf(&conf);
	model_fixture_reopen(&conf);
	assert_false(model_reranks(model_fixture.model));
	rerank_asker_run(&a, NULL);
	assert_false(a.ranking.ranked);
	assert_int_equal(model_fixture.requests, 0);
}

/* As text-embeddings-inference refuses it. What was found out is kept. */
static void
a_server_of_texts_is_found_out(void **state)
{
	static const struct scripted_response tei = { "200 OK", JSON,
		"[{\"index\":1,\"score\":0.5},{\"index\":0,\"score\":0.25},"
		"{\"index\":2,\"score\":0.125}]",
		WHOLE };
	const struct scripted_response script[] = { { "422 No", "Content-Type: text/plain\r\n",
							"Failed to deserialize the JSON body into "
							"the target type: missing field `texts` at "
							"line 1 column 84",
							WHOLE },
		tei, tei, { 0 } };
	struct rerank_asker a;

	(void)state;
	rerank_asker_run(&a, script);
	assert_true(a.ranking.ranked);
	assert_true(a.ranking.order[0] == 1 && a.ranking.order[2] == 2);
	assert_int_equal(model_fixture.requests, 2);
	assert_string_equal(rerank_request(), texts);
	rerank_asker_asks(&a, "other");
	turn_until(model_fixture.worker, &a.probe.ended);
	assert_true(a.ranking.ranked);
	assert_int_equal(model_fixture.requests, 3);
}

/* And as it refuses more than --max-client-batch-size: scores of several answers are one order. */
static void
a_server_of_small_batches_gets_several(void **state)
{
	const struct scripted_response script[] = {
		{ "413 No", JSON,
		    "{\"error\":\"batch size 3 > maximum allowed batch size 2\","
		    "\"error_type\":\"Validation\"}",
		    WHOLE },
		{ "200 OK", JSON, RESULTS(RESULT("0", "0.5") "," RESULT("1", "0.125")), WHOLE },
		{ "200 OK", JSON, RESULTS(RESULT("0", "0.25")), WHOLE }, { 0 }
	};
	struct rerank_asker a;

	(void)state;
	rerank_asker_run(&a, script);
	assert_true(a.ranking.ranked);
	assert_int_equal(model_fixture.requests, 3);
	assert_non_null(strstr(rerank_request(), "\"documents\":[\"c\"]"));
	assert_non_null(strstr(rerank_request(), "\"top_n\":1}"));
	assert_true(a.ranking.order[0] == 0 && a.ranking.order[1] == 2 && a.ranking.order[2] == 1);
}

/* A busy server is asked again, but not past the deadline. */
static void
a_ranking_that_may_pass_is_tried_again(void **state)
{
	const struct scripted_response script[] = { { "503 Busy", NULL, "", WHOLE },
		{ "", NULL, NULL, LOST }, fine, { 0 } };
	struct model_conf conf;
	struct rerank_asker a;

	(void)state;
	rerank_conf(&conf);
	conf.retries = 2;
	model_fixture_reopen(&conf);
	rerank_asker_run(&a, script);
	assert_true(a.ranking.ranked);
	assert_int_equal(model_fixture.requests, 3);
}

/* Past 256 KiB of text: the first are ranked, the rest follows. */
static void
long_texts_go_as_far_as_there_is_space(void **state)
{
	static char long_text[100 << 10];
	const struct scripted_response script[] = {
		{ "200 OK", JSON, RESULTS(RESULT("1", "1") "," RESULT("0", "0")), WHOLE }, { 0 }
	};
	struct rerank_asker a;

	(void)state;
	memset(long_text, 'x', sizeof(long_text));
	model_fixture_script(script);
	rerank_asker_asks(&a, "acme");
	for (unsigned i = 0; i < 4; i++)
		a.texts[i] = slice_of(long_text, sizeof(long_text));
	a.n = 4;
	turn_until(model_fixture.worker, &a.probe.ended);
	assert_true(a.ranking.ranked);
	assert_int_equal(a.ranking.count, 4);
	assert_true(a.ranking.order[0] == 1 && a.ranking.order[1] == 0 && a.ranking.order[2] == 2 &&
	    a.ranking.order[3] == 3);
	assert_true(strlen(rerank_request()) < (210 << 10));
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, rerank_set_up, model_fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(texts_are_put_in_order),
		TEST(those_that_were_not_wanted_come_last),
		TEST(without_a_model_nobody_is_asked),
		TEST(a_server_of_texts_is_found_out),
		TEST(a_server_of_small_batches_gets_several),
		TEST(a_ranking_that_may_pass_is_tried_again),
		TEST(long_texts_go_as_far_as_there_is_space),
	};

	return cmocka_run_group_tests_name("model_rerank", tests, NULL, NULL);
}
