/* SPDX-License-Identifier: MIT */
/*
 * test_api_chat_body: the bodies that each AI SDK's useChat sends, byte for byte, and bodies that
 * nobody should send, whose refusal names the field.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "api/chat_body.h"
#include "tenantgate/base/json.h"

#define ARENA_MAX (8u << 20)

static struct arena *arena;
static struct chat_input input;
static const struct api_conf conf = { .top_k = 4 };

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new(ARENA_MAX);
	memset(&input, 0, sizeof(input));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static bool
reads(struct slice body, struct err *err)
{
	json_t *root = json_read_object(body, err);
	bool ok;

	if (root == NULL)
		return false;
	memset(&input, 0, sizeof(input));
	ok = chat_body_read(root, &conf, arena, &input, err);
	json_decref(root);
	assert_int_equal(ok, !err_is(err));
	return ok;
}

static void
asks(const char *body, const char *question, size_t messages)
{
	struct err err = { 0 };

	if (!reads(slice_str(body), &err))
		fail_msg("%s: %s", body, err.detail);
	if (!slice_is(input.question, question))
		fail_msg("\"%.*s\", not \"%s\"", SLICE_ARG(input.question), question);
	assert_int_equal(input.message_count, messages + 1);
}

static void
refuses(const char *body, const char *field)
{
	struct err err = { 0 };

	if (reads(slice_str(body), &err))
		fail_msg("%s was read", body);
	assert_int_equal(err_status(err.code), 400);
	if (strstr(err.detail, field) == NULL)
		fail_msg("%s: \"%s\" does not name %s", body, err.detail, field);
}

static void
ai_sdk_3_is_read(void **state)
{
	(void)state;
	asks("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"data\":{\"extra\":1},"
	     "\"documentId\":\"doc-1\",\"k\":4}",
	    "hi", 1);
	assert_int_equal(input.document_count, 1);
	assert_string_equal(input.document_ids[0], "doc-1");
	assert_int_equal(input.top_k, 4);
	assert_null(input.model);
	assert_true(input.temperature < 0);
	asks("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"data\",\"content\":"
	     "\"\",\"data\":{}},{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":[]},"
	     "{\"role\":\"function\"}]}",
	    "hi", 1);
}

static void
ai_sdk_4_is_read(void **state)
{
	(void)state;
	asks("{\"id\":\"chat1\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\",\"parts\":"
	     "[{\"type\":\"text\",\"text\":\"hi\"}]}],\"data\":{\"extra\":1},\"documentId\":"
	     "\"doc-1\",\"k\":4}",
	    "hi", 1);
	assert_string_equal(input.document_ids[0], "doc-1");
	asks("{\"id\":\"chat1\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\",\"parts\":[]},"
	     "{\"role\":\"assistant\",\"content\":\"ho\",\"annotations\":[{\"a\":1}],\"parts\":"
	     "[{\"type\":\"step-start\"},{\"type\":\"source\",\"source\":{\"url\":\"x\"}},"
	     "{\"type\":\"text\",\"text\":\"ho\"}]},{\"role\":\"user\",\"content\":\"and?\","
	     "\"experimental_attachments\":[]}]}",
	    "and?", 3);
	assert_string_equal(input.messages[2].role, "assistant");
	assert_true(slice_is(input.messages[2].content, "ho"));
}

static void
ai_sdk_5_is_read(void **state)
{
	(void)state;
	asks("{\"documentId\":\"doc-1\",\"k\":4,\"id\":\"chat1\",\"messages\":[{\"parts\":"
	     "[{\"type\":\"text\",\"text\":\"hi\"}],\"id\":\"RB87\",\"role\":\"user\"}],"
	     "\"trigger\":\"submit-message\"}",
	    "hi", 1);
	assert_string_equal(input.document_ids[0], "doc-1");
	asks("{\"id\":\"chat1\",\"messages\":[{\"parts\":[{\"type\":\"text\",\"text\":\"one \"},"
	     "{\"type\":\"file\",\"mediaType\":\"text/csv\",\"url\":\"data:,a\"},{\"type\":"
	     "\"text\",\"text\":\"two\"}],\"id\":\"a\",\"role\":\"user\"},{\"id\":\"b\","
	     "\"metadata\":{\"x\":[1]},\"role\":\"assistant\",\"parts\":[{\"type\":"
	     "\"step-start\"},{\"type\":\"data-x\",\"data\":{\"text\":\"no\"}},{\"type\":\"text\","
	     "\"text\":\"ho\",\"state\":\"done\"}]},{\"id\":\"c\",\"role\":\"assistant\","
	     "\"parts\":[{\"type\":\"step-start\"}]}],\"trigger\":\"regenerate-message\","
	     "\"messageId\":\"b\"}",
	    "one two", 2);
	assert_true(slice_is(input.messages[2].content, "ho"));
}

static void
the_scope_of_a_question_is_read(void **state)
{
	(void)state;
	asks("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"q\"}]}],"
	     "\"documentId\":null,\"documentIds\":[\"a\",\"b\"],\"topK\":50,\"model\":\"m\","
	     "\"temperature\":0}",
	    "q", 1);
	assert_int_equal(input.document_count, 2);
	assert_string_equal(input.document_ids[1], "b");
	assert_int_equal(input.top_k, 50);
	assert_string_equal(input.model, "m");
	assert_true(input.temperature >= 0);
	assert_null(input.filter);
	assert_null(input.owner);
	assert_int_equal(input.mode, SEARCH_VECTOR);
	assert_true(input.min_score == SCORE_MIN);
	assert_false(input.rerank);
}

#define MESSAGES "\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]"

static void
what_narrows_a_question_is_read(void **state)
{
	(void)state;
	asks("{" MESSAGES ",\"topK\":100,\"filter\":{\"author\":\"Ann\"},\"minScore\":0.25,"
	     "\"ownerId\":\"user:1@x\",\"rerank\":true,\"mode\":\"vector\"}",
	    "q", 1);
	assert_int_equal(input.top_k, 100);
	assert_string_equal(search_filter_values(input.filter), "[\"author\",\"Ann\"]");
	assert_true(input.min_score == 0.25);
	assert_string_equal(input.owner, "user:1@x");
	assert_true(input.rerank);
	asks("{" MESSAGES ",\"filter\":null,\"minScore\":null,\"ownerId\":null,\"mode\":null}", "q",
	    1);
	assert_null(input.filter);
	assert_null(input.owner);
	refuses("{" MESSAGES ",\"filter\":\"author = 1\"}", "\"filter\" must be an object");
	refuses("{" MESSAGES ",\"filter\":{\"a\":{\"like\":1}}}", "\"filter.a.like\" must be one");
	refuses("{" MESSAGES ",\"minScore\":\"0.5\"}", "\"minScore\" must be a number");
	refuses("{" MESSAGES ",\"minScore\":1.5}", "\"minScore\" must be from -1 to 1");
	refuses("{" MESSAGES ",\"ownerId\":7}", "\"ownerId\" must be a string");
	refuses("{" MESSAGES ",\"ownerId\":\"\"}", "ownerId must be 1 to 128 bytes");
	refuses("{" MESSAGES ",\"ownerId\":\"a b\"}", "ownerId must be 1 to 128 bytes");
	refuses("{" MESSAGES ",\"rerank\":1}", "\"rerank\" must be true or false");
	refuses("{" MESSAGES ",\"mode\":true}", "\"mode\" must be a string");
	refuses("{" MESSAGES ",\"mode\":\"bm25\"}", "\"mode\" must be vector, text or hybrid");
	asks("{" MESSAGES ",\"mode\":\"text\"}", "q", 1);
	assert_int_equal(input.mode, SEARCH_TEXT);
	asks("{" MESSAGES ",\"mode\":\"hybrid\"}", "q", 1);
	assert_int_equal(input.mode, SEARCH_HYBRID);
}

static void
wrong_messages_are_refused(void **state)
{
	(void)state;
	refuses("{}", "messages");
	refuses("{\"messages\":null}", "messages");
	refuses("{\"messages\":{}}", "messages");
	refuses("{\"messages\":\"hi\"}", "messages");
	refuses("{\"messages\":[]}", "messages");
	refuses("{\"messages\":[1]}", "messages[0]");
	refuses("{\"messages\":[{}]}", "messages[0].role");
	refuses("{\"messages\":[{\"role\":1}]}", "messages[0].role");
	refuses("{\"messages\":[{\"role\":\"User\",\"content\":\"q\"}]}", "messages[0].role");
	refuses("{\"messages\":[{\"role\":\"user\"}]}", "messages[0]");
	refuses("{\"messages\":[{\"role\":\"user\",\"content\":7}]}", "messages[0]");
	refuses("{\"messages\":[{\"role\":\"user\",\"parts\":{}}]}", "messages[0]");
	refuses("{\"messages\":[{\"role\":\"user\",\"parts\":[1,null,[],{\"type\":1}]}]}",
	    "messages");
	refuses("{\"messages\":[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"text\":9}]}]}",
	    "messages");
	refuses("{\"messages\":[{\"role\":\"assistant\",\"content\":\"q\"}]}", "messages");
	refuses("{" MESSAGES ",\"messages\":[]}", "twice");
	refuses("[]", "object");
	refuses("", "ends too early");
}

static void
wrong_fields_are_refused(void **state)
{
	(void)state;
	refuses("{" MESSAGES ",\"documentId\":7}", "documentId");
	refuses("{" MESSAGES ",\"documentId\":\"\"}", "documentId");
	refuses("{" MESSAGES ",\"documentId\":[\"a\"]}", "documentId");
	refuses("{" MESSAGES ",\"documentIds\":\"a\"}", "documentIds");
	refuses("{" MESSAGES ",\"documentIds\":[\"a\",null]}", "documentIds[1]");
	refuses("{" MESSAGES ",\"documentIds\":[null]}", "documentIds[0]");
	refuses("{" MESSAGES ",\"topK\":0}", "topK");
	refuses("{" MESSAGES ",\"topK\":101}", "topK");
	refuses("{" MESSAGES ",\"topK\":4.0}", "topK");
	refuses("{" MESSAGES ",\"topK\":\"4\"}", "topK");
	refuses("{" MESSAGES ",\"topK\":99999999999999999999}", "too large");
	refuses("{" MESSAGES ",\"model\":{}}", "model");
	refuses("{" MESSAGES ",\"temperature\":2.1}", "temperature");
	refuses("{" MESSAGES ",\"temperature\":\"hot\"}", "temperature");
	refuses("{" MESSAGES ",\"temperature\":1e999}", "too large");
}

static void
hostile_strings_stay_strings(void **state)
{
	(void)state;
	refuses("{\"messages\":[{\"role\":\"user\",\"content\":\"a\\u0000b\"}]}", "NUL");
	refuses("{\"messages\":[{\"role\":\"user\",\"content\":\"\xc3(\"}]}", "UTF-8");
	refuses("{\"messages\":[{\"role\":\"user\",\"content\":\"\xed\xa0\x80\"}]}", "UTF-8");
	refuses("{\"messages\":[{\"role\":\"user\",\"content\":\"\\ud800\"}]}", "syntax");
	refuses("{" MESSAGES ",\"documentId\":\"a\\u0000b\"}", "NUL");
	asks("{\"messages\":[{\"role\":\"user\",\"content\":\"\\ud83d\\ude00\xe2\x80\xa8\"}]}",
	    "\xf0\x9f\x98\x80\xe2\x80\xa8", 1);
}

/* `count` copies of `piece` between `head` and `tail`, with commas. Owned by the arena. */
static const char *
many(const char *head, const char *piece, size_t count, const char *tail)
{
	struct buf b;
	char *text;

	buf_init(&b, 4u << 20);
	buf_puts(&b, head);
	for (size_t i = 0; i < count; i++)
		buf_printf(&b, "%s%s", i > 0 ? "," : "", piece);
	buf_puts(&b, tail);
	assert_false(b.failed);
	text = arena_slice(arena, buf_view(&b));
	assert_non_null(text);
	buf_free(&b);
	return text;
}

