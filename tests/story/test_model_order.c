/* SPDX-License-Identifier: MIT */
/*
 * Two models in order, of two servers: which is asked, how often, and what ends the asking. One
 * scripted server plays both; its request lines tell them apart.
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
#include "tenantgate/base/clock.h"

#define QUOTA	  "{\"error\":{\"message\":\"pay\",\"code\":\"insufficient_quota\"}}"
#define LONG_TEXT (100u << 10) /* bytes: the request is written by a helper */

static const struct scripted_response answer = ORDER_ANSWER;
static const struct scripted_response broken = ORDER_BROKEN;

static void
after_all_tries_of_the_first_the_second_is_asked(void **state)
{
	const struct scripted_response script[] = { broken, broken, answer, { 0 } };

	(void)state;
	model_fixture_script(script);
	order_chat_is("acme", ERR_NONE, "other");
	order_servers_got(2, 1);
	assert_non_null(strstr(model_fixture.request.data, "{\"model\":\"other\""));
}

static void
a_lost_connection_is_one_try_of_each(void **state)
{
	const struct scripted_response script[] = { { "-", NULL, NULL, LOST }, answer, { 0 } };

	(void)state;
	model_fixture_script(script);
	order_chat_is("acme", ERR_NONE, "other");
	order_servers_got(1, 1);
}

/* What a server of models says of the request itself. */
static void
the_requests_own_fault_is_the_answer(void **state)
{
	static const char *const statuses[] = { "400 No", "413 Large", "422 No" };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		const struct scripted_response script[] = {
			{ statuses[i], NULL, "{\"code\":\"model_not_found\"}", WHOLE }, { 0 }
		};

		model_fixture_script(script);
		order_chat_is("acme", ERR_MODEL, "");
		order_servers_got(1, 0);
	}
}

static void
the_last_ones_failure_is_the_answer(void **state)
{
	const struct scripted_response script[] = { broken, broken,
		{ "429 Slow", "Retry-After: 30\r\n", "{}", WHOLE }, { 0 } };

	(void)state;
	model_fixture_script(script);
	order_chat_is("acme", ERR_OVERLOADED, "");
	order_servers_got(2, 1);
}

/* Its answer breaks off, but it has begun: that is the caller's to see. */
static void
after_the_first_byte_nobody_else_is_asked(void **state)
{
	const struct scripted_response script[] = { { "200 OK", NULL, "data: {", CUT }, { 0 } };

	(void)state;
	model_fixture_script(script);
	order_chat_is("acme", ERR_NONE, "talker");
	order_servers_got(1, 0);
}

static void
a_long_question_is_written_anew(void **state)
{
	const struct scripted_response script[] = { broken, broken, answer, { 0 } };
	char *text = malloc(LONG_TEXT);
	struct order_asker a;

	(void)state;
	memset(text, 'x', LONG_TEXT);
	model_fixture_script(script);
	order_begin(&a, "acme");
	a.text = slice_of(text, LONG_TEXT);
	turn_until(model_fixture.worker, &a.probe.ended);
	assert_string_equal(a.name, "other");
	order_servers_got(2, 1);
	assert_non_null(strstr(model_fixture.request.data, "{\"model\":\"other\""));
	assert_true(model_fixture.request.len > LONG_TEXT);
	free(text);
}

static void
a_retry_after_keeps_calls_away(void **state)
{
	const struct scripted_response script[] = {
		{ "429 Slow", "Retry-After: 30\r\n", "{}", WHOLE }, answer, { 0 }
	};
	const struct scripted_response answers[] = { answer, { 0 } };

	(void)state;
	model_fixture_script(script);
	order_chat_is("acme", ERR_NONE, "other");
	order_servers_got(1, 1);
	model_fixture_script(answers);
	order_chat_is("other tenant", ERR_NONE, "other");
	order_servers_got(0, 1);
}

/* Alone: told when to come back, and not asked. A quota that is used up is the same for minutes. */
static void
who_has_no_other_is_told_when_to_come_back(void **state)
{
	const struct scripted_response slow[] = {
		{ "503 Busy", "Retry-After: 30\r\n", "{}", WHOLE }, { 0 }
	};
	struct order_asker a;

	(void)state;
	model_fixture.model->chat_choice_count = 1;
	model_fixture_script(slow);
	order_chat_is("acme", ERR_OVERLOADED, "");
	order_begin(&a, "acme");
	turn_until(model_fixture.worker, &a.probe.ended);
	assert_int_equal(a.probe.err.code, ERR_OVERLOADED);
	assert_in_range(a.probe.err.retry_after, 25, 30);
	order_servers_got(1, 0);
}

static void
opens_the_breaker_as_a_quota(const char *status, const char *body)
{
	const struct scripted_response script[] = { { status, NULL, body, WHOLE }, answer, answer,
		{ 0 } };
	struct condition found = { .is_ill = false };

	model_fixture_script(script);
	order_chat_is("acme", ERR_NONE, "other");
	order_chat_is("acme", ERR_NONE, "other");
	order_servers_got(1, 2);
	model_condition(model_fixture.model, &found);
	assert_non_null(strstr(found.reason, "The quota of the chat model has been used up"));
}

