/* SPDX-License-Identifier: MIT */
/*
 * Every way in which an answer may end, and an answer that is no stream: what is whole, what is an
 * error, and what comes before it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chat_reader.h"

#define SAYS_WHOLE(more) \
	"{\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":" \
	"\"assistant\",\"content\":\"Hello\"}" more "}],\"usage\":{\"prompt_tokens\":7," \
	"\"completion_tokens\":5}}"
#define UNFINISHED(w) \
	"data: {\"choices\":[{\"delta\":{\"content\":\"" w "\"},\"finish_reason\":\"\"}]}\n\n"
#define THINKS(w) "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"" w "\"}}]}\n\n"
#define EVENTS	  "Content-Type: text/event-stream\r\n"
#define UNUSABLE \
	"The chat model's answer cannot be used. Ask the operator for the reason, which is in " \
	"the log."
#define IN_MIDDLE "The chat model reported an error in the middle of its answer. Try again."
#define TOO_LONG \
	"The question, the messages before it and the passages found are together too long for " \
	"the " \
	"chat model. Ask with fewer or shorter messages, or for fewer passages."

struct ending {
	struct scripted_response response;
	enum err_code code;
	const char *received;
	const char *says;
};

static const struct ending endings[] = {
	{ { "200 OK", NULL, WORD("a") FINISH, STREAM }, ERR_NONE, "a", NULL },
	{ { "200 OK", NULL, WORD("a") DONE, STREAM }, ERR_NONE, "a", NULL },
	{ { "200 OK", NULL, WORD("a") DONE, STALL }, ERR_NONE, "a", NULL },
	{ { "200 OK", NULL, WORD("a") FINISH, CUT }, ERR_NONE, "a", NULL },
	{ { "200 OK", NULL, WORD("a") FINISH "data: {\"ch", CUT }, ERR_NONE, "a", NULL },
	{ { "200 OK", NULL, "data: [DONE]\r\n\r\n" WORD("late"), STREAM }, ERR_NONE, "", NULL },
	{ { "200 OK", NULL, WORD("a"), STREAM }, ERR_MODEL, "a",
	    "The chat model broke off before its answer was complete. Try again." },
	{ { "200 OK", NULL, WORD("a"), CUT }, ERR_MODEL, "a",
	    "The chat model broke off before its answer was complete. Try again." },
	{ { "200 OK", NULL, WORD("a"), STALL }, ERR_MODEL_TIMEOUT, "a",
	    "The chat model did not answer in time. Try again." },
	{ { "200 OK", NULL, "", STREAM }, ERR_MODEL, "", NULL },
	{ { "200 OK", NULL, WORD("a") FAILS, STREAM }, ERR_MODEL, "a", IN_MIDDLE },
	{ { "200 OK", NULL, "event: error\ndata: {\"x\":1}\n\n", STREAM }, ERR_MODEL, "", NULL },
	{ { "200 OK", NULL, BUSY, STREAM }, ERR_OVERLOADED, "",
	    "The chat model is overloaded. Try again later." },
	{ { "200 OK", NULL, "data: <html>\n\n", STREAM }, ERR_MODEL, "",
	    "The chat model's answer cannot be used; try again or ask the operator. An event is "
	    "not JSON of the expected shape." },
	{ { "200 OK", NULL, "<html><body>welcome</body></html>", WHOLE }, ERR_MODEL, "", UNUSABLE },
	{ { "200 OK", NULL, "\x1f\x8b\x08", STREAM }, ERR_MODEL, "", UNUSABLE },
	/* Half an answer, whatever ends it. */
	{ { "200 OK", NULL, UNFINISHED("a") UNFINISHED("b"), STREAM }, ERR_MODEL, "ab",
	    "The chat model broke off before its answer was complete. Try again." },
	{ { "200 OK", NULL, UNFINISHED("a"), CUT }, ERR_MODEL, "a", NULL },
	{ { "200 OK", NULL, WORD("a") "data: {\"errors\":[{\"message\":\"x\"}]}\n\n" DONE, STREAM },
	    ERR_MODEL, "a", IN_MIDDLE },
	{ { "200 OK", NULL, WORD("a") "data: {\"object\":\"error\",\"code\":500}\n\n" DONE,
	      STREAM },
	    ERR_MODEL, "a", IN_MIDDLE },
	{ { "200 OK", NULL, WORD("a") "data: {\"detail\":\"x\"}\n\n" DONE, STREAM }, ERR_MODEL, "a",
	    IN_MIDDLE },
	{ { "200 OK", NULL, WORD("a") "error: {\"code\":500,\"message\":\"x\"}\n\n" DONE, STREAM },
	    ERR_MODEL, "a", IN_MIDDLE },
	{ { "200 OK", NULL, WORD("a") "event: error\ndata: x\n\n" FINISH DONE, STREAM }, ERR_MODEL,
	    "a", IN_MIDDLE },
	{ { "200 OK", NULL, WORD("a") "data: {oh\n\n" FINISH DONE, STREAM }, ERR_MODEL, "a", NULL },
	{ { "200 OK", NULL, WORD("a") FINISH FAILS DONE, STREAM }, ERR_MODEL, "a", IN_MIDDLE },
	{ { "200 OK", NULL, WORD("a") "event: error\n\n" DONE, STREAM }, ERR_MODEL, "a",
	    IN_MIDDLE },
	/* The last line break is missing. */
	{ { "200 OK", NULL, WORD("a") "data: [DONE]", STREAM }, ERR_NONE, "a", NULL },
	{ { "200 OK", NULL,
	      WORD("a") "data: {\"choices\":[{\"delta\":{\"content\":\"b\"},"
			"\"finish_reason\":\"stop\"}]}\n",
	      STREAM },
	    ERR_NONE, "ab", NULL },
	{ { "200 OK", NULL, WORD("a") "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}",
	      STREAM },
	    ERR_MODEL, "ab",
	    "The chat model broke off before its answer was complete. Try again." },
	{ { "200 OK", NULL, WORD("a") "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\nda",
	      CUT },
	    ERR_MODEL, "ab", NULL },
	{ { "200 OK", NULL, WORD("a") "data: {\"error\":\"x\"}\n", STREAM }, ERR_MODEL, "a",
	    IN_MIDDLE },
	/* Signs of life. */
	{ { "200 OK", NULL,
	      "\n\n: x\n\ndata:\n\ndata: \n\nevent: ping\ndata: ping\n\n" WORD(
		  "a") "data:\n\n" FINISH DONE,
	      STREAM },
	    ERR_NONE, "a", NULL },
	/* A whole completion, and what is none. */
	{ { "200 OK", NULL, SAYS_WHOLE(",\"finish_reason\":\"length\""), WHOLE }, ERR_NONE, "Hello",
	    NULL },
	{ { "200 OK", NULL, " \r\n" SAYS_WHOLE(""), STREAM }, ERR_NONE, "Hello", NULL },
	{ { "200 OK", NULL, SAYS_WHOLE(""), CUT }, ERR_NONE, "Hello", NULL },
	{ { "200 OK", NULL, "{\"choices\":[{\"message\":{\"content\":\"Hello\"}", CUT }, ERR_MODEL,
	    "", "The chat model broke off before its answer was complete. Try again." },
	{ { "200 OK", NULL, "{\"choices\":[{\"message\":{\"content\":\"Hello\"}", STREAM },
	    ERR_MODEL, "", UNUSABLE },
	{ { "200 OK", NULL, "{\"model\":\"m\",\"message\":{\"content\":\"Hello\"}}", WHOLE },
	    ERR_MODEL, "", UNUSABLE },
	{ { "200 OK", NULL, "{\"error\":{\"message\":\"x\"}}", WHOLE }, ERR_MODEL, "",
	    "The chat model reported an error in the place of its answer. Try again." },
	{ { "200 OK", NULL, "[{\"error\":{\"message\":\"x\"}}]", WHOLE }, ERR_MODEL, "",
	    "The chat model reported an error in the place of its answer. Try again." },
	{ { "200 OK", NULL, "{\"error\":{\"message\":\"x\",\"code\":\"context_length_exceeded\"}}",
	      WHOLE },
	    ERR_CONTEXT_LENGTH, "", TOO_LONG },
	/* Refused for what the client can change: at once, even where 500 is tried again. */
	{ { "400 No", NULL, "{\"error\":{\"message\":\"m\",\"code\":\"content_filter\"}}", WHOLE },
	    ERR_CONTENT_FILTER, "",
	    "The chat model's content filter refused the text. Word it differently, or leave out "
	    "what it may object to." },
	{ { "422 No", NULL, "{\"detail\":[{\"msg\":\"Input is too long\"}]}", WHOLE },
	    ERR_CONTEXT_LENGTH, "", TOO_LONG },
	{ { "500 Oh", NULL, "{\"error\":{\"type\":\"exceed_context_size_error\"}}", WHOLE },
	    ERR_CONTEXT_LENGTH, "", TOO_LONG },
	{ { "200 OK", NULL, "", SILENCE }, ERR_MODEL_TIMEOUT, "", NULL },
	{ { "429 Slow", "Retry-After: 30\r\n", "{}", WHOLE }, ERR_OVERLOADED, "", NULL },
	{ { "401 No", NULL, "{\"error\":{\"message\":\"Hello? Be kind\"}}", STREAM }, ERR_MODEL, "",
	    "The chat model refused the request (HTTP 401). Ask the operator for the reason, which "
	    "is in the log." },
};

