/* SPDX-License-Identifier: MIT */
/*
 * model_embed() against a scripted server: what it sends, what it makes of every kind of response,
 * and when it tries again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/model_internal.h"
#include "model_fixture.h"
#include "tenantgate/base/log.h"

#define JSON "Content-Type: application/json\r\n"
#define TWO \
	"{\"data\":[{\"index\":1,\"embedding\":\"AAAAAAAAAAAAAAA/\"}," \
	"{\"index\":0,\"embedding\":[1,2,3]}],\"usage\":{\"prompt_tokens\":9}}"
#define LIMITED \
	"{\"error\":{\"message\":\"slow down\",\"type\":\"requests\",\"param\":null," \
	"\"code\":\"rate_limit_exceeded\"}}"
#define QUOTA \
	"{\"error\":{\"message\":\"pay\",\"type\":\"insufficient_quota\",\"param\":null," \
	"\"code\":\"insufficient_quota\"}}"
static const struct scripted_response fine = { "200 OK", JSON, TWO, WHOLE };

struct embedding {
	struct probe probe;
	struct slice texts[2];
	float *vectors; /* owned until they are copied */
	float out[6];
	struct model_usage usage;
};

static enum flow_rc
embed_both(struct flow *f)
{
	struct embedding *e = (struct embedding *)f;

	return model_embed(f, model_fixture.model, SLICE_LIT("acme"), e->texts, 2, &e->vectors,
	    &e->usage);
}

static enum flow_rc
embed_copy(struct flow *f)
{
	struct embedding *e = (struct embedding *)f;

	memcpy(e->out, e->vectors, sizeof(e->out));
	free(e->vectors);
	return FLOW_DONE;
}

static void
embedding_start(struct embedding *e)
{
	memset(e, 0, sizeof(*e));
	e->texts[0] = SLICE_LIT("one\ntwo");
	e->texts[1] = SLICE_LIT("\"thr\xc3\xa9\xc3\xa9\"");
	probe_start(&e->probe, model_fixture.worker, embed_both, embed_copy);
}

/* One try after another, as scripted. */
static void
embedding_run(struct embedding *e, const struct scripted_response *script)
{
	model_fixture_script(script);
	embedding_start(e);
	turn_until(model_fixture.worker, &e->probe.ended);
}

static void
two_texts_become_two_vectors(void **state)
{
	const struct scripted_response script[] = { fine, { 0 } };
	struct embedding e;

	(void)state;
	embedding_run(&e, script);
	assert_int_equal(e.probe.err.code, ERR_NONE);
	assert_true(e.out[0] == 1 && e.out[2] == 3 && e.out[3] == 0 && e.out[5] == 0.5f);
	assert_true(e.usage.known && e.usage.input_tokens == 9);
	assert_non_null(strstr(model_fixture.request.data, "POST /v1/embeddings HTTP/1.1\r\n"));
	assert_non_null(strstr(model_fixture.request.data, "Authorization: Bearer sk-secret\r\n"));
	assert_non_null(strstr(model_fixture.request.data,
	    "{\"model\":\"embedder\",\"input\":[\"one two\",\"\\\"thr\xc3\xa9\xc3\xa9\\\"\"],"
	    "\"encoding_format\":\"base64\"}"));
}

static const char *
model_reason(void)
{
	static struct condition found;

	found = (struct condition){ .is_ill = false };
	model_condition(model_fixture.model, &found);
	return found.reason;
}

/* What it refuses says nothing of it; a success ends it. */
static void
a_server_that_fails_again_and_again_is_a_condition(void **state)
{
	const struct scripted_response script[] = { { "400 No", JSON, "{}", WHOLE },
		{ "400 No", JSON, "{}", WHOLE }, { "400 No", JSON, "{}", WHOLE },
		{ "500 Oh", JSON, "{}", WHOLE }, { "503 Oh", JSON, "{}", WHOLE }, fine,
		{ "500 Oh", JSON, "{}", WHOLE }, { "401 Who", JSON, "{}", WHOLE },
		{ "400 No", JSON, "{}", WHOLE }, { "429 Slow", JSON, LIMITED, WHOLE }, fine,
		{ 0 } };
	struct model_conf conf;
	struct embedding e;

	(void)state;
	model_fixture_conf(&conf);
	conf.retries = 0;
	model_fixture_reopen(&conf);
	model_fixture_script(script);
	for (unsigned i = 0; i < 11; i++) {
		embedding_start(&e);
		turn_until(model_fixture.worker, &e.probe.ended);
		if (i != 9)
			assert_string_equal(model_reason(), "");
		else
			assert_non_null(strstr(model_reason(),
			    "The last 3 calls of the embedding model failed (HTTP 429)"));
	}
}

