/* SPDX-License-Identifier: MIT */
/*
 * One event after another of a chat stream, as OpenAI and its look-alikes send them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/delta.h"

#define CHUNK(rest) "{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1," rest "}"

static struct delta d;

static int
set_up(void **state)
{
	(void)state;
	delta_init(&d, 64);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	delta_free(&d);
	return 0;
}

static enum delta_rc
say(const char *data)
{
	size_t len = strlen(data);
	char *copy = malloc(len);
	enum delta_rc rc;

	memcpy(copy, data, len);
	rc = delta_add(&d, slice_of(copy, len));
	free(copy);
	return rc;
}

static void
a_canonical_stream_is_read(void **state)
{
	(void)state;
	assert_int_equal(say(CHUNK("\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\","
				   "\"content\":\"\"},\"finish_reason\":null}],\"usage\":null")),
	    DELTA_FINE);
	assert_int_equal(d.text.len, 0);
	assert_int_equal(say(CHUNK("\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"},"
				   "\"finish_reason\":null}]")),
	    DELTA_FINE);
	assert_int_equal(say(CHUNK(
			     "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\\n\"}}]")),
	    DELTA_FINE);
	assert_string_equal(d.text.data, "Hello\n");
	assert_null(d.finish_reason);
	assert_int_equal(delta_usage(&d).output_tokens, 2);
	assert_false(delta_usage(&d).known);
	assert_int_equal(say(CHUNK("\"choices\":[{\"index\":0,\"delta\":{},"
				   "\"finish_reason\":\"stop\"}]")),
	    DELTA_FINE);
	assert_string_equal(d.finish_reason, "stop");
	assert_int_equal(say(CHUNK("\"choices\":[],\"usage\":{\"prompt_tokens\":3,"
				   "\"completion_tokens\":7,\"total_tokens\":10,\"prompt_tokens_"
				   "details\":{}}")),
	    DELTA_FINE);
	assert_int_equal(delta_usage(&d).input_tokens, 3);
	assert_int_equal(delta_usage(&d).output_tokens, 7);
	assert_true(delta_usage(&d).known);
	assert_false(d.done);
	assert_int_equal(say("[DONE]"), DELTA_FINE);
	assert_true(d.done);
	assert_string_equal(d.text.data, "Hello\n");
}

static void
odd_events_are_read(void **state)
{
	static const char *const events[] = {
		"{}",
		"{\"choices\":[]}",
		"{\"choices\":null}",
		"{\"choices\":[{}]}",
		"{\"choices\":[{\"delta\":null,\"finish_reason\":null}]}",
		"{\"choices\":[{\"delta\":{\"content\":null,\"tool_calls\":[{\"index\":0}]}}]}",
		"{\"choices\":[{\"index\":0,\"delta\":{}},{\"index\":1,\"delta\":{\"content\":"
		"\"no\"}}]}",
		"{\"error\":null,\"usage\":{\"prompt_tokens\":null,\"completion_tokens\":-4}}",
		" {\"prompt_filter_results\":[{\"a\":{\"b\":[1,2,{}]}}]} ",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (say(events[i]) != DELTA_FINE)
			fail_msg("%s", events[i]);
	assert_int_equal(d.text.len, 0);
	assert_null(d.finish_reason);
	assert_int_equal(say("{\"choices\":[{\"finish_reason\":\"tool_calls\"}]}"), DELTA_FINE);
	assert_string_equal(d.finish_reason, "tool_calls");
	assert_int_equal(say("{\"choices\":[{\"delta\":{\"refusal\":\"I may not\"}}]}"),
	    DELTA_FINE);
	assert_string_equal(d.text.data, "I may not");
}

static void
errors_and_rubbish_are_told_apart(void **state)
{
	static const char *const broken[] = {
		"hello",
		"[1]",
		"{\"choices\":[{\"delta\":{\"content\":\"a\"}}]",
		"{\"choices\":[{\"delta\":{\"content\":7}}]}",
		"{\"choices\":[7]}",
		"<html>",
		"{\"choices\":[{\"finish_reason\":{}}]}",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		if (say(broken[i]) != DELTA_BROKEN)
			fail_msg("%s", broken[i]);
	assert_int_equal(say("{\"error\":{\"message\":\"x\"},\"choices\":[]}"), DELTA_ERROR);
	assert_int_equal(say("{\"error\":\"x\"}"), DELTA_ERROR);
	assert_int_equal(say("{\"choices\":[{\"delta\":{\"content\":\""
			     "012345678901234567890123456789012345678901234567890123456789012345678"
			     "9\"}}]}"),
	    DELTA_FULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_canonical_stream_is_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(odd_events_are_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(errors_and_rubbish_are_told_apart, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests_name("model_delta", tests, NULL, NULL);
}
