/* SPDX-License-Identifier: MIT */
/*
 * What a server's refusal says, as different servers word it: the field that it does not take, the
 * batch that is too large, or something that no other form of the request would mend.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/model_habits.h"
#include "model/model_refusal.h"

#define SO     FIELD_BIT(FIELD_STREAM_OPTIONS)
#define OBF    FIELD_BIT(FIELD_OBFUSCATION)
#define TEMP   FIELD_BIT(FIELD_TEMPERATURE)
#define MAXTOK FIELD_BIT(FIELD_MAX_TOKENS)
#define SYS    FIELD_BIT(FIELD_SYSTEM_ROLE)
#define B64    FIELD_BIT(FIELD_BASE64)
#define USER   FIELD_BIT(FIELD_USER)

#define ASKING(text) \
	"{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"}," \
	"{\"role\":\"user\",\"content\":\"" text "\"}],\"stream\":true,\"stream_options\":" \
	"{\"include_usage\":true,\"include_obfuscation\":false},\"temperature\":0.500," \
	"\"max_tokens\":100,\"user\":\"ab12\"}"
#define CHAT ASKING("When does the kettle whistle?")
/* clang-format off */
#define EMBED \
	"{\"model\":\"m\",\"input\":[\"one\",\"two\"],\"encoding_format\":\"base64\"}"
/* clang-format on */
#define ERROR(message, more) "{\"error\":{\"message\":\"" message "\"" more "}}"
#define OPENAI(message, param, code) \
	ERROR(message, \
	    ",\"type\":\"invalid_request_error\",\"param\":\"" param "\",\"code\":\"" code "\"")

static void
refusal_of(int status, const char *body, const char *request, size_t items, struct model_refusal *r)
{
	size_t len = strlen(body);
	char *copy = malloc(len); /* without a NUL behind it */

	memcpy(copy, body, len);
	model_refusal_read(status, slice_of(copy, len), slice_str(request), items, r);
	free(copy);
}

