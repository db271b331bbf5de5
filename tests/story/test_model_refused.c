/* SPDX-License-Identifier: MIT */
/*
 * A chat whose request is refused: what the next try is written without, by a helper too, how the
 * tries count, and what a client that leaves in between leaves behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model_fixture.h"

#define ANSWER \
	"data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\n" \
	"data: [DONE]\n\n"
#define REFUSAL(message, param) \
	"{\"error\":{\"message\":\"" message "\",\"param\":\"" param "\",\"code\":null}}"
#define LONG_TEXT (100u << 10) /* bytes: the request is written by a helper */

static const struct scripted_response answered = { "200 OK", NULL, ANSWER, STREAM };

struct refused_chat {
	struct probe probe;
	struct model_stream *stream;
	struct model_message messages[3];
	unsigned count;
	double temperature;
	unsigned max_tokens;
};

static void
refused_chat_stop(void *arg)
{
	model_chat_stop(arg);
}

static enum flow_rc
refused_chat_ask(struct flow *f)
{
	struct refused_chat *c = (struct refused_chat *)f;
	const struct model_chat chat = { .messages = c->messages,
		.message_count = c->count,
		.temperature = c->temperature,
		.max_tokens = c->max_tokens };

	flow_defer(f, refused_chat_stop, &c->stream);
	return model_chat_start(f, model_fixture.model,
	    &(struct model_asker){ .tenant = SLICE_LIT("acme") }, &chat, &c->stream);
}

static void
refused_chat_begin(struct refused_chat *c)
{
	memset(c, 0, sizeof(*c));
	c->messages[0] =
	    (struct model_message){ .role = "system", .content = SLICE_LIT("Be kind.") };
	c->messages[1] = (struct model_message){ .role = "user", .content = SLICE_LIT("Hello?") };
	c->count = 2;
	c->temperature = -1;
	probe_start(&c->probe, model_fixture.worker, refused_chat_ask, NULL);
}

static void
refused_chat_run(struct refused_chat *c)
{
	turn_until(model_fixture.worker, &c->probe.ended);
	model_fixture_turn_until_idle();
}

static bool
request_holds(const char *text)
{
	return strstr(model_fixture.request.data, text) != NULL;
}

static void
the_limit_of_tokens_has_its_other_name(void **state)
{
	const struct scripted_response script[] = {
		{ "400 No", NULL,
		    REFUSAL("Unsupported parameter: 'max_tokens' is not supported with this model. "
			    "Use 'max_completion_tokens' instead.",
			"max_tokens"),
		    WHOLE },
		answered, answered, { 0 }
	};
	struct refused_chat c;

	(void)state;
	model_fixture_script(script);
	for (unsigned requests = 2; requests <= 3; requests++) {
		refused_chat_begin(&c);
		c.max_tokens = 99;
		refused_chat_run(&c);
		assert_int_equal(c.probe.err.code, ERR_NONE);
		assert_int_equal(model_fixture.requests, requests);
		assert_true(request_holds(",\"max_completion_tokens\":99"));
		assert_false(request_holds("\"max_tokens\""));
	}
}

/* A helper writes it, both times. */
static void
a_long_request_is_written_anew(void **state)
{
	const struct scripted_response script[] = {
		{ "400 No", NULL, REFUSAL("System role not supported", ""), WHOLE }, answered, { 0 }
	};
	char *text = malloc(LONG_TEXT);
	struct refused_chat c;

	(void)state;
	memset(text, 'x', LONG_TEXT);
	model_fixture_script(script);
	refused_chat_begin(&c);
	c.messages[1].content = slice_of(text, LONG_TEXT);
	refused_chat_run(&c);
	assert_int_equal(c.probe.err.code, ERR_NONE);
	assert_int_equal(model_fixture.requests, 2);
	assert_true(
	    request_holds("\"messages\":[{\"role\":\"user\",\"content\":\"Be kind.\\n\\nxx"));
	assert_false(request_holds("\"system\""));
	free(text);
}

/* Where the first turn is not the user's the roles still alternate. That order is the client's, so
 * nothing is learned of the system role for others. */
static void
a_system_text_without_a_turn_to_begin_is_one(void **state)
{
	const struct scripted_response script[] = {
		{ "400 No", NULL, REFUSAL("Conversation roles must alternate", ""), WHOLE },
		answered, answered, { 0 }
	};
	struct refused_chat c;

	(void)state;
	model_fixture_script(script);
	refused_chat_begin(&c);
	c.messages[1] =
	    (struct model_message){ .role = "assistant", .content = SLICE_LIT("Ask me.") };
	c.messages[2] = (struct model_message){ .role = "user", .content = SLICE_LIT("Hello?") };
	c.count = 3;
	refused_chat_run(&c);
	assert_int_equal(c.probe.err.code, ERR_NONE);
	assert_true(request_holds("\"messages\":[{\"role\":\"user\",\"content\":\"Be kind.\"},"
				  "{\"role\":\"assistant\",\"content\":\"Ask me.\"},"
				  "{\"role\":\"user\",\"content\":\"Hello?\"}]"));
	refused_chat_begin(&c);
	refused_chat_run(&c);
	assert_true(request_holds("{\"role\":\"system\",\"content\":\"Be kind.\"}"));
	assert_int_equal(model_fixture.requests, 3);
}

/* A plainer request is none of conf.retries, and these are none of its. */
static void
a_refusal_leaves_the_other_tries_as_many(void **state)
{
	static const char stream_options[] = REFUSAL("Unknown parameter", "stream_options");
	const struct scripted_response script[] = { { "503 Busy", NULL, "{}", WHOLE },
		{ "400 No", NULL, stream_options, WHOLE }, { "503 Busy", NULL, "{}", WHOLE },
		answered, { 0 } };
	struct model_conf conf;
	struct refused_chat c;

	(void)state;
	model_fixture_conf(&conf);
	conf.retries = 2;
	model_fixture_reopen(&conf);
	model_fixture_script(script);
	refused_chat_begin(&c);
	refused_chat_run(&c);
	assert_int_equal(c.probe.err.code, ERR_NONE);
	assert_int_equal(model_fixture.requests, 4);
	assert_false(request_holds("stream_options"));
}

static void
an_abandoned_refusal_is_asked_no_more(void **state)
{
	const struct scripted_response script[] = {
		{ "400 No", NULL, REFUSAL("Unknown parameter", "stream_options"), WHOLE },
		{ "-", NULL, NULL, SILENCE }, answered, { 0 }
	};
	struct refused_chat c;

	(void)state;
	model_fixture_script(script);
	refused_chat_begin(&c);
	turn_until_count(model_fixture.worker, &model_fixture.requests, 2);
	flow_abort(&c.probe.flow, ERR_CLIENT_GONE, "The client has left.");
	model_fixture_turn_until_idle();
	assert_int_equal(model_fixture.requests, 2);
	refused_chat_begin(&c); /* nothing succeeded, so nothing is known */
	refused_chat_run(&c);
	assert_int_equal(c.probe.err.code, ERR_NONE);
	assert_true(request_holds("stream_options"));
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, model_fixture_set_up, model_fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_limit_of_tokens_has_its_other_name),
		TEST(a_long_request_is_written_anew),
		TEST(a_system_text_without_a_turn_to_begin_is_one),
		TEST(a_refusal_leaves_the_other_tries_as_many),
		TEST(an_abandoned_refusal_is_asked_no_more),
	};

	return cmocka_run_group_tests_name("model_refused", tests, NULL, NULL);
}
