/* SPDX-License-Identifier: MIT */
/*
 * The three forms of an answer, byte for byte, and which of them a request gets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/chat_stream.h"

static struct hit two[] = {
	{ .document_id = "d1",
	    .title = "Lighthouses",
	    .file_name = "l.pdf",
	    .mime_type = "application/pdf",
	    .page = 3,
	    .index = 4,
	    .score = 0.83217 },
	{ .document_id = "d \"2\"",
	    .title = "",
	    .file_name = "",
	    .mime_type = "",
	    .index = 0,
	    .score = 0.5 },
};
static const struct hits hits = { two, 2 };
static const struct hits no_hits = { NULL, 0 };
static const struct model_usage usage = { .input_tokens = 12, .output_tokens = 3, .known = true };
static const struct model_usage guess = { .output_tokens = 2 };

static struct buf out;

static int
set_up(void **state)
{
	(void)state;
	buf_init(&out, 4096);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	buf_free(&out);
	return 0;
}

static void
whole(enum stream_kind kind, const struct hits *found, const struct model_usage *used,
    const char *bytes)
{
	struct stream_writer w = { .kind = kind };

	buf_reset(&out);
	stream_begin(&w, &out);
	stream_sources(&w, &out, found);
	stream_text(&w, &out, SLICE_LIT("H\"\n"));
	stream_keepalive(&w, &out);
	stream_text(&w, &out, SLICE_LIT("\xc3\xa9!"));
	stream_finish(&w, &out, "content_filter", used);
	assert_string_equal(out.data, bytes);
}

#define SOURCES \
	"[{\"type\":\"source\",\"id\":\"s1\",\"documentId\":\"d1\",\"title\":\"Lighthouses\"," \
	"\"fileName\":\"l.pdf\",\"page\":3,\"chunk\":4,\"score\":0.8322}," \
	"{\"type\":\"source\",\"id\":\"s2\",\"documentId\":\"d \\\"2\\\"\"," \
	"\"title\":\"d \\\"2\\\"\",\"chunk\":0,\"score\":0.5000}]"

static void
a_data_stream_is_written(void **state)
{
	(void)state;
	whole(STREAM_DATA, &hits, &usage,
	    "2:" SOURCES "\n8:" SOURCES "\n"
	    "0:\"H\\\"\\n\"\n"
	    "\n"
	    "0:\"\xc3\xa9!\"\n"
	    "e:{\"finishReason\":\"content-filter\",\"usage\":{\"promptTokens\":12,"
	    "\"completionTokens\":3},\"isContinued\":false}\n"
	    "d:{\"finishReason\":\"content-filter\",\"usage\":{\"promptTokens\":12,"
	    "\"completionTokens\":3}}\n");
	whole(STREAM_DATA, &no_hits, &guess,
	    "0:\"H\\\"\\n\"\n\n0:\"\xc3\xa9!\"\n"
	    "e:{\"finishReason\":\"content-filter\",\"usage\":{\"promptTokens\":null,"
	    "\"completionTokens\":2},\"isContinued\":false}\n"
	    "d:{\"finishReason\":\"content-filter\",\"usage\":{\"promptTokens\":null,"
	    "\"completionTokens\":2}}\n");
}

static void
a_ui_stream_is_written(void **state)
{
	(void)state;
	whole(STREAM_UI, &hits, &usage,
	    "data: {\"type\":\"start\"}\n\n"
	    "data: {\"type\":\"start-step\"}\n\n"
	    "data: {\"type\":\"source-document\",\"sourceId\":\"s1\",\"mediaType\":"
	    "\"application/pdf\",\"title\":\"Lighthouses, page 3\",\"filename\":\"l.pdf\"}\n\n"
	    "data: {\"type\":\"source-document\",\"sourceId\":\"s2\",\"mediaType\":"
	    "\"application/octet-stream\",\"title\":\"d \\\"2\\\"\"}\n\n"
	    "data: {\"type\":\"data-sources\",\"data\":" SOURCES ",\"transient\":true}\n\n"
	    "data: {\"type\":\"text-start\",\"id\":\"1\"}\n\n"
	    "data: {\"type\":\"text-delta\",\"id\":\"1\",\"delta\":\"H\\\"\\n\"}\n\n"
	    ": keep-alive\n\n"
	    "data: {\"type\":\"text-delta\",\"id\":\"1\",\"delta\":\"\xc3\xa9!\"}\n\n"
	    "data: {\"type\":\"text-end\",\"id\":\"1\"}\n\n"
	    "data: {\"type\":\"finish-step\"}\n\n"
	    "data: {\"type\":\"finish\",\"messageMetadata\":{\"finishReason\":\"content-filter\","
	    "\"usage\":{\"inputTokens\":12,\"outputTokens\":3}}}\n\n"
	    "data: [DONE]\n\n");
}

static void
a_text_stream_is_written(void **state)
{
	(void)state;
	whole(STREAM_TEXT, &hits, &usage, "H\"\n\xc3\xa9!");
}

/* Reasoning has parts of its own, before the text and between it. */
static void
reasoning_is_in_ui_streams_alone(void **state)
{
	struct stream_writer w = { .kind = STREAM_UI };

	(void)state;
	stream_begin(&w, &out);
	buf_reset(&out);
	stream_put_reasoning(&w, &out, SLICE_LIT("Hm\n"));
	stream_put_reasoning(&w, &out, SLICE_LIT("!"));
	stream_text(&w, &out, SLICE_LIT("Yes"));
	stream_put_reasoning(&w, &out, SLICE_LIT("Or"));
	stream_finish(&w, &out, "stop", &guess);
	assert_string_equal(out.data,
	    "data: {\"type\":\"reasoning-start\",\"id\":\"1\"}\n\n"
	    "data: {\"type\":\"reasoning-delta\",\"id\":\"1\",\"delta\":\"Hm\\n\"}\n\n"
	    "data: {\"type\":\"reasoning-delta\",\"id\":\"1\",\"delta\":\"!\"}\n\n"
	    "data: {\"type\":\"reasoning-end\",\"id\":\"1\"}\n\n"
	    "data: {\"type\":\"text-start\",\"id\":\"2\"}\n\n"
	    "data: {\"type\":\"text-delta\",\"id\":\"2\",\"delta\":\"Yes\"}\n\n"
	    "data: {\"type\":\"text-end\",\"id\":\"2\"}\n\n"
	    "data: {\"type\":\"reasoning-start\",\"id\":\"3\"}\n\n"
	    "data: {\"type\":\"reasoning-delta\",\"id\":\"3\",\"delta\":\"Or\"}\n\n"
	    "data: {\"type\":\"reasoning-end\",\"id\":\"3\"}\n\n"
	    "data: {\"type\":\"finish-step\"}\n\n"
	    "data: {\"type\":\"finish\",\"messageMetadata\":{\"finishReason\":\"stop\","
	    "\"usage\":{\"outputTokens\":2}}}\n\ndata: [DONE]\n\n");
	buf_reset(&out);
	w = (struct stream_writer){ .kind = STREAM_DATA };
	stream_put_reasoning(&w, &out, SLICE_LIT("Hm"));
	w.kind = STREAM_TEXT;
	stream_put_reasoning(&w, &out, SLICE_LIT("Hm"));
	assert_int_equal(out.len, 0);
}