static void
chat_fields_have_ceilings(void **state)
{
	static const char message[] = "{\"role\":\"user\",\"content\":\"q\"}";
	char id[128 + 2];

	(void)state;
	asks(many("{\"messages\":[", message, CHAT_MESSAGES_MAX, "]}"), "q", CHAT_MESSAGES_MAX);
	refuses(many("{\"messages\":[", message, CHAT_MESSAGES_MAX + 1, "]}"), "messages");
	asks(many("{" MESSAGES ",\"documentIds\":[", "\"d\"", SEARCH_DOCUMENTS_MAX, "]}"), "q", 1);
	refuses(many("{" MESSAGES ",\"documentIds\":[", "\"d\"", SEARCH_DOCUMENTS_MAX + 1, "]}"),
	    "documentIds");
	memset(id, 'd', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	refuses(arena_printf(arena, "{" MESSAGES ",\"documentId\":\"%s\"}", id), "documentId");
	refuses(arena_printf(arena, "{" MESSAGES ",\"model\":\"%s\"}", id), "model");
	id[sizeof(id) - 2] = '\0';
	asks(arena_printf(arena, "{" MESSAGES ",\"documentId\":\"%s\"}", id), "q", 1);
	refuses(many("{" MESSAGES ",\"x\":", "[", 1, ""), "JSON");
}

static void
a_full_arena_refuses_a_chat(void **state)
{
	struct err err = { 0 };
	const char *body =
	    many("{\"messages\":[{\"role\":\"user\",\"content\":\"", "qqqqqqq", 2000, "\"}]}");
	struct arena *large = arena;

	(void)state;
	arena = arena_new(8192);
	assert_false(reads(slice_str(body), &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	arena_free(arena);
	arena = large;
}

/* "x" then characters of three bytes: the cut at 8000 would fall inside one. */
static void
a_long_question_is_cut(void **state)
{
	struct err err = { 0 };
	const char *body = many("{\"messages\":[{\"role\":\"user\",\"content\":\"x", "\xe6\xbd\xae",
	    3000, "\"}]}");

	(void)state;
	if (!reads(slice_str(body), &err))
		fail_msg("%s", err.detail);
	assert_in_range(input.question.len, CHAT_QUESTION_MAX - 3, CHAT_QUESTION_MAX);
	assert_true(json_utf8_valid(input.question));
	assert_true(input.messages[1].content.len > CHAT_QUESTION_MAX);
}

static void
a_hostile_chat_body_costs_linear_time(void **state)
{
	clock_t began;
	char *deep = arena_alloc(arena, (1u << 20) + 1);

	(void)state;
	assert_non_null(deep);
	memset(deep, '[', 1u << 20);
	began = clock();
	refuses(deep, "deeper");
	refuses(many("{\"messages\":[{\"role\":\"user\",\"parts\":[", "{\"type\":\"text\"}", 60000,
		    "]}]}"),
	    "messages");
	refuses(many("{\"messages\":[", "1", 500000, "]}"), "messages");
	assert_in_range(clock() - began, 0, CLOCKS_PER_SEC * 2);
}

/* At every ceiling of the arena: refused for its size, or read whole; nothing between. */
static void
a_chat_at_every_ceiling_is_read_whole_or_refused(void **state)
{
	static const struct slice body = SLICE_LIT(
	    "{\"messages\":[{\"role\":\"user\",\"content\":\"first\"},"
	    "{\"role\":\"assistant\",\"parts\":[{\"type\":\"text\",\"text\":\"second\"}]},"
	    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"third\"}]}],"
	    "\"model\":\"m\",\"documentIds\":[\"a\",\"b\"]}");
	struct arena *large = arena;
	bool ok = false;

	(void)state;
	for (size_t ceiling = 0; !ok; ceiling += 16) {
		struct err err = { 0 };

		assert_true(ceiling < 65536);
		arena = arena_new(ceiling);
		ok = reads(body, &err);
		assert_int_equal(err.code, ok ? ERR_NONE : ERR_TOO_LARGE);
		arena_free(arena);
	}
	arena = large;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ai_sdk_3_is_read),
		TEST(ai_sdk_4_is_read),
		TEST(ai_sdk_5_is_read),
		TEST(the_scope_of_a_question_is_read),
		TEST(what_narrows_a_question_is_read),
		TEST(wrong_messages_are_refused),
		TEST(wrong_fields_are_refused),
		TEST(hostile_strings_stay_strings),
		TEST(chat_fields_have_ceilings),
		TEST(a_full_arena_refuses_a_chat),
		TEST(a_chat_at_every_ceiling_is_read_whole_or_refused),
		TEST(a_long_question_is_cut),
		TEST(a_hostile_chat_body_costs_linear_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
