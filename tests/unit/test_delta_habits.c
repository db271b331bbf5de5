/* SPDX-License-Identifier: MIT */
/*
 * Events as servers send them that differ from OpenAI: what is an error and what is none, words for
 * the end, text in parts, a message in the place of a delta, reasoning, other choices than ours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/delta.h"

/* What one choice says. */
#define CHOICE(parts) "{\"choices\":[{\"index\":0," parts "}]}"

static struct delta d;

static int
set_up(void **state)
{
	(void)state;
	delta_init(&d, 256);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	delta_free(&d);
	return 0;
}

static void
delta_anew(void)
{
	delta_free(&d);
	delta_init(&d, 256);
	buf_puts(&d.text, "");
	buf_puts(&d.reasoning, "");
}

static enum delta_rc
hear(const char *data)
{
	size_t len = strlen(data);
	char *copy = malloc(len + 1);
	enum delta_rc rc;

	memcpy(copy, data, len);
	rc = delta_add(&d, slice_of(copy, len));
	free(copy);
	return rc;
}

static void
errors_have_many_forms(void **state)
{
	static const char *const errors[] = {
		"{\"error\":{\"message\":\"x\"}}",
		"{\"error\":\"x\"}",
		"{\"error\":true}",
		"{\"error\":500}",
		"{\"errors\":[{\"message\":\"x\"}]}",
		"{\"object\":\"error\",\"message\":\"x\",\"code\":400}",
		"{\"object\":\"error\"}",
		"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}",
		"{\"type\":\"error\",\"message\":\"x\"}",
		"{\"error_code\":336003,\"error_msg\":\"x\"}",
		"{\"detail\":\"x\"}",
		"{\"detail\":[{\"loc\":[],\"msg\":\"x\"}]}",
		"{\"code\":\"InternalError\",\"message\":\"x\",\"request_id\":\"1\"}",
		"{\"choices\":[],\"detail\":\"x\"}",
		"{\"choices\":[{\"error\":{\"code\":502}}]}",
		"{\"choices\":[{\"index\":1,\"error\":{\"code\":502}}]}",
		CHOICE("\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\""),
		CHOICE("\"finish_reason\":\"network_error\""),
		CHOICE("\"finish_reason\":\"insufficient_system_resource\""),
		"{\"choices\":[{\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}],"
		"\"error\":{\"code\":502,\"message\":\"x\"}}",
		"{\"error\":{\"message\":null,\"code\":1}}",
	};
	static const char *const good[] = {
		"",
		"  ",
		"{\"error\":null}",
		"{\"error\":\"\"}",
		"{\"error\":{}}",
		"{\"error\":{ }}",
		"{\"error\":[]}",
		"{\"error\":false}",
		"{\"error\":{\"code\":null,\"message\":\"\",\"more\":{}}}",
		"{\"errors\":[],\"error_code\":0,\"detail\":null}",
		"{\"type\":\"ping\"}",
		"{\"object\":\"chat.completion.chunk\",\"message\":\"working\"}",
		"{\"code\":0,\"message\":\"ok\"}",
		"{\"choices\":[{\"delta\":{}}],\"code\":200,\"message\":\"ok\",\"detail\":\"d\"}",
		"{\"choices\":[{\"delta\":{},\"error\":null}]}",
		"{\"choices\":[{\"content_filter_result\":{\"error\":{\"code\":"
		"\"content_filter_error\"}}}]}",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (hear(errors[i]) != DELTA_ERROR)
			fail_msg("no error: %s", errors[i]);
	assert_null(d.finish_reason);
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (hear(good[i]) != DELTA_FINE)
			fail_msg("not fine: %s", good[i]);
	assert_int_equal(d.text.len, 0);
	assert_null(d.finish_reason);
	assert_false(d.done);
}

struct end_word {
	const char *word;
	const char *reason;
};

static const struct end_word end_words[] = {
	{ "stop", "stop" },
	{ "STOP", "stop" },
	{ "eos", "stop" },
	{ "eos_token", "stop" },
	{ "end_turn", "stop" },
	{ "stop_sequence", "stop" },
	{ "length", "length" },
	{ "max_tokens", "length" },
	{ "MAX_TOKENS", "length" },
	{ "model_length", "length" },
	{ "content_filter", "content_filter" },
	{ "SAFETY", "content_filter" },
	{ "function_call", "tool_calls" },
	{ "tool_calls", "tool_calls" },
	{ "tool_use", "tool_calls" },
	{ "who knows", "other" },
	{ "", NULL },
	{ "null", NULL },
	{ "None", NULL },
};

static void
words_for_the_end_are_mapped(void **state)
{
	char event[200];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(end_words) / sizeof(end_words[0]); i++) {
		delta_anew();
		snprintf(event, sizeof(event), CHOICE("\"finish_reason\":\"%s\""),
		    end_words[i].word);
		assert_int_equal(hear(event), DELTA_FINE);
		if (end_words[i].reason == NULL)
			assert_null(d.finish_reason);
		else
			assert_string_equal(d.finish_reason, end_words[i].reason);
	}
	assert_int_equal(hear(CHOICE("\"finish_reason\":\"length\"")), DELTA_FINE);
	assert_int_equal(hear(CHOICE("\"finish_reason\":\"\"")), DELTA_FINE);
	assert_string_equal(d.finish_reason, "length");
}

