/* SPDX-License-Identifier: MIT */
/*
 * What a lost reply costs at the model: one chat, which it may be at work on and bills, however
 * many tries may follow a status; vectors are asked for again. What the server has received is
 * counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model_fixture.h"

struct lost_call {
	struct probe probe;
	struct model_stream *stream;
	float *vector;
	struct model_usage usage;
};

static enum flow_rc
lost_chat(struct flow *f)
{
	static const struct model_message question = { .role = "user", .content = { "why", 3 } };
	const struct model_chat chat = { .messages = &question, .message_count = 1 };
	struct lost_call *c = (struct lost_call *)f;

	return model_chat_start(f, model_fixture.model,
	    &(struct model_asker){ .tenant = SLICE_LIT("acme") }, &chat, &c->stream);
}

static enum flow_rc
lost_embedding(struct flow *f)
{
	static const struct slice text = { "why", 3 };
	struct lost_call *c = (struct lost_call *)f;

	return model_embed(f, model_fixture.model,
	    &(struct model_asker){ .tenant = SLICE_LIT("acme") }, &text, 1, &c->vector, &c->usage);
}

/* The first is refused, and its connection kept; the second is lost on that one at the instant of
 * reuse, the third on a new one. Nothing follows them. */
static void
each_chat_is_received_once(unsigned retries)
{
	const struct scripted_response script[] = { { "403 No", NULL, "{}", WHOLE },
		{ "-", NULL, NULL, LOST }, { "-", NULL, NULL, LOST }, { 0 } };
	struct model_conf conf;

	model_fixture_conf(&conf);
	conf.retries = retries;
	model_fixture_reopen(&conf);
	model_fixture_script(script);
	for (unsigned n = 1; n <= 3; n++) {
		struct lost_call c = { 0 };

		probe_start(&c.probe, model_fixture.worker, lost_chat, NULL);
		turn_until(model_fixture.worker, &c.probe.ended);
		model_fixture_turn_until_idle();
		turn_for(model_fixture.worker, 20);
		assert_int_equal(c.probe.err.code, ERR_MODEL);
		assert_int_equal(model_fixture.requests, n);
	}
}

static void
a_lost_reply_is_one_chat(void **state)
{
	(void)state;
	each_chat_is_received_once(0);
	each_chat_is_received_once(3);
}

/* The kept connection's is lost, a new one's, and then no more tries are left. */
static void
a_lost_embedding_is_asked_again(void **state)
{
	const struct scripted_response script[] = { { "403 No", NULL, "{}", WHOLE },
		{ "-", NULL, NULL, LOST }, { "-", NULL, NULL, LOST }, { "-", NULL, NULL, LOST },
		{ 0 } };
	struct model_conf conf;

	(void)state;
	model_fixture_conf(&conf);
	conf.retries = 2;
	model_fixture_reopen(&conf);
	model_fixture_script(script);
	for (unsigned n = 1; n <= 2; n++) {
		struct lost_call c = { 0 };

		probe_start(&c.probe, model_fixture.worker, lost_embedding, NULL);
		turn_until(model_fixture.worker, &c.probe.ended);
		model_fixture_turn_until_idle();
		assert_int_equal(c.probe.err.code, ERR_MODEL);
		assert_int_equal(model_fixture.requests, n == 1 ? 1 : 4);
	}
}

/* Our own rule: a status that says "later" is the server's word that nothing was done. */
static void
what_the_model_puts_off_is_asked_again(void **state)
{
	const struct scripted_response script[] = { { "503 Busy", NULL, "{}", WHOLE },
		{ "503 Busy", NULL, "{}", WHOLE }, { "-", NULL, NULL, LOST }, { 0 } };
	struct model_conf conf;
	struct lost_call c = { 0 };

	(void)state;
	model_fixture_conf(&conf);
	conf.retries = 3;
	model_fixture_reopen(&conf);
	model_fixture_script(script);
	probe_start(&c.probe, model_fixture.worker, lost_chat, NULL);
	turn_until(model_fixture.worker, &c.probe.ended);
	assert_int_equal(c.probe.err.code, ERR_MODEL);
	assert_int_equal(model_fixture.requests, 3);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, model_fixture_set_up, model_fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_lost_reply_is_one_chat),
		TEST(a_lost_embedding_is_asked_again),
		TEST(what_the_model_puts_off_is_asked_again),
	};

	return cmocka_run_group_tests_name("model_lost", tests, NULL, NULL);
}