static void
a_quota_that_is_used_up_opens_the_breaker(void **state)
{
	(void)state;
	opens_the_breaker_as_a_quota("429 Slow", QUOTA);
}

/* Of a prepaid account; no word in the body says so. */
static void
a_402_is_a_quota_too(void **state)
{
	(void)state;
	opens_the_breaker_as_a_quota("402 Payment Required", "{}");
}

/* A pause of a second is waited through. */
static void
a_short_pause_is_waited_for(void **state)
{
	const struct scripted_response script[] = {
		{ "429 Slow", "Retry-After: 1\r\n", "{}", WHOLE }, answer, answer, { 0 }
	};
	struct model_breaker *breaker = &order_choices[0].server->breakers[MODEL_CHAT];
	struct order_asker a, b;

	(void)state;
	model_fixture_script(script);
	order_begin(&a, "acme");
	while (breaker->paused_until_us == 0)
		turn_for(model_fixture.worker, 1);
	order_begin(&b, "umbrella");
	while (model_fixture.requests == 1)
		turn_for(model_fixture.worker, 1);
	assert_true(clock_mono_us() >= breaker->paused_until_us);
	turn_until(model_fixture.worker, &a.probe.ended);
	turn_until(model_fixture.worker, &b.probe.ended);
	assert_string_equal(a.name, "talker");
	assert_string_equal(b.name, "talker");
	order_servers_got(3, 0);
}

/* The failures of several tenants open the first's breaker: it is not asked, and later once. */
static void
an_open_breaker_costs_no_request(void **state)
{
	const struct scripted_response ill[] = { broken, broken, answer, { 0 } };
	const struct scripted_response well[] = { answer, { 0 } };
	struct model_breaker *b = &order_choices[0].server->breakers[MODEL_CHAT];
	struct order_asker a;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		model_fixture_script(ill);
		order_chat_is(i % 2 == 0 ? "acme" : "umbrella", ERR_NONE, "other");
		order_servers_got(2, 1);
	}
	model_fixture_script(well);
	order_chat_is("acme", ERR_NONE, "other");
	order_servers_got(0, 1);

	/* Its time is over: a client that leaves while it is the probe makes room for the next. */
	b->circuit.retry_us = 0;
	model_fixture_script((const struct scripted_response[]){ { "-", NULL, NULL, SILENCE },
	    answer, answer, { 0 } });
	order_begin(&a, "acme");
	while (model_fixture.requests == 0)
		turn_for(model_fixture.worker, 1);
	order_chat_is("umbrella", ERR_NONE, "other");
	flow_abort(&a.probe.flow, ERR_CLIENT_GONE, "left");
	turn_until(model_fixture.worker, &a.probe.ended);
	order_chat_is("umbrella", ERR_NONE, "talker");
	order_servers_got(2, 1);
	assert_false(b->circuit.is_open);
}

static enum flow_rc
embedding_ask(struct flow *f)
{
	static const struct slice text = { "why", 3 };
	static struct model_usage usage;
	static float *vector;

	return model_embed(f, model_fixture.model,
	    &(struct model_asker){ .tenant = SLICE_LIT("acme") }, &text, 1, &vector, &usage);
}

/* Embeddings have a breaker of their own, at the same server. */
static void
embeddings_are_kept_away_too(void **state)
{
	const struct scripted_response slow[] = {
		{ "429 Slow", "Retry-After: 30\r\n", "{}", WHOLE }, { 0 }
	};
	const struct scripted_response well[] = { answer, { 0 } };

	(void)state;
	model_fixture_script(slow);
	for (unsigned i = 0; i < 3; i++) {
		struct probe p = { 0 };

		probe_start(&p, model_fixture.worker, embedding_ask, NULL);
		turn_until(model_fixture.worker, &p.ended);
		assert_int_equal(p.err.code, ERR_OVERLOADED);
		assert_in_range(p.err.retry_after, 25, 30);
		assert_int_equal(model_fixture.requests, 1);
	}
	model_fixture_script(well);
	order_chat_is("acme", ERR_NONE, "talker");
	order_servers_got(1, 0);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, order_set_up, order_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(after_all_tries_of_the_first_the_second_is_asked),
		TEST(a_lost_connection_is_one_try_of_each),
		TEST(the_requests_own_fault_is_the_answer),
		TEST(the_last_ones_failure_is_the_answer),
		TEST(after_the_first_byte_nobody_else_is_asked),
		TEST(a_long_question_is_written_anew),
		TEST(a_retry_after_keeps_calls_away),
		TEST(who_has_no_other_is_told_when_to_come_back),
		TEST(a_quota_that_is_used_up_opens_the_breaker),
		TEST(a_402_is_a_quota_too),
		TEST(a_short_pause_is_waited_for),
		TEST(an_open_breaker_costs_no_request),
		TEST(embeddings_are_kept_away_too),
	};

	return cmocka_run_group_tests_name("model_order", tests, NULL, NULL);
}