/* Before the begin too: a wait may be long before there is anything to say. */
static void
a_keepalive_has_the_form_of_its_stream(void **state)
{
	struct stream_writer w = { .kind = STREAM_UI };

	(void)state;
	stream_keepalive(&w, &out);
	assert_string_equal(out.data, ": keep-alive\n\n");
	buf_reset(&out);
	w.kind = STREAM_DATA;
	stream_keepalive(&w, &out);
	assert_string_equal(out.data, "\n");
	buf_reset(&out);
	w.kind = STREAM_TEXT;
	stream_keepalive(&w, &out);
	assert_int_equal(out.len, 0);
}

/* In the text form nothing but the sentence is written. */
static void
finished_text(const char *text, const char *reason, const char *bytes)
{
	struct stream_writer w = { .kind = STREAM_TEXT };

	buf_reset(&out);
	stream_begin(&w, &out);
	if (text[0] != '\0')
		stream_text(&w, &out, slice_str(text));
	stream_finish(&w, &out, reason, &guess);
	assert_string_equal(out.data, bytes);
}

static void
an_answer_without_words_has_a_sentence(void **state)
{
	(void)state;
	finished_text("", "tool_calls",
	    "The model asked for a tool, and there is none here. Ask in other words.");
	finished_text("", "length",
	    "The model's tokens were used up before its first word. Ask for less.");
	finished_text("", "content_filter",
	    "The model's provider has withheld the answer. Ask in other words.");
	finished_text("\n ", "stop",
	    "\n The model has given an empty answer. Ask again, or in other words.");
	finished_text("", NULL,
	    "The model has given an empty answer. Ask again, or in other words.");
	finished_text("\n.", "tool_calls", "\n.");
}

static void
an_empty_answer_is_a_whole_stream(void **state)
{
	struct stream_writer w = { .kind = STREAM_UI };

	(void)state;
	stream_begin(&w, &out);
	stream_finish(&w, &out, "stop", &guess);
	assert_string_equal(out.data,
	    "data: {\"type\":\"start\"}\n\ndata: {\"type\":\"start-step\"}\n\n"
	    "data: {\"type\":\"text-start\",\"id\":\"1\"}\n\n"
	    "data: {\"type\":\"text-delta\",\"id\":\"1\",\"delta\":\"The model has given an empty "
	    "answer. Ask again, or in other words.\"}\n\n"
	    "data: {\"type\":\"text-end\",\"id\":\"1\"}\n\n"
	    "data: {\"type\":\"finish-step\"}\n\n"
	    "data: {\"type\":\"finish\",\"messageMetadata\":{\"finishReason\":\"stop\","
	    "\"usage\":{\"outputTokens\":2}}}\n\ndata: [DONE]\n\n");
}

