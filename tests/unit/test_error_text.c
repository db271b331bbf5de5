/* SPDX-License-Identifier: MIT */
/*
 * What servers say of a failure: whose it is, and words for the log, whatever the form.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/error_text.h"

struct error_case {
	const char *body;
	enum error_reason reason;
	const char *code;
	const char *message;
};

static const struct error_case error_cases[] = {
	{ "{\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":null,\"code\":\"c\"}}",
	    REASON_OTHER, "c", "m" },
	/* Too long: OpenAI, vLLM, llama.cpp, Anthropic, FastAPI, Mistral. */
	{ "{\"error\":{\"message\":\"m\",\"type\":\"invalid_request_error\",\"param\":\"messages\","
	  "\"code\":\"context_length_exceeded\"}}",
	    REASON_LENGTH, "context_length_exceeded", "m" },
	{ "{\"object\":\"error\",\"message\":\"This model's maximum context length is 4096 tokens."
	  "\",\"type\":\"BadRequestError\",\"param\":null,\"code\":400}",
	    REASON_LENGTH, "400", "This model's maximum context length is 4096 tokens." },
	{ "{\"error\":{\"code\":400,\"message\":\"the request exceeds the size\",\"type\":"
	  "\"exceed_context_size_error\",\"n_ctx\":512}}",
	    REASON_LENGTH, "400", "the request exceeds the size" },
	{ "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"prompt "
	  "is "
	  "too long: 210000 tokens > 200000 maximum\"}}",
	    REASON_LENGTH, "", "prompt is too long: 210000 tokens > 200000 maximum" },
	{ "{\"detail\":[{\"type\":\"value_error\",\"loc\":[\"body\",\"messages\"],\"msg\":\"Input "
	  "is "
	  "too long\",\"input\":\"secret\"},{\"msg\":\"two\"}]}",
	    REASON_LENGTH, "", "Input is too long" },
	{ "{\"object\":\"error\",\"message\":{\"detail\":[{\"type\":\"extra\",\"msg\":\"Extra "
	  "inputs "
	  "are not permitted\"}]},\"type\":\"invalid_request_error\",\"code\":null}",
	    REASON_OTHER, "", "Extra inputs are not permitted" },
	/* Refused for its content: OpenAI, Azure twice, Model Studio. */
	{ "{\"error\":{\"code\":\"content_filter\",\"message\":\"m\"}}", REASON_FILTER,
	    "content_filter", "m" },
	{ "{\"error\":{\"message\":\"The response was filtered\",\"code\":null,\"status\":400,"
	  "\"innererror\":{\"code\":\"ResponsibleAIPolicyViolation\",\"content_filter_result\":"
	  "{\"hate\":{\"filtered\":true}}}}}",
	    REASON_FILTER, "", "The response was filtered" },
	{ "{\"error\":{\"message\":\"triggering Azure OpenAI's content management policy\"}}",
	    REASON_FILTER, "", "triggering Azure OpenAI's content management policy" },
	{ "{\"error\":{\"code\":\"data_inspection_failed\",\"message\":\"m\"}}", REASON_FILTER,
	    "data_inspection_failed", "m" },
	/* The code counts before the type. */
	{ "{\"error\":{\"code\":\"rate_limit_exceeded\",\"type\":\"insufficient_quota\"}}",
	    REASON_BUSY, "rate_limit_exceeded", "(JSON without a message: error)" },
	{ "{\"error\":{\"code\":null,\"type\":\"insufficient_quota\",\"message\":\"m\"}}",
	    REASON_QUOTA, "", "m" },
	{ "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}",
	    REASON_BUSY, "", "m" },
	/* Other forms. */
	{ "{\"error\":\"model 'x' not found\"}", REASON_OTHER, "", "model 'x' not found" },
	{ "{\"statusCode\":400,\"error\":\"Bad Request\",\"message\":\"the words\"}", REASON_OTHER,
	    "", "the words" },
	{ "{\"errors\":[{\"code\":5,\"message\":\"m\"}],\"success\":false}", REASON_OTHER, "5",
	    "m" },
	{ "[{\"error\":{\"code\":429,\"message\":\"m\",\"status\":\"X\"}}]", REASON_OTHER, "429",
	    "m" },
	{ "{\"error_code\":336003,\"error_msg\":\"m\"}", REASON_OTHER, "336003", "m" },
	{ "{\"choices\":[{\"error\":{\"code\":502,\"message\":\"m\"}}]}", REASON_OTHER, "502",
	    "m" },
	{ "{\"title\":\"Gone\",\"status\":410}", REASON_OTHER, "", "Gone" },
	/* Never an empty line, and never what may be the answer. */
	{ "{\"choices\":[{\"delta\":{\"content\":\"secret\"},\"finish_reason\":\"error\"}]}",
	    REASON_OTHER, "", "(JSON without a message: choices)" },
	{ "{\"model\":\"m\",\"message\":{\"content\":\"secret\"},\"done\":true}", REASON_OTHER, "",
	    "(JSON without a message: model, message, done)" },
	{ "{\"error\":{}}", REASON_OTHER, "", "(JSON without a message: error)" },
	{ "[]", REASON_OTHER, "", "(JSON without a message: no object)" },
	{ "{}", REASON_OTHER, "", "(JSON without a message: )" },
	{ "{\"error\":", REASON_OTHER, "", "(9 bytes of broken JSON)" },
	{ "", REASON_OTHER, "", "(an empty body)" },
	{ " \r\n", REASON_OTHER, "", "(an empty body)" },
	{ "<html>secret</html>", REASON_OTHER, "", "(19 bytes of HTML)" },
	{ "\x1f\x8b\x08", REASON_OTHER, "", "(3 bytes of gzip)" },
	{ "upstream connect error", REASON_OTHER, "", "upstream connect error" },
	/* A phrase counts only as the server's own words. */
	{ "prompt is too long", REASON_OTHER, "", "prompt is too long" },
};