static void
the_configuration_is_followed(void **state)
{
	const struct scripted_response script[] = { fine, { 0 } };
	struct model_conf conf;
	struct embedding e;

	(void)state;
	model_fixture_conf(&conf);
	conf.api_key = NULL;
	conf.strip_new_lines = false;
	conf.send_dimensions = true;
	model_fixture_reopen(&conf);
	embedding_run(&e, script);
	assert_int_equal(e.probe.err.code, ERR_NONE);
	assert_null(strstr(model_fixture.request.data, "Authorization"));
	assert_non_null(strstr(model_fixture.request.data, "\"one\\ntwo\""));
	assert_non_null(strstr(model_fixture.request.data, ",\"dimensions\":3}"));
}

static void
what_may_pass_is_tried_again(void **state)
{
	const struct scripted_response scripts[][4] = {
		{ { "503 Busy", NULL, "<html>no</html>", WHOLE }, fine, { 0 } },
		{ { "500 Oh", JSON, "{}", WHOLE }, { "429 Slow", JSON, LIMITED, WHOLE }, fine,
		    { 0 } },
		{ { "409 Lock", NULL, "", WHOLE }, { "408 Late", NULL, "", WHOLE }, fine, { 0 } },
	};
	struct embedding e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		embedding_run(&e, scripts[i]);
		assert_int_equal(e.probe.err.code, ERR_NONE);
		assert_int_equal(model_fixture.requests, i == 0 ? 2 : 3);
		assert_true(e.out[0] == 1);
	}
}

struct refusal {
	struct scripted_response response;
	enum err_code code;
	int retry_after;
	unsigned requests;
	const char *says;
};

#define STAGE "The embedding model "
static const struct refusal refusals[] = {
	{ { "401 No", JSON, "{\"error\":{\"code\":\"invalid_api_key\"}}", WHOLE }, ERR_MODEL, 0, 1,
	    STAGE "refused the request (HTTP 401). Ask the operator for the reason, which is in "
		  "the log." },
	{ { "403 No", NULL, "{\"detail\":\"no\"}", WHOLE }, ERR_MODEL, 0, 1, NULL },
	{ { "404 No", NULL, "[1]", WHOLE }, ERR_MODEL, 0, 1, NULL },
	{ { "400 No", NULL, "{\"error\":\"bad\"}", WHOLE }, ERR_MODEL, 0, 1, NULL },
	{ { "302 Moved", "Location: /elsewhere\r\n", "", WHOLE }, ERR_MODEL, 0, 1, NULL },
	{ { "429 Slow", JSON, QUOTA, WHOLE }, ERR_MODEL, 0, 1,
	    "The embedding model's quota is used up (HTTP 429). Ask the operator to raise it." },
	{ { "429 Slow", "Retry-After: 40\r\n", LIMITED, WHOLE }, ERR_OVERLOADED, 40, 1,
	    STAGE "is overloaded (HTTP 429). Try again later." },
	{ { "429 Slow", JSON, LIMITED, WHOLE }, ERR_OVERLOADED, 5, 2, NULL },
	{ { "503 Busy", NULL, "", WHOLE }, ERR_OVERLOADED, 5, 2, NULL },
	{ { "500 Oh", NULL, "", WHOLE }, ERR_MODEL, 0, 2, STAGE "failed (HTTP 500). Try again." },
	{ { "504 Late", NULL, "", WHOLE }, ERR_MODEL_TIMEOUT, 0, 2, NULL },
	{ { "200 OK", NULL, "", SILENCE }, ERR_MODEL_TIMEOUT, 0, 1,
	    STAGE "did not answer in time. Try again." },
	{ { "200 OK", NULL, "{\"data\":[", STALL }, ERR_MODEL_TIMEOUT, 0, 1, NULL },
	{ { "200 OK", NULL, "{\"data\":[", CUT }, ERR_MODEL, 0, 1,
	    STAGE "broke off before its answer was complete. Try again." },
	{ { "200 OK", NULL, "<html>", WHOLE }, ERR_MODEL, 0, 1, NULL },
	{ { "200 OK", NULL, "{\"data\":[{\"index\":0,\"embedding\":[1,2,3]}]}", WHOLE }, ERR_MODEL,
	    0, 1,
	    "The embedding model's answer cannot be used; try again or ask the operator. A vector "
	    "is missing." },
};