static void
an_error_is_written_in_each_form(void **state)
{
	struct stream_writer w = { .kind = STREAM_DATA };
	struct err err = { .code = ERR_NONE };

	(void)state;
	err_set(&err, ERR_MODEL, "The chat model \"broke\" off.");
	assert_true(stream_error(&w, &out, &err));
	assert_string_equal(out.data, "3:\"The chat model \\\"broke\\\" off.\"\n");
	buf_reset(&out);
	w.kind = STREAM_UI;
	err.detail[0] = '\0';
	assert_true(stream_error(&w, &out, &err));
	assert_string_equal(out.data,
	    "data: {\"type\":\"error\",\"errorText\":\"Model failed\"}\n\ndata: [DONE]\n\n");
	buf_reset(&out);
	w.kind = STREAM_TEXT;
	assert_false(stream_error(&w, &out, &err));
	assert_int_equal(out.len, 0);
}

static enum stream_kind
chosen(const char *header, const char *accept, const char *body)
{
	json_t *root = json_loads(body, 0, NULL);
	struct err err = { .code = ERR_NONE };
	enum stream_kind kind;

	assert_true(stream_choose(slice_str(header), slice_str(accept), root, &kind, &err));
	assert_false(err_is(&err));
	json_decref(root);
	return kind;
}

#define V3 "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define V4 \
	"{\"id\":\"c\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"," \
	"\"parts\":[{\"type\":\"text\",\"text\":\"hi\"}]}]}"
#define PARTS \
	"\"messages\":[{\"id\":\"m\",\"role\":\"user\",\"parts\":[{\"type\":\"text\"," \
	"\"text\":\"hi\"}]}]"
#define V5 "{\"id\":\"c\"," PARTS ",\"trigger\":\"submit-message\"}"

static void
a_request_gets_its_form(void **state)
{
	(void)state;
	assert_int_equal(chosen(NULL, "*/*", V3), STREAM_DATA);
	assert_int_equal(chosen(NULL, NULL, V4), STREAM_DATA);
	assert_int_equal(chosen(NULL, NULL, V5), STREAM_UI);
	assert_int_equal(chosen(NULL, NULL, "{" PARTS "}"), STREAM_UI);
	assert_int_equal(chosen(NULL, NULL, "{}"), STREAM_DATA);
	assert_int_equal(chosen("data", "text/event-stream", V5), STREAM_DATA);
	assert_int_equal(chosen("Text", NULL, V5), STREAM_TEXT);
	assert_int_equal(chosen("ui", NULL, V3), STREAM_UI);
	assert_int_equal(chosen("", "*/*", V5), STREAM_UI);
	assert_int_equal(chosen(NULL, "text/html, text/event-stream;q=0.9", V3), STREAM_UI);
}

static void
an_unknown_form_is_refused(void **state)
{
	struct err err = { .code = ERR_NONE };
	enum stream_kind kind;

	(void)state;
	assert_false(
	    stream_choose(SLICE_LIT("sse"), slice_str("text/event-stream"), NULL, &kind, &err));
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	assert_non_null(strstr(err.detail, "data, ui or text"));
}

static void
each_stream_has_its_headers(void **state)
{
	const char *name, *value;

	(void)state;
	assert_true(stream_protocol_header(STREAM_DATA, &name, &value));
	assert_string_equal(name, "X-Vercel-AI-Data-Stream");
	assert_string_equal(value, "v1");
	assert_true(stream_protocol_header(STREAM_UI, &name, &value));
	assert_string_equal(name, "X-Vercel-AI-UI-Message-Stream");
	assert_false(stream_protocol_header(STREAM_TEXT, &name, &value));
	assert_string_equal(stream_content_type(STREAM_UI), "text/event-stream");
	assert_string_equal(stream_content_type(STREAM_TEXT), "text/plain; charset=utf-8");
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_data_stream_is_written),
		TEST(a_ui_stream_is_written),
		TEST(a_text_stream_is_written),
		TEST(reasoning_is_in_ui_streams_alone),
		TEST(a_keepalive_has_the_form_of_its_stream),
		TEST(an_answer_without_words_has_a_sentence),
		TEST(an_empty_answer_is_a_whole_stream),
		TEST(an_error_is_written_in_each_form),
		TEST(a_request_gets_its_form),
		TEST(an_unknown_form_is_refused),
		TEST(each_stream_has_its_headers),
	};

	return cmocka_run_group_tests_name("api_stream", tests, NULL, NULL);
}