static void
every_form_is_read(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(error_cases) / sizeof(error_cases[0]); i++) {
		const struct error_case *c = &error_cases[i];
		struct error_text text;

		error_text_read(slice_str(c->body), &text);
		if (strcmp(text.code, c->code) != 0 || strcmp(text.message, c->message) != 0 ||
		    error_text_reason(&text) != c->reason)
			fail_msg("%s: code '%s', message '%s', reason %d", c->body, text.code,
			    text.message, (int)error_text_reason(&text));
	}
}

static void
a_body_of_no_text_has_words_too(void **state)
{
	struct error_text text;

	(void)state;
	error_text_read(slice_of("\0\0x", 3), &text);
	assert_string_equal(text.message, "(3 bytes of no text)");
}

static void
a_body_is_known_by_its_first_byte(void **state)
{
	(void)state;
	assert_int_equal(body_form(slice_str("")), BODY_UNKNOWN);
	assert_int_equal(body_form(slice_str("\n \r\t")), BODY_UNKNOWN);
	assert_int_equal(body_form(slice_str("\n {")), BODY_JSON);
	assert_int_equal(body_form(slice_str("[")), BODY_JSON);
	assert_int_equal(body_form(slice_str("<!doctype")), BODY_HTML);
	assert_int_equal(body_form(slice_str("\x1f")), BODY_GZIP);
	assert_int_equal(body_form(slice_str("data: {")), BODY_OTHER);
	assert_int_equal(body_form(slice_str(": hello")), BODY_OTHER);
	assert_int_equal(body_form(slice_str("\xef\xbb\xbf"
					     "data:")),
	    BODY_OTHER);
	assert_int_equal(body_form(slice_of("\0", 1)), BODY_OTHER);
}

static void
long_words_are_cut(void **state)
{
	struct error_text text;
	char body[4000];
	size_t n = (size_t)snprintf(body, sizeof(body), "{\"error\":{\"message\":\"");

	(void)state;
	memset(body + n, 'x', 3000);
	memcpy(body + n + 3000, "\"}}", 4);
	error_text_read(slice_str(body), &text);
	assert_int_equal(strlen(text.message), sizeof(text.message) - 1);
	memset(body, 'k', sizeof(body) - 1);
	memcpy(body, "{\"", 2);
	memcpy(body + 2000, "\":1}", 5);
	error_text_read(slice_str(body), &text);
	assert_true(strlen(text.message) < sizeof(text.message));
	memset(body, 'y', sizeof(body));
	error_text_read(slice_of(body, sizeof(body)), &text);
	assert_int_equal(strlen(text.message), 160);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_read),
		cmocka_unit_test(a_body_of_no_text_has_words_too),
		cmocka_unit_test(a_body_is_known_by_its_first_byte),
		cmocka_unit_test(long_words_are_cut),
	};

	return cmocka_run_group_tests_name("error_text", tests, NULL, NULL);
}