static void
every_refusal_has_its_code(void **state)
{
	struct model_conf conf;
	struct embedding e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *r = &refusals[i];
		const struct scripted_response script[] = { r->response, { 0 } };

		model_fixture_conf(&conf);
		conf.retries = 1;
		if (r->response.form == SILENCE || r->response.form == STALL)
			model_fixture_hurry(&conf);
		model_fixture_reopen(&conf);
		embedding_run(&e, script);
		if (e.probe.err.code != r->code || e.probe.err.retry_after != r->retry_after ||
		    model_fixture.requests != r->requests ||
		    (r->says != NULL && strcmp(e.probe.err.detail, r->says) != 0))
			fail_msg("%s %s: %s, retry after %d, %u requests: %s", r->response.status,
			    r->response.body, err_slug(e.probe.err.code), e.probe.err.retry_after,
			    model_fixture.requests, e.probe.err.detail);
	}
}

/* The line that is logged of a refusal with that body. */
static void
refusal_logged(const char *body, char *line, size_t size)
{
	const struct scripted_response script[] = { { "400 No", JSON, body, WHOLE }, { 0 } };
	char path[] = "/tmp/model-log-XXXXXX";
	struct embedding e;
	ssize_t n;
	int fd = mkstemp(path);

	assert_true(fd != -1 && log_open(path));
	log_level(LOG_WARNING);
	model_fixture_script(script);
	embedding_start(&e);
	e.texts[0] = SLICE_LIT("the salary of the harbour master is forty crowns");
	turn_until(model_fixture.worker, &e.probe.ended);
	n = read(fd, line, size - 1);
	line[n > 0 ? n : 0] = '\0';
	assert_true(log_open(NULL));
	close(fd);
	unlink(path);
	assert_null(strstr(e.probe.err.detail, "harbour"));
}

static void
the_log_repeats_no_prompt_and_no_key(void **state)
{
	char line[2048];

	(void)state;
	refusal_logged("{\"error\":{\"message\":\"too long by 7\",\"code\":\"context_length\"}}",
	    line, sizeof(line));
	assert_non_null(strstr(line, "HTTP 400, code 'context_length'"));
	assert_non_null(strstr(line, "too long by 7"));
	refusal_logged("{\"error\":{\"message\":\"I will not embed 'the salary of the harbour "
		       "master is "
		       "forty crowns'\"}}",
	    line, sizeof(line));
	assert_non_null(strstr(line, "left out"));
	assert_null(strstr(line, "harbour"));
	refusal_logged("{\"error\":{\"message\":\"wrong key: sk-secret\"}}", line, sizeof(line));
	assert_null(strstr(line, "sk-secret"));
	refusal_logged("<html>the salary of the harbour master is forty crowns</html>", line,
	    sizeof(line));
	assert_null(strstr(line, "harbour"));
	assert_non_null(strstr(line, "61 bytes of HTML"));
}

static void
a_server_that_is_away_cannot_be_reached(void **state)
{
	struct model_conf conf;
	struct embedding e;

	(void)state;
	model_fixture_conf(&conf);
	conf.base_url = "http://127.0.0.1:1/v1";
	model_fixture_reopen(&conf);
	embedding_run(&e, NULL);
	assert_int_equal(e.probe.err.code, ERR_MODEL);
	assert_string_equal(e.probe.err.detail,
	    STAGE "could not be reached. Try again in a moment.");
	assert_true(flow_age_us(&e.probe.flow) > 200000); /* two more tries */
}

