/* SPDX-License-Identifier: MIT */
/*
 * A model's streams and embedding calls among tenants: what one tenant holds keeps no other from
 * its own, who waits is served when a place comes free, and every place is given back (the budgets
 * refuse to be closed otherwise).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model_fixture.h"

#define STREAMS	  256
#define ASKERS	  300
#define NOISY_HAS 192 /* three quarters: the rule of base/budget.h */

#define WORD   "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
#define STOP   "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define VECTOR "{\"data\":[{\"index\":0,\"embedding\":[1,2,3]}]}"

struct shares_asker {
	struct probe probe;
	const char *tenant;
	struct model_stream *stream;
	struct model_delta delta;
	struct model_usage usage;
	float *vector;
	bool answered; /* its first words, or its vector, have come */
};

static struct shares_asker askers[ASKERS], quiet;

static void
model_asker_stop(void *arg)
{
	model_chat_stop(arg);
}

static enum flow_rc
model_asker_start(struct flow *f)
{
	static const struct model_message question = { .role = "user", .content = { "why", 3 } };
	const struct model_chat chat = { .messages = &question, .message_count = 1 };
	struct shares_asker *a = (struct shares_asker *)f;

	flow_defer(f, model_asker_stop, &a->stream);
	return model_chat_start(f, model_fixture.model,
	    &(struct model_asker){ .tenant = slice_str(a->tenant) }, &chat, &a->stream);
}

static enum flow_rc
model_asker_read(struct flow *f)
{
	struct shares_asker *a = (struct shares_asker *)f;

	if (a->delta.text.len > 0)
		a->answered = true;
	if (a->delta.finished)
		return FLOW_DONE;
	flow_goto(f, model_asker_read);
	return model_chat_pull(f, a->stream, &a->delta);
}

static void
model_asker_asks(struct shares_asker *a, const char *tenant)
{
	*a = (struct shares_asker){ .tenant = tenant };
	probe_start(&a->probe, model_fixture.worker, model_asker_start, model_asker_read);
}

static enum flow_rc
model_asker_embed(struct flow *f)
{
	struct shares_asker *a = (struct shares_asker *)f;
	static const struct slice text = { "text", 4 };

	return model_embed(f, model_fixture.model,
	    &(struct model_asker){ .tenant = slice_str(a->tenant) }, &text, 1, &a->vector,
	    &a->usage);
}

static enum flow_rc
model_asker_embedded(struct flow *f)
{
	free(((struct shares_asker *)f)->vector);
	((struct shares_asker *)f)->answered = true;
	return FLOW_DONE;
}

static void
model_asker_embeds(struct shares_asker *a, const char *tenant)
{
	*a = (struct shares_asker){ .tenant = tenant };
	probe_start(&a->probe, model_fixture.worker, model_asker_embed, model_asker_embedded);
}

static void
askers_leave(unsigned first, unsigned n)
{
	for (; n > 0; n--, first++)
		if (!askers[first].probe.ended)
			flow_abort(&askers[first].probe.flow, ERR_CLIENT_GONE, "left");
}

/* What the server plays: `n` streams that say a word and then nothing, then the others. */
static void
script_stalls(unsigned n, const struct scripted_response *then, unsigned count)
{
	static struct scripted_response script[ASKERS + 1];

	memset(script, 0, sizeof(script));
	for (unsigned i = 0; i < n; i++)
		script[i] = (struct scripted_response){ "200 OK", NULL, WORD, STALL };
	for (unsigned i = 0; i < count; i++)
		script[n + i] = then[i];
	model_fixture_script(script);
}

static void
reopen_with(unsigned streams, unsigned embeddings, uint64_t wait_us)
{
	struct model_conf conf;

	model_fixture_conf(&conf);
	conf.streams_max = streams;
	conf.embeddings_max = embeddings;
	conf.wait_timeout_us = wait_us;
	conf.retries = 0;
	model_fixture_reopen(&conf);
}

/* 300 askers of one tenant take three quarters of 256 and hold them; another tenant's embedding and
 * stream reach the server as if nobody else were there. */
static void
slow_streams_of_one_tenant_delay_no_other(void **state)
{
	static const struct scripted_response then[] = { { "200 OK", NULL, VECTOR, WHOLE },
		{ "200 OK", NULL, WORD STOP, STREAM } };

	(void)state;
	reopen_with(STREAMS, 64, 30 * 1000000u);
	script_stalls(NOISY_HAS, then, 2);
	for (unsigned i = 0; i < ASKERS; i++)
		model_asker_asks(&askers[i], "noisy");
	for (unsigned i = 0; i < NOISY_HAS; i++)
		turn_until(model_fixture.worker, &askers[i].answered);
	assert_int_equal(model_fixture.requests, NOISY_HAS);
	model_asker_embeds(&quiet, "quiet");
	turn_until(model_fixture.worker, &quiet.answered);
	model_asker_asks(&quiet, "quiet");
	turn_until(model_fixture.worker, &quiet.probe.ended);
	assert_true(quiet.answered);
	assert_int_equal(quiet.probe.err.code, ERR_NONE);
	assert_int_equal(model_fixture.requests, NOISY_HAS + 2);
	askers_leave(0, ASKERS);
}