static const struct {
	unsigned named;
	int status;
	const char *request;
	const char *body;
} dialects[] = {
	/* OpenAI, Azure */
	{ SO, 400, CHAT,
	    OPENAI("Unknown parameter: 'stream_options'.", "stream_options", "unknown_parameter") },
	{ SO, 400, CHAT,
	    ERROR("Unrecognized request argument supplied: stream_options",
		",\"param\":null,\"code\":null") },
	{ OBF, 400, CHAT,
	    OPENAI("Unknown parameter: 'stream_options.include_obfuscation'.",
		"stream_options.include_obfuscation", "unknown_parameter") },
	{ TEMP, 400, CHAT,
	    OPENAI("Unsupported value: 'temperature' does not support 0.5 "
		   "with this model. Only the default (1) value is supported.",
		"temperature", "unsupported_value") },
	{ MAXTOK, 400, CHAT,
	    OPENAI("Unsupported parameter: 'max_tokens' is not supported "
		   "with this model. Use 'max_completion_tokens' instead.",
		"max_tokens", "unsupported_parameter") },
	{ SYS, 400, CHAT,
	    OPENAI("Unsupported value: 'messages[0].role' does not support "
		   "'system' with this model.",
		"messages[0].role", "unsupported_value") },
	{ SYS, 400, CHAT,
	    ERROR("Unsupported value: 'messages[0].role' does not support "
		  "'system' with this model.",
		"") },
	{ USER, 400, CHAT, OPENAI("Unknown parameter: 'user'.", "user", "unknown_parameter") },
	/* vLLM */
	{ SO, 400, CHAT,
	    "{\"object\":\"error\",\"message\":\"[{'type': 'extra_forbidden', "
	    "'loc': ('body', 'stream_options'), 'msg': 'Extra inputs are not permitted', "
	    "'input': {'include_usage': True}}]\",\"type\":\"BadRequestError\","
	    "\"param\":null,\"code\":400}" },
	{ MAXTOK, 400, CHAT,
	    "{\"object\":\"error\",\"message\":\"[{'type': "
	    "'extra_forbidden', 'loc': ('body', 'max_tokens'), 'msg': 'Extra inputs are "
	    "not permitted', 'input': 800}]\",\"code\":400}" },
	{ SYS, 400, CHAT,
	    "{\"object\":\"error\",\"message\":\"System role not supported\","
	    "\"type\":\"BadRequestError\",\"param\":null,\"code\":400}" },
	{ SYS, 400, CHAT,
	    "{\"object\":\"error\",\"message\":\"Conversation roles must "
	    "alternate user/assistant/user/assistant/...\",\"code\":400}" },
	{ B64, 400, EMBED,
	    "{\"object\":\"error\",\"message\":\"base64 encoding is not "
	    "currently supported\",\"type\":\"BadRequestError\",\"param\":null}" },
	/* Mistral, in three of its forms */
	{ MAXTOK, 422, CHAT,
	    "{\"object\":\"error\",\"message\":{\"detail\":[{\"type\":"
	    "\"extra_forbidden\",\"loc\":[\"body\",\"max_tokens\"],\"msg\":\"Extra inputs "
	    "are not permitted\",\"input\":100}]},\"type\":\"invalid_request_error\"}" },
	{ SO | USER, 422, CHAT,
	    "{\"detail\":[{\"type\":\"extra_forbidden\",\"loc\":"
	    "[\"body\",\"stream_options\"],\"msg\":\"Extra inputs are not permitted\"},"
	    "{\"type\":\"extra_forbidden\",\"loc\":[\"body\",\"user\"],\"msg\":\"Extra "
	    "inputs are not permitted\",\"input\":\"ab12\"}]}" },
	{ SO, 422, CHAT,
	    "{\"object\":\"error\",\"message\":\"{\\\"detail\\\":[{\\\"type"
	    "\\\":\\\"extra_forbidden\\\",\\\"loc\\\":[\\\"body\\\",\\\"stream_options"
	    "\\\"]}]}\",\"code\":\"1000\"}" },
	/* Groq, xAI, Fireworks, Azure AI, Gemini */
	{ SO, 400, CHAT,
	    ERROR("property 'stream_options' is unsupported, did you mean "
		  "'stream'?",
		",\"type\":\"invalid_request_error\"") },
	{ USER, 400, CHAT, ERROR("property 'user' is unsupported", "") },
	{ SO, 400, CHAT, "{\"error\":\"Argument not supported: stream_options\"}" },
	{ SO, 400, CHAT,
	    "{\"error\":{\"message\":\"Extra inputs are not permitted, field: "
	    "'stream_options'\"}}" },
	{ SO, 400, CHAT,
	    ERROR("Validation error at #/stream_options: Extra inputs are not "
		  "permitted",
		"") },
	{ SO, 400, CHAT,
	    "[{\"error\":{\"code\":400,\"message\":\"Invalid JSON payload "
	    "received. Unknown name \\\"stream_options\\\": Cannot find "
	    "field.\",\"status\":"
	    "\"INVALID_ARGUMENT\"}}]" },
	{ SYS, 400, CHAT, ERROR("Developer instruction is not enabled for models/m", "") },
	/* others, a proxy's page among them */
	{ B64, 400, EMBED,
	    ERROR("Invalid value for 'encoding_format' = base64. Supported "
		  "values: ['float'].",
		"") },
	{ SO, 501, CHAT, "stream_options is not implemented" },
	{ TEMP, 404, CHAT, "<html>No route for \"temperature\"</html>" },
};

static void
fields_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++) {
		struct model_refusal r;

		refusal_of(dialects[i].status, dialects[i].body, dialects[i].request, 1, &r);
		if (r.named != dialects[i].named || r.echoed != 0 || r.is_other || r.is_batch)
			fail_msg("named %x, echoed %x, other %d: %s", r.named, r.echoed, r.is_other,
			    dialects[i].body);
	}
}