struct habit {
	const char *events[4]; /* NULL-ended */
	const char *text;
	const char *reasoning;
};

static const struct habit habits[] = {
	/* Parts. */
	{ { CHOICE(
	      "\"delta\":{\"content\":[{\"type\":\"text\",\"text\":\"Hel\"},{\"type\":\"text\","
	      "\"text\":\"lo\"}]}") },
	    "Hello", "" },
	{ { CHOICE("\"delta\":{\"content\":[\"Hel\",\"lo\",{\"type\":\"image_url\",\"image_url\":{"
		   "\"url\":\"x\"}}]}"),
	      CHOICE("\"delta\":{\"content\":[]}") },
	    "Hello", "" },
	{ { CHOICE(
	      "\"delta\":{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\","
	      "\"text\":\"hm\"}]},{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"reference\","
	      "\"reference_ids\":[1]}]}") },
	    "a", "hm" },
	/* A message in the place of the delta; beside it, it repeats. */
	{ { CHOICE("\"message\":{\"role\":\"assistant\",\"content\":\"Hello\"},\"finish_reason\":"
		   "\"stop\"") },
	    "Hello", "" },
	{ { CHOICE("\"message\":{\"content\":\"Hel\"},\"delta\":{\"content\":\"Hel\"}"),
	      CHOICE("\"delta\":{\"content\":\"lo\"},\"message\":{\"content\":\"Hello\"}"),
	      CHOICE("\"message\":{\"content\":\"Hello\"},\"finish_reason\":\"stop\"") },
	    "Hello", "" },
	{ { CHOICE("\"delta\":null,\"message\":null") }, "", "" },
	/* Other choices than ours, wherever their index stands. */
	{ { "{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"no\"},\"finish_reason\":\"stop\"}]"
	    "}",
	      "{\"choices\":[{\"delta\":{\"content\":\"no\"},\"index\":1}]}",
	      CHOICE("\"delta\":{\"content\":\"yes\"}") },
	    "yes", "" },
	{ { "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"yes\"}},{\"index\":1,\"delta\":{"
	    "\"content\":\"no\"}}]}" },
	    "yes", "" },
	{ { "{\"choices\":[{\"delta\":{\"content\":\"yes\"}},{\"delta\":{\"content\":\"no\"}}]}" },
	    "yes", "" },
	{ { "{\"choices\":[{\"delta\":{\"content\":\"yes\"},\"index\":null}]}" }, "yes", "" },
	{ { "{\"choices\":[{\"delta\":{\"content\":\"\\ud83d\"},\"index\":0}]}",
	      "{\"choices\":[{\"delta\":{\"content\":\"no\",\"reasoning\":\"no\"},\"index\":1}]}",
	      "{\"choices\":[{\"delta\":{\"content\":\"\\ude00\"},\"index\":0}]}" },
	    "\xf0\x9f\x98\x80", "" },
	/* Reasoning under one name, and under two. */
	{ { CHOICE("\"delta\":{\"content\":null,\"reasoning_content\":\"hm\"}"),
	      CHOICE("\"delta\":{\"content\":\"a\",\"reasoning_content\":null}") },
	    "a", "hm" },
	{ { CHOICE("\"delta\":{\"reasoning\":\"hm\",\"reasoning_content\":\"hm\"}") }, "", "hm" },
	{ { CHOICE("\"delta\":{\"reasoning_content\":\"\",\"reasoning\":\"hm\"}") }, "", "hm" },
	{ { CHOICE(
	      "\"delta\":{\"content\":\"\",\"reasoning\":\"hm\",\"reasoning_details\":[{\"type\":"
	      "\"reasoning.text\",\"text\":\"hm\",\"signature\":null}]}") },
	    "", "hm" },
	{ { CHOICE("\"delta\":{\"reasoning_details\":[{\"type\":\"reasoning.summary\",\"summary\":"
		   "\"h\"},{\"type\":\"reasoning.encrypted\",\"data\":\"x\"},{\"type\":"
		   "\"reasoning.text\",\"text\":\"m\"}]}") },
	    "", "hm" },
	{ { CHOICE("\"delta\":{\"reasoning\":{\"effort\":\"low\"},\"content\":\"a\"}") }, "a", "" },
	/* Characters cut in two, and bytes that are none. */
	{ { CHOICE("\"delta\":{\"content\":\"\\ud83d\"}"), CHOICE("\"delta\":{\"content\":\"\"}"),
	      CHOICE("\"delta\":{\"content\":\"\\ude00\"}") },
	    "\xf0\x9f\x98\x80", "" },
	{ { CHOICE("\"delta\":{\"content\":\"\xe4\xb8\"}"),
	      CHOICE("\"delta\":{\"content\":\"\xad\"}") },
	    "\xe4\xb8\xad", "" },
	{ { CHOICE("\"delta\":{\"content\":\"a\xff\"}"),
	      CHOICE("\"delta\":{\"content\":\"b\xc3\"}") },
	    "a\xef\xbf\xbd"
	    "b\xef\xbf\xbd",
	    "" },
	{ { CHOICE("\"delta\":{\"reasoning\":\"\\ud83d\",\"content\":\"\xc3\"}"),
	      CHOICE("\"delta\":{\"reasoning\":\"\\ude00\",\"content\":\"\xa9\"}") },
	    "\xc3\xa9", "\xf0\x9f\x98\x80" },
};