/* With the media type of a stream, and without one: then the first words are looked at first. */
static void
every_ending_is_told_apart(void **state)
{
	const size_t n = sizeof(endings) / sizeof(endings[0]);
	size_t i;

	(void)state;
	for (i = 0; i < 2 * n; i++) {
		const struct ending *e = &endings[i % n];
		struct scripted_response script[] = { e->response, { 0 } };
		struct model_conf conf;
		struct chat_reader t;

		if (i >= n && script[0].fields == NULL)
			script[0].fields = EVENTS;
		model_fixture_conf(&conf);
		if (e->code == ERR_MODEL_TIMEOUT)
			model_fixture_hurry(&conf);
		model_fixture_reopen(&conf);
		chat_reader_run(&t, script);
		model_fixture_turn_until_idle();
		if (t.probe.err.code != e->code || strcmp(t.received.data, e->received) != 0 ||
		    model_fixture.requests != 1 ||
		    (e->says != NULL && strcmp(t.probe.err.detail, e->says) != 0))
			fail_msg("%zu %s: %s '%s' heard '%s', %u requests", i, e->response.body,
			    err_slug(t.probe.err.code), t.probe.err.detail, t.received.data,
			    model_fixture.requests);
		chat_reader_free(&t);
	}
}

/* What is thought is told apart from what is said, and a pull may bring it alone. */
static void
reasoning_is_pulled_too(void **state)
{
	const struct scripted_response script[] = {
		{ "200 OK", EVENTS, THINKS("h") THINKS("m") WORD("a") FINISH DONE, STREAM },
		{ "200 OK", EVENTS, THINKS("hm"), STALL }, { 0 }
	};
	struct model_conf conf;
	struct chat_reader t;

	(void)state;
	chat_reader_run(&t, script);
	assert_string_equal(t.received.data, "a");
	assert_string_equal(t.thought.data, "hm");
	model_fixture_turn_until_idle();
	chat_reader_free(&t);
	model_fixture_conf(&conf);
	model_fixture_hurry(&conf);
	model_fixture_reopen(&conf);
	chat_reader_run(&t, script + 1);
	assert_int_equal(t.probe.err.code, ERR_MODEL_TIMEOUT);
	assert_string_equal(t.thought.data, "hm");
	assert_int_equal(t.usage.output_tokens, 1);
	chat_reader_free(&t);
}

