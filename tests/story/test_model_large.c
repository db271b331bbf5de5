/* SPDX-License-Identifier: MIT */
/*
 * Large requests and responses of the model: written and decoded by a helper, the same as small
 * ones, and nothing of them is used after it was freed, nor left, wherever the flow is aborted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model_fixture.h"
#include "tenantgate/loop/offload.h"

#define TEXTS	   2000		 /* of an embedding; each has 3 floats */
#define TEXT_BYTES (100u * 1000) /* of a question */
#define TURNS	   40		 /* an abort after each of so many turns of the loop */

struct large_call {
	struct probe probe;
	struct slice texts[TEXTS];
	float *vectors; /* owned */
	struct model_usage usage;
	struct model_message message;
	struct model_stream *stream;
};

static struct offload *offload;
static struct buf body, question;
static const struct scripted_response fine[] = {
	{ "200 OK", "Content-Type: application/json\r\n", NULL, WHOLE }, { 0 }
};
static struct scripted_response script[2];
static struct large_call call;

/* The vector of text i is [i, 1, 2]; the last comes first. */
static int
set_up(void **state)
{
	struct offload_conf conf;

	if (model_fixture_set_up(state) != 0)
		return -1;
	offload_conf_init(&conf);
	offload = offload_open(&conf);
	offload_attach(offload, model_fixture.worker);
	model_fixture.offload = offload;
	buf_init(&body, 1 << 20);
	buf_puts(&body, "{\"usage\":{\"prompt_tokens\":9},\"data\":[");
	for (int i = TEXTS - 1; i >= 0; i--)
		buf_printf(&body, "{\"index\":%d,\"embedding\":[%d.0000,1.0000,2.0000]}%s", i, i,
		    i > 0 ? "," : "]}");
	buf_init(&question, TEXT_BYTES);
	memset(buf_extend(&question, TEXT_BYTES), '"', TEXT_BYTES);
	assert_false(body.failed);
	memcpy(script, fine, sizeof(script));
	script[0].body = body.data;
	model_fixture_script(script);
	return 0;
}

static int
tear_down(void **state)
{
	model_fixture_tear_down(state);
	buf_free(&body);
	buf_free(&question);
	return 0;
}

static uint64_t
helped(void)
{
	struct offload_stats stats;

	offload_stats(offload, &stats);
	return stats.done_total;
}

static enum flow_rc
large_call_embed(struct flow *f)
{
	struct large_call *c = (struct large_call *)f;

	return model_embed(f, model_fixture.model,
	    &(struct model_asker){ .tenant = SLICE_LIT("acme") }, c->texts, TEXTS, &c->vectors,
	    &c->usage);
}

static void
large_call_stop(void *arg)
{
	model_chat_stop(arg);
}

static enum flow_rc
large_call_ask(struct flow *f)
{
	struct large_call *c = (struct large_call *)f;
	const struct model_chat chat = { .messages = &c->message,
		.message_count = 1,
		.temperature = -1 };

	flow_defer(f, large_call_stop, &c->stream);
	return model_chat_start(f, model_fixture.model,
	    &(struct model_asker){ .tenant = SLICE_LIT("acme") }, &chat, &c->stream);
}

static void
large_call_start(flow_step_fn *step)
{
	memset(&call, 0, sizeof(call));
	for (int i = 0; i < TEXTS; i++)
		call.texts[i] = SLICE_LIT("x");
	call.message = (struct model_message){ .role = "user", .content = buf_view(&question) };
	probe_start(&call.probe, model_fixture.worker, step, NULL);
}

static void
a_large_response_becomes_vectors(void **state)
{
	(void)state;
	large_call_start(large_call_embed);
	turn_until(model_fixture.worker, &call.probe.ended);
	assert_int_equal(call.probe.err.code, ERR_NONE);
	assert_int_equal(call.usage.input_tokens, 9);
	for (int i = 0; i < TEXTS; i++)
		assert_true((int)call.vectors[3 * i] == i && (int)call.vectors[3 * i + 2] == 2);
	assert_int_equal(helped(), 1);
	free(call.vectors);
}

static void
a_long_question_is_written_whole(void **state)
{
	const char *text;

	(void)state;
	large_call_start(large_call_ask);
	turn_until(model_fixture.worker, &call.probe.ended);
	assert_int_equal(helped(), 1);
	text =
	    strstr(model_fixture.request.data, "\"messages\":[{\"role\":\"user\",\"content\":\"");
	assert_non_null(text);
	text = strchr(text, '\\');
	for (unsigned i = 0; i < TEXT_BYTES; i++)
		assert_memory_equal(text + 2 * i, "\\\"", 2);
	assert_memory_equal(text + 2 * (size_t)TEXT_BYTES, "\"}],\"stream\":true", 17);
}

static void
aborted_at_each_turn(flow_step_fn *step)
{
	for (int turns = 0; turns < TURNS; turns++) {
		large_call_start(step);
		for (int i = 0; i < turns && !call.probe.ended; i++)
			worker_turn(model_fixture.worker, 1);
		/* What it borrows goes at once. */
		flow_abort(&call.probe.flow, ERR_CLIENT_GONE, "The client left.");
		call.message.content = slice_of(NULL, 0);
		model_fixture_turn_until_idle();
		assert_true(call.probe.ended);
		free(call.vectors);
	}
}

static void
a_call_may_be_aborted_anywhere(void **state)
{
	(void)state;
	aborted_at_each_turn(large_call_embed);
	aborted_at_each_turn(large_call_ask);
	assert_true(helped() > 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_large_response_becomes_vectors),
		TEST(a_long_question_is_written_whole),
		TEST(a_call_may_be_aborted_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