static void
text_and_reasoning_are_found(void **state)
{
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(habits) / sizeof(habits[0]); i++) {
		const struct habit *h = &habits[i];

		delta_anew();
		for (j = 0; h->events[j] != NULL; j++)
			if (hear(h->events[j]) != DELTA_FINE)
				fail_msg("not fine: %s", h->events[j]);
		delta_end(&d);
		if (strcmp(d.text.data, h->text) != 0 ||
		    strcmp(d.reasoning.data, h->reasoning) != 0)
			fail_msg("%s ...: '%s', reasoning '%s'", h->events[0], d.text.data,
			    d.reasoning.data);
	}
}

static void
what_is_counted(void **state)
{
	(void)state;
	assert_int_equal(hear(CHOICE("\"delta\":{\"content\":\"a\",\"reasoning\":\"b\"}")),
	    DELTA_FINE);
	assert_int_equal(hear("{\"choices\":[],\"usage\":{}}"), DELTA_FINE);
	assert_int_equal(delta_usage(&d).output_tokens, 2);
	assert_false(delta_usage(&d).known);
	/* A count that has only begun is less than ours. */
	assert_int_equal(hear("{\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":0}}"),
	    DELTA_FINE);
	assert_int_equal(delta_usage(&d).output_tokens, 2);
	assert_int_equal(delta_usage(&d).input_tokens, 9);
	assert_false(delta_usage(&d).known);
	assert_int_equal(hear(CHOICE("\"usage\":{\"input_tokens\":9,\"output_tokens\":5}")),
	    DELTA_FINE);
	assert_int_equal(delta_usage(&d).output_tokens, 5);
	assert_true(delta_usage(&d).known);
	/* What another choice said is not ours to count. */
	assert_int_equal(hear("{\"choices\":[{\"delta\":{\"content\":\"no\"},\"index\":1}]}"),
	    DELTA_FINE);
	assert_int_equal(d.pieces, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(errors_have_many_forms, set_up, tear_down),
		cmocka_unit_test_setup_teardown(words_for_the_end_are_mapped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(text_and_reasoning_are_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_counted, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("delta_habits", tests, NULL, NULL);
}