static void
the_usage_so_far_is_known_of_an_answer_that_fails(void **state)
{
	const struct scripted_response scripts[][2] = {
		{ { "200 OK", EVENTS, WORD("a") WORD("b") FAILS, STREAM }, { 0 } },
		{ { "200 OK", EVENTS, WORD("a") WORD("b"), CUT }, { 0 } },
		{ { "200 OK", EVENTS, WORD("a") USAGE, CUT }, { 0 } },
	};
	size_t i;

	(void)state;
	assert_int_equal(model_chat_usage(NULL).output_tokens, 0);
	for (i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct chat_reader t;

		chat_reader_run(&t, scripts[i]);
		assert_int_equal(t.probe.err.code, ERR_MODEL);
		assert_int_equal(t.usage.output_tokens, i == 2 ? 5 : 2);
		assert_int_equal(t.usage.input_tokens, i == 2 ? 7 : 0);
		assert_int_equal(t.usage.known, i == 2);
		model_fixture_turn_until_idle();
		chat_reader_free(&t);
	}
}

/* Whole or in events, what one pull brings has a ceiling. */
static void
a_whole_completion_has_a_ceiling(void **state)
{
	const size_t n = 4 << 20;
	char *body = malloc(n + 1);
	const struct scripted_response script[] = { { "200 OK", NULL, body, WHOLE }, { 0 } };
	struct chat_reader t;

	(void)state;
	memset(body, ' ', n);
	memcpy(body, "{\"x\":", 5);
	body[n] = '\0';
	chat_reader_run(&t, script);
	assert_int_equal(t.probe.err.code, ERR_MODEL);
	assert_non_null(strstr(t.probe.err.detail, "too large for an answer in one piece"));
	chat_reader_free(&t);
	free(body);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, model_fixture_set_up, model_fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(every_ending_is_told_apart),
		TEST(reasoning_is_pulled_too),
		TEST(the_usage_so_far_is_known_of_an_answer_that_fails),
		TEST(a_whole_completion_has_a_ceiling),
	};

	return cmocka_run_group_tests_name("model_endings", tests, NULL, NULL);
}
