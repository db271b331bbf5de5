/* SPDX-License-Identifier: MIT */
/*
 * model_chat_*() against a scripted server: text as it arrives, and a client that leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chat_reader.h"

static void
a_whole_answer_is_read(void **state)
{
	const struct scripted_response script[] = {
		{ "200 OK", NULL, WORD("") WORD("Hel") WORD("lo \\\"you\\\"\\n") FINISH USAGE DONE,
		    STREAM },
		{ 0 }
	};
	struct chat_reader t;

	(void)state;
	chat_reader_run(&t, script);
	assert_int_equal(t.probe.err.code, ERR_NONE);
	assert_string_equal(t.received.data, "Hello \"you\"\n");
	assert_int_equal(t.pulls, 1); /* all that has arrived, joined */
	assert_string_equal(t.delta.finish_reason, "length");
	assert_int_equal(t.delta.usage.input_tokens, 7);
	assert_int_equal(t.delta.usage.output_tokens, 5);
	assert_non_null(
	    strstr(model_fixture.request.data, "POST /v1/chat/completions HTTP/1.1\r\n"));
	assert_non_null(strstr(model_fixture.request.data,
	    "{\"model\":\"talker\",\"messages\":[{\"role\":\"system\",\"content\":\"Be "
	    "\\\"kind\\\".\"},"
	    "{\"role\":\"user\",\"content\":\"Hello?\\n\"}],\"stream\":true,"
	    "\"stream_options\":{\"include_usage\":true},\"temperature\":0.250,\"max_tokens\":"
	    "99}"));
	chat_reader_free(&t);
}

/* The same connection: a finished answer is read to its last chunk. */
static void
connections_are_kept(void **state)
{
	const struct scripted_response script[] = {
		{ "200 OK", NULL, WORD("a") FINISH DONE, STREAM }, { 0 }
	};
	struct chat_reader t;
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		chat_reader_run(&t, script);
		assert_int_equal(t.probe.err.code, ERR_NONE);
		assert_int_equal(t.delta.usage.output_tokens, 1);
		assert_false(t.delta.usage.known);
		model_fixture_turn_until_idle();
		chat_reader_free(&t);
	}
	assert_int_equal(model_fixture.peer.accepted, 1);
}

static void
a_failure_before_the_first_byte_is_tried_again(void **state)
{
	const struct scripted_response script[] = { { "500 Oh", NULL, "{\"error\":{}}", WHOLE },
		{ "503 Busy", NULL, "later", STREAM }, { "200 OK", NULL, WORD("a") DONE, STREAM },
		{ 0 } };
	struct chat_reader t;

	(void)state;
	chat_reader_run(&t, script);
	assert_int_equal(t.probe.err.code, ERR_NONE);
	assert_int_equal(model_fixture.requests, 3);
	assert_string_equal(t.received.data, "a");
	chat_reader_free(&t);
}

static void
an_event_past_the_ceiling_is_refused(void **state)
{
	char *body = malloc(8192);
	const struct scripted_response script[] = { { "200 OK", NULL, body, STREAM }, { 0 } };
	struct chat_reader t;

	(void)state;
	memset(body, 'x', 8191);
	memcpy(body, "data: ", 6);
	body[8191] = '\0';
	chat_reader_run(&t, script);
	assert_int_equal(t.probe.err.code, ERR_MODEL);
	assert_string_equal(t.probe.err.detail,
	    "The chat model's answer cannot be used; try again or ask the operator. An event is "
	    "too large.");
	chat_reader_free(&t);
	free(body);
}

/* Whenever the client leaves, the connection to the model is closed. */
static void
an_abandoned_answer_closes_its_connection(void **state)
{
	const struct scripted_response scripts[][2] = { { { "200 OK", NULL, "", SILENCE }, { 0 } },
		{ { "200 OK", NULL, WORD("a"), STALL }, { 0 } },
		{ { "500 Oh", NULL, "{", STALL }, { 0 } } };
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct chat_reader t;

		model_fixture_script(scripts[i]);
		chat_reader_start(&t);
		turn_until_count(model_fixture.worker, &model_fixture.requests, 1);
		turn_for(model_fixture.worker, 30); /* what is answered comes, or not */
		assert_int_equal(model_fixture.requests, 1);
		assert_false(t.probe.ended);
		flow_abort(&t.probe.flow, ERR_CLIENT_GONE, "left");
		model_fixture_turn_until_idle();
		assert_int_equal(t.probe.err.code, ERR_CLIENT_GONE);
		assert_null(t.stream);
		turn_until_count(model_fixture.worker, &model_fixture.peer.closed, i + 1);
		assert_int_equal(model_fixture.peer.closed, i + 1);
		chat_reader_free(&t);
	}
}