static void
a_stream_that_ends_lets_the_next_begin(void **state)
{
	static const struct scripted_response then[] = { { "200 OK", NULL, WORD STOP, STREAM } };

	(void)state;
	reopen_with(1, 1, 30 * 1000000u);
	script_stalls(1, then, 1);
	model_asker_asks(&askers[0], "t");
	model_asker_asks(&askers[1], "t");
	turn_until(model_fixture.worker, &askers[0].answered);
	assert_int_equal(model_fixture.requests, 1);
	askers_leave(0, 1);
	turn_until(model_fixture.worker, &askers[1].probe.ended);
	assert_true(askers[1].answered);
}

static void
one_that_leaves_while_it_waits_asks_nothing(void **state)
{
	(void)state;
	reopen_with(1, 1, 30 * 1000000u);
	script_stalls(1, NULL, 0);
	model_asker_asks(&askers[0], "t");
	model_asker_asks(&askers[1], "t");
	turn_until(model_fixture.worker, &askers[0].answered);
	askers_leave(1, 1);
	askers_leave(0, 1);
	model_fixture_turn_until_idle();
	assert_int_equal(model_fixture.requests, 1);
}

static void
a_wait_that_is_too_long_names_what_is_scarce(void **state)
{
	(void)state;
	reopen_with(1, 1, 1000);
	script_stalls(1, NULL, 0);
	model_asker_asks(&askers[0], "t");
	turn_until(model_fixture.worker, &askers[0].answered);
	model_asker_asks(&askers[1], "t");
	turn_until(model_fixture.worker, &askers[1].probe.ended);
	assert_int_equal(askers[1].probe.err.code, ERR_OVERLOADED);
	assert_non_null(strstr(askers[1].probe.err.detail, "model streams"));
	assert_non_null(strstr(askers[1].probe.err.detail, "max_model_streams"));
	assert_in_range(askers[1].probe.err.retry_after, 1, 60);
	askers_leave(0, 1);
}

/* Embedding calls have a budget of their own: one that hangs costs no stream its place. */
static void
an_embedding_call_takes_no_streams_place(void **state)
{
	static const struct scripted_response script[] = { { "200 OK", NULL, NULL, SILENCE },
		{ "200 OK", NULL, WORD STOP, STREAM }, { 0 } };

	(void)state;
	reopen_with(1, 1, 30 * 1000000u);
	model_fixture_script(script);
	model_asker_embeds(&askers[0], "t");
	turn_until_count(model_fixture.worker, &model_fixture.requests, 1);
	model_asker_asks(&askers[1], "t");
	turn_until(model_fixture.worker, &askers[1].probe.ended);
	assert_true(askers[1].answered);
	askers_leave(0, 1);
}

static void
a_failed_call_gives_its_place_back(void **state)
{
	static const struct scripted_response script[] = { { "403 Forbidden", NULL, "{}", WHOLE },
		{ "403 Forbidden", NULL, "{}", WHOLE }, { "200 OK", NULL, VECTOR, WHOLE },
		{ "200 OK", NULL, WORD STOP, STREAM }, { 0 } };

	(void)state;
	reopen_with(1, 1, 30 * 1000000u);
	model_fixture_script(script);
	model_asker_embeds(&askers[0], "t");
	turn_until(model_fixture.worker, &askers[0].probe.ended);
	model_asker_asks(&askers[1], "t");
	turn_until(model_fixture.worker, &askers[1].probe.ended);
	model_asker_embeds(&askers[2], "t");
	turn_until(model_fixture.worker, &askers[2].probe.ended);
	model_asker_asks(&askers[3], "t");
	turn_until(model_fixture.worker, &askers[3].probe.ended);
	assert_int_equal(askers[0].probe.err.code, ERR_MODEL);
	assert_int_equal(askers[1].probe.err.code, ERR_MODEL);
	assert_true(askers[2].answered && askers[3].answered);
}

#define SHARES_TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, model_fixture_set_up, model_fixture_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SHARES_TEST(slow_streams_of_one_tenant_delay_no_other),
		SHARES_TEST(a_stream_that_ends_lets_the_next_begin),
		SHARES_TEST(one_that_leaves_while_it_waits_asks_nothing),
		SHARES_TEST(a_wait_that_is_too_long_names_what_is_scarce),
		SHARES_TEST(an_embedding_call_takes_no_streams_place),
		SHARES_TEST(a_failed_call_gives_its_place_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
