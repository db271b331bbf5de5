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
	    "2:" SOURCES "\n"
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

/* A finish without a word before it opens and closes no text. */
static void
an_empty_answer_opens_no_text(void **state)
{
	struct stream_writer w = { .kind = STREAM_UI };

	(void)state;
	stream_begin(&w, &out);
	stream_finish(&w, &out, "stop", &guess);
	assert_string_equal(out.data,
	    "data: {\"type\":\"start\"}\n\ndata: {\"type\":\"start-step\"}\n\n"
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
	enum stream_kind kind = stream_choose(slice_str(header), slice_str(accept), root);

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
	assert_int_equal(chosen("nonsense", NULL, V3), STREAM_DATA);
	assert_int_equal(chosen(NULL, "text/html, text/event-stream;q=0.9", V3), STREAM_UI);
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
		TEST(an_empty_answer_opens_no_text),
		TEST(an_error_is_written_in_each_form),
		TEST(a_request_gets_its_form),
		TEST(each_stream_has_its_headers),
	};

	return cmocka_run_group_tests_name("api_stream", tests, NULL, NULL);
}
