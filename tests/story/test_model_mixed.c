/* SPDX-License-Identifier: MIT */
/*
 * Failures, refusals and models in order, one after another in a single call: each of them must
 * leave nothing to the next try that is no longer true.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/model_internal.h"
#include "order_fixture.h"

#define TOO_LONG      "{\"error\":{\"message\":\"no\",\"code\":\"context_length_exceeded\"}}"
#define NO_OPTIONS    "{\"error\":{\"message\":\"Unknown field: stream_options\"}}"
#define LONG_TEXT     (100u << 10) /* bytes: the request is written by a helper */
#define IDLE_SHORT_US 500000

static const struct scripted_response answer = ORDER_ANSWER;
static const struct scripted_response broken = ORDER_BROKEN;
static const struct scripted_response too_long = { "400 No", NULL, TOO_LONG, WHOLE };
static const struct scripted_response no_options = { "400 No", NULL, NO_OPTIONS, WHOLE };

static struct model_breaker *
first_breaker(void)
{
	return &order_choices[0].server->breakers[MODEL_CHAT];
}

static void
the_requests_fault_after_a_failure_is_the_answer(void **state)
{
	const struct scripted_response script[] = { broken, too_long, { 0 } };

	(void)state;
	model_fixture_script(script);
	order_chat_is("acme", ERR_CONTEXT_LENGTH, "");
	order_servers_got(2, 0);
	assert_int_equal(first_breaker()->failures, 0);
}

/* As a probe it says nothing, and makes room for the next. */
static void
a_probe_that_is_at_fault_itself_is_over(void **state)
{
	const struct scripted_response script[] = { broken, too_long, answer, { 0 } };
	struct model_breaker *b = first_breaker();

	(void)state;
	b->circuit = (struct circuit){ .is_open = true, .opened = 1 };
	model_fixture_script(script);
	order_chat_is("acme", ERR_CONTEXT_LENGTH, "");
	assert_false(b->circuit.is_probing);
	order_chat_is("acme", ERR_NONE, "talker");
	order_servers_got(3, 0);
	assert_false(b->circuit.is_open);
}

/* Each server is asked without the field in its turn, and all of it is written by helpers. */
static void
a_long_question_is_refused_by_both(void **state)
{
	const struct scripted_response script[] = { no_options, broken, broken, no_options, broken,
		answer, { 0 } };
	char *text = malloc(LONG_TEXT);
	struct order_asker a;

	(void)state;
	memset(text, 'x', LONG_TEXT);
	model_fixture_script(script);
	order_begin(&a, "acme");
	a.text = slice_of(text, LONG_TEXT);
	turn_until(model_fixture.worker, &a.probe.ended);
	assert_string_equal(a.name, "other");
	order_servers_got(3, 3);
	assert_null(strstr(model_fixture.request.data, "stream_options"));
	assert_true(model_fixture.request.len > LONG_TEXT);
	free(text);
}

/* A status is the server's word, whatever becomes of the body behind it. */
static void
a_status_without_its_body_counts(void **state)
{
	const struct scripted_response cut[] = { { "503 Busy", NULL, "{", CUT }, answer, { 0 } };
	const struct scripted_response stalls[] = { { "500 Oh", NULL, NULL, STALL }, answer,
		{ 0 } };

	(void)state;
	model_fixture_script(cut);
	order_chat_is("acme", ERR_NONE, "talker");
	order_servers_got(2, 0);
	/* The first byte of an error is not waited for as long as that of an answer. */
	order_choices[0].server->conf.idle_timeout_us = IDLE_SHORT_US;
	model_fixture_script(stalls);
	order_chat_is("acme", ERR_NONE, "talker");
	order_servers_got(2, 0);
}

/* 1xx and then the end is no response. */
static void
an_interim_response_alone_is_none(void **state)
{
	const struct scripted_response script[] = {
		{ "101 Switching Protocols", "Upgrade: h2c\r\n", ORDER_WORDS, CUT }, answer, { 0 }
	};

	(void)state;
	model_fixture_script(script);
	order_chat_is("acme", ERR_NONE, "other");
	order_servers_got(1, 1);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, order_set_up, order_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_requests_fault_after_a_failure_is_the_answer),
		TEST(a_probe_that_is_at_fault_itself_is_over),
		TEST(a_long_question_is_refused_by_both),
		TEST(a_status_without_its_body_counts),
		TEST(an_interim_response_alone_is_none),
	};

	return cmocka_run_group_tests_name("model_mixed", tests, NULL, NULL);
}