/* In the middle of the request, and in the middle of the wait for another try. */
static void
an_abandoned_embedding_asks_no_more(void **state)
{
	const struct scripted_response silent[] = { { "200 OK", NULL, "", SILENCE }, { 0 } };
	const struct scripted_response busy[] = { { "503 Busy", NULL, "", WHOLE }, { 0 } };
	struct embedding e;

	(void)state;
	model_fixture_script(silent);
	embedding_start(&e);
	turn_until_count(model_fixture.worker, &model_fixture.requests, 1);
	turn_for(model_fixture.worker, 30);
	assert_int_equal(model_fixture.requests, 1);
	flow_abort(&e.probe.flow, ERR_CLIENT_GONE, "left");
	model_fixture_turn_until_idle();
	assert_int_equal(e.probe.err.code, ERR_CLIENT_GONE);
	turn_until_count(model_fixture.worker, &model_fixture.peer.closed, 1);
	assert_int_equal(model_fixture.peer.closed, 1);

	model_fixture_script(busy);
	embedding_start(&e);
	turn_until_count(model_fixture.worker, &model_fixture.requests, 1);
	flow_abort(&e.probe.flow, ERR_CLIENT_GONE, "left");
	model_fixture_turn_until_idle();
	turn_for(model_fixture.worker, 400);
	assert_int_equal(model_fixture.requests, 1);
}

static void
a_batch_has_ceilings(void **state)
{
	const struct slice texts[] = { { "", 40 }, { "", 50 }, { "", 20 }, { "", 500 }, { "", 1 } };
	struct model_conf conf;

	(void)state;
	model_fixture_conf(&conf);
	conf.batch_bytes_max = 100;
	conf.batch_items_max = 3;
	model_fixture_reopen(&conf);
	assert_int_equal(model_batch(model_fixture.model, texts, 0), 0);
	assert_int_equal(model_batch(model_fixture.model, texts, 1), 1);
	assert_int_equal(model_batch(model_fixture.model, texts, 5), 2);
	assert_int_equal(model_batch(model_fixture.model, texts + 2, 3), 1);
	assert_int_equal(model_batch(model_fixture.model, texts + 3, 2), 1);
	conf.batch_bytes_max = 1000;
	model_fixture_reopen(&conf);
	assert_int_equal(model_batch(model_fixture.model, texts, 5), 3);
	assert_int_equal(model_dimensions(model_fixture.model), 3);
	assert_string_equal(model_chat_name(model_fixture.model), "talker");
}

/* By its host alone: other servers may refuse the fields that only OpenAI is sent. */
static void
openai_is_known_by_its_host(void **state)
{
	static const struct {
		const char *url;
		bool is_openai;
	} cases[] = {
		{ "https://api.openai.com/v1", true },
		{ "https://API.openai.com", true },
		{ "https://api.openai.com:443/v1", true },
		{ "https://api.openai.com.example.net/v1", false },
		{ "http://127.0.0.1:1/https://api.openai.com/v1", false },
	};
	struct model_conf conf;

	(void)state;
	model_fixture_conf(&conf);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		conf.base_url = cases[i].url;
		model_fixture_reopen(&conf);
		assert_int_equal(model_fixture.model->is_openai, cases[i].is_openai);
	}
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, model_fixture_set_up, model_fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(two_texts_become_two_vectors),
		TEST(a_server_that_fails_again_and_again_is_a_condition),
		TEST(the_configuration_is_followed),
		TEST(what_may_pass_is_tried_again),
		TEST(every_refusal_has_its_code),
		TEST(a_server_that_is_away_cannot_be_reached),
		TEST(the_log_repeats_no_prompt_and_no_key),
		TEST(an_abandoned_embedding_asks_no_more),
		TEST(a_batch_has_ceilings),
		TEST(openai_is_known_by_its_host),
	};

	return cmocka_run_group_tests_name("model_embed", tests, NULL, NULL);
}