/* At every turn of the loop, from before the request to after the answer. */
static void
an_answer_may_be_abandoned_at_every_turn(void **state)
{
	const struct scripted_response scripts[][3] = {
		{ { "200 OK", NULL, WORD("a") FINISH DONE, STREAM }, { 0 } },
		{ { "500 Oh", NULL, "{}", STREAM }, { "200 OK", NULL, WORD("a") DONE, STREAM },
		    { 0 } },
	};
	unsigned turns, i, finished = 0;

	(void)state;
	for (i = 0; i < 2; i++) {
		for (turns = 0; turns < 40; turns++) {
			struct chat_reader t;
			unsigned n;

			model_fixture_script(scripts[i]);
			chat_reader_start(&t);
			for (n = 0; n < turns; n++)
				worker_turn(model_fixture.worker, n % 8 == 7 ? 1 : 0);
			if (turns == 39)
				turn_until(model_fixture.worker, &t.probe.ended);
			flow_abort(&t.probe.flow, ERR_SHUTDOWN, "enough");
			model_fixture_turn_until_idle();
			assert_true(t.probe.ended);
			assert_null(t.stream);
			finished += t.probe.err.code == ERR_NONE;
			chat_reader_free(&t);
			turn_for(model_fixture.worker, 2); /* a closed connection is noticed */
		}
	}
	assert_true(finished >= 2 && finished < 80);
}

/* A puller that waits: the server is held back, and nothing is lost. */
#define MANY 200000
static void
a_slow_puller_holds_the_model_back(void **state)
{
	static const char word[] = WORD("0123456789abcdefghijklmnopqrstuvwxyz");
	char *body = malloc(MANY * (sizeof(word) - 1) + sizeof(DONE));
	const struct scripted_response script[] = { { "200 OK", NULL, body, STREAM }, { 0 } };
	struct chat_reader t;
	size_t i;

	(void)state;
	for (i = 0; i < MANY; i++)
		memcpy(body + i * (sizeof(word) - 1), word, sizeof(word) - 1);
	memcpy(body + MANY * (sizeof(word) - 1), DONE, sizeof(DONE));
	model_fixture_script(script);
	chat_reader_start(&t);
	t.held = true;
	turn_until_count(model_fixture.worker, &t.pulls, 1);
	while (t.received.len == 0 && !t.probe.ended)
		worker_turn(model_fixture.worker, 5);
	turn_for(model_fixture.worker, 100);
	assert_int_equal(t.pulls, 1);
	assert_true(t.delta.text.len < 128 * 1024);
	/* The rest is in the server and the kernel, not with us. */
	assert_true(
	    evbuffer_get_length(bufferevent_get_output(model_fixture.peer.conns[0].bev)) > 1 << 20);
	assert_false(t.probe.ended);
	t.held = false;
	flow_wake(&t.probe.flow);
	turn_until(model_fixture.worker, &t.probe.ended);
	assert_int_equal(t.probe.err.code, ERR_NONE);
	assert_int_equal(t.received.len, MANY * 36);
	chat_reader_free(&t);
	free(body);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, model_fixture_set_up, model_fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_whole_answer_is_read),
		TEST(connections_are_kept),
		TEST(a_failure_before_the_first_byte_is_tried_again),
		TEST(an_event_past_the_ceiling_is_refused),
		TEST(an_abandoned_answer_closes_its_connection),
		TEST(an_answer_may_be_abandoned_at_every_turn),
		TEST(a_slow_puller_holds_the_model_back),
	};

	return cmocka_run_group_tests_name("model_chat", tests, NULL, NULL);
}