/* The names are there, but a client's text may have put them there. */
static void
an_echo_of_the_prompt_is_told_from_the_servers_words(void **state)
{
	static const struct {
		unsigned echoed;
		const char *request;
		const char *body;
	} cases[] = {
		{ SO, ASKING("stream_options"), ERROR("I cannot: stream_options", "") },
		{ SO, ASKING("Is Stream_Options bad?"), ERROR("Is Stream_Options bad?", "") },
		{ SO, ASKING("a,\\\"stream_options\\\":1"),
		    ERROR("a,\\\"stream_options\\\":1", "") },
		{ SYS, ASKING("role \\\"system\\\""), ERROR("Bad: role \\\"system\\\"", "") },
		{ SYS, ASKING("System role not supported"),
		    ERROR("System role not supported", "") },
		{ B64, "{\"input\":[\"x\",\"base64\"],\"encoding_format\":\"base64\"}",
		    ERROR("base64", "") },
	};
	struct model_refusal r;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		refusal_of(400, cases[i].body, cases[i].request, 1, &r);
		if (r.echoed != cases[i].echoed || r.named != 0)
			fail_msg("named %x, echoed %x: %s", r.named, r.echoed, cases[i].body);
	}
	/* No client's text gets into param, and what repeats the request's values is not read. */
	refusal_of(400, OPENAI("temperature", "stream_options", "unknown_parameter"),
	    ASKING("stream_options and temperature"), 1, &r);
	assert_int_equal(r.named, SO);
	refusal_of(422, "{\"detail\":[{\"loc\":[\"body\",\"x\"],\"input\":\"stream_options\"}]}",
	    CHAT, 1, &r);
	assert_int_equal(r.named | r.echoed, 0);
}

static void
what_no_other_form_would_mend_is_left_alone(void **state)
{
	static const struct {
		int status;
		const char *body;
	} cases[] = {
		{ 400,
		    OPENAI("This model's maximum context length is 4096 tokens. However, your "
			   "messages resulted in 5000 tokens.",
			"messages", "context_length_exceeded") },
		{ 400,
		    ERROR("the request exceeds the available context size, try increasing it",
			"") },
		{ 400,
		    "{\"object\":\"error\",\"message\":\"'max_tokens' is too large: 9000. This "
		    "model's maximum context length is 8192 tokens.\",\"param\":\"max_tokens\"}" },
		{ 400,
		    OPENAI("max_tokens is too large: 100000. This model supports at most 16384 "
			   "completion tokens.",
			"max_tokens", "invalid_value") },
		{ 422,
		    "{\"detail\":[{\"type\":\"less_than_equal\",\"loc\":[\"body\","
		    "\"temperature\"],\"msg\":\"Input should be less than or equal to 1.5\"}]}" },
		{ 400,
		    ERROR("The response was filtered due to the prompt triggering Azure OpenAI's "
			  "content management policy.",
			",\"code\":\"content_filter\"") },
		{ 400, ERROR("The model `m` does not exist", ",\"code\":\"model_not_found\"") },
		{ 400, ERROR("Incorrect API key provided", ",\"code\":\"invalid_api_key\"") },
		{ 404, "404 page not found" },
		{ 405, "" },
		{ 415, "" },
		{ 413, "stream_options" },
		{ 401, ERROR("stream_options", "") },
		{ 429, ERROR("stream_options", "") },
		{ 500, ERROR("stream_options", "") },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct model_refusal r;

		refusal_of(cases[i].status, cases[i].body, CHAT, 1, &r);
		if (!r.is_other)
			fail_msg("not taken for another fault: %s", cases[i].body);
	}
}

/* What names nothing may be anything; fields that the request has not are none. */
static void
a_refusal_without_words_names_nothing(void **state)
{
	static const char *const bodies[] = { "", "{}", "null", "<html>Bad Request</html>",
		ERROR("Upstream error: 400", ",\"type\":\"invalid_request_error\",\"param\":\"\""),
		"{\"error\":{\"message\":\"base64 is not supported\"}}" };

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct model_refusal r;

		refusal_of(400, bodies[i], CHAT, 1, &r);
		assert_false(r.is_other || r.is_batch);
		assert_int_equal(r.named | r.echoed, 0);
	}
}

static void
limits_of_batches_are_read(void **state)
{
	static const struct {
		size_t limit;
		bool in_bytes;
		int status;
		const char *body;
	} cases[] = {
		{ 10, false, 400,
		    ERROR("<400> InternalError.Algo.InvalidParameter: Value error, "
			  "batch size is invalid, it should not be larger than 10.: input.contents",
			",\"type\":\"InvalidParameter\",\"param\":null") },
		{ 64, false, 400,
		    "{\"code\":20042,\"message\":\"input batch size 250 > maximum "
		    "allowed batch size 64\",\"data\":null}" },
		{ 32, false, 413,
		    "{\"message\":\"batch size 250 > maximum allowed batch size 32\","
		    "\"code\":413,\"type\":\"Validation\"}" },
		{ 100, false, 400,
		    ERROR("* BatchEmbedContentsRequest.requests: at most 100 requests "
			  "can be in one batch\\n",
			",\"status\":\"INVALID_ARGUMENT\"") },
		{ 96, false, 400,
		    "{\"message\":\"invalid request: total number of texts must be at "
		    "most 96 - received 250\"}" },
		{ 16, false, 400, ERROR("Too many inputs. The max number of inputs is 16.", "") },
		{ 32, false, 422,
		    "{\"detail\":[{\"type\":\"too_long\",\"loc\":[\"body\",\"input\"],"
		    "\"msg\":\"List should have at most 32 items after validation, not 250\"}]}" },
		{ 0, false, 400,
		    "{\"object\":\"error\",\"message\":\"Too many inputs in request, "
		    "split into more batches.\"}" },
		{ 0, false, 400, ERROR("batch of 250 is too large; the limit is 5000", "") },
		{ 0, true, 400,
		    "{\"detail\":\"The max allowed tokens per submitted batch is 120000. "
		    "Your batch has 121138 tokens after truncation.\"}" },
		{ 0, true, 413, "<html>Payload Too Large</html>" },
		{ 0, true, 413, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct model_refusal r;

		refusal_of(cases[i].status, cases[i].body, EMBED, 250, &r);
		if (!r.is_batch || r.limit != cases[i].limit || r.in_bytes != cases[i].in_bytes)
			fail_msg("batch %d, limit %zu, bytes %d: %s", r.is_batch, r.limit,
			    r.in_bytes, cases[i].body);
		refusal_of(cases[i].status, cases[i].body, EMBED, 1, &r);
		assert_false(r.is_batch);
	}
}

/* Nothing is read past the ends, however long or deep. */
static void
a_huge_refusal_is_read_in_part(void **state)
{
	static const size_t size = 64 * 1024;
	struct model_refusal r;
	char *body = malloc(size + 1);

	(void)state;
	memset(body, '[', size);
	body[size] = '\0';
	refusal_of(400, body, CHAT, 1, &r);
	assert_int_equal(r.named | r.echoed, 0);
	memset(body, 'x', size);
	memcpy(body + size - 15, " stream_options", 15);
	refusal_of(400, body, CHAT, 1, &r);
	assert_int_equal(r.named | r.echoed, 0);
	free(body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_named),
		cmocka_unit_test(an_echo_of_the_prompt_is_told_from_the_servers_words),
		cmocka_unit_test(what_no_other_form_would_mend_is_left_alone),
		cmocka_unit_test(a_refusal_without_words_names_nothing),
		cmocka_unit_test(limits_of_batches_are_read),
		cmocka_unit_test(a_huge_refusal_is_read_in_part),
	};

	return cmocka_run_group_tests_name("model_refusal", tests, NULL, NULL);
}
