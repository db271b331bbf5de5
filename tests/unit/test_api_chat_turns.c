/* SPDX-License-Identifier: MIT */
/*
 * test_api_chat_turns: a client's messages as turns that alternate, within a number of tokens, with
 * the files that came with them; files of no use are refused by name.
 */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/chat_turns.h"
#include "tenantgate/base/json.h"

#define ARENA_MAX (8u << 20)

static struct arena *arena;
static struct chat_input input;
static struct api_conf conf = { .top_k = 4 };

static int
turns_set_up(void **state)
{
	(void)state;
	arena = arena_new(ARENA_MAX);
	memset(&input, 0, sizeof(input));
	return 0;
}

static int
turns_tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static bool
turns_read(struct slice body, struct err *err)
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
turns_refuse(const char *body, const char *field)
{
	struct err err = { 0 };

	if (turns_read(slice_str(body), &err))
		fail_msg("%s was read", body);
	assert_int_equal(err_status(err.code), 400);
	if (strstr(err.detail, field) == NULL)
		fail_msg("%s: \"%s\" does not name %s", body, err.detail, field);
}

#define SAID(role, text) "{\"role\":\"" role "\",\"content\":\"" text "\"}"
#define FILED(url)	 "{\"type\":\"file\",\"mediaType\":\"text/plain\",\"url\":\"" url "\"}"
#define ASKING		 "{\"type\":\"text\",\"text\":\"q\"}"
#define ASKED(parts)	 "{\"role\":\"user\",\"parts\":[" ASKING parts "]}"

/* Reads the messages and makes turns of them. */
static void
takes_turns(const char *messages, size_t file_text_max, size_t count)
{
	struct err err = { 0 };
	char *body = arena_printf(arena, "{\"messages\":[%s]}", messages);

	assert_non_null(body);
	if (!turns_read(slice_str(body), &err) ||
	    !chat_turns_make(&input, file_text_max, arena, &err))
		fail_msg("%s: %s", body, err.detail);
	assert_int_equal(input.message_count, count + 1);
	for (size_t i = 1; i <= count; i++)
		assert_string_equal(input.messages[i].role, i % 2 == 1 ? "user" : "assistant");
}

static void
turns_alternate(void **state)
{
	(void)state;
	takes_turns(SAID("assistant", "hello") "," SAID("user", "a") "," SAID("system",
			"s") "," SAID("user", "b") "," SAID("assistant", "c") "," SAID("assistant",
			"") "," SAID("assistant", "d") "," SAID("user", "e"),
	    0, 3);
	assert_true(slice_is(input.messages[1].content, "a\n\nb"));
	assert_true(slice_is(input.messages[2].content, "c\n\nd"));
	assert_true(slice_is(input.messages[3].content, "e"));
	assert_int_equal(input.application.len, 0);
	takes_turns(SAID("user", "a"), 0, 1);
	takes_turns(SAID("user", "a") "," SAID("assistant", "b"), 0, 2);
}

static void
a_clients_system_messages_fare_by_setting(void **state)
{
	(void)state;
	conf.client_system_messages = CLIENT_SYSTEM_AFTER;
	takes_turns(SAID("system", "s") "," SAID("user", "a") "," SAID("system", "t"), 0, 1);
	assert_true(slice_is(input.application, "s\n\nt"));
	turns_refuse(arena_printf(arena, "{\"messages\":[" SAID("system", "%0*d") "]}",
			 (int)CHAT_APPLICATION_MAX + 1, 0),
	    "messages[0]");
	conf.client_system_messages = CLIENT_SYSTEM_REFUSE;
	turns_refuse("{\"messages\":[" SAID("user", "a") "," SAID("system", "t") "]}",
	    "messages[1].role");
	conf.client_system_messages = CLIENT_SYSTEM_DROP;
}

static size_t
left_out(size_t system_bytes, unsigned tokens)
{
	struct err err = { 0 };
	size_t n = 99;

	if (chat_turns_trim(&input, system_bytes, tokens, &n, &err))
		return n;
	assert_int_equal(err_status(err.code), 400);
	assert_non_null(strstr(err.detail, "chat_context_tokens"));
	return 1000;
}

/* A message of 30 bytes is estimated at 18 tokens, the system message of 60 at 28. */
static void
the_oldest_pairs_are_left_out(void **state)
{
	static const char thirty[] = "123456789012345678901234567890";

	(void)state;
	takes_turns(arena_printf(arena,
			SAID("user", "%s") "," SAID("assistant", "%s") "," SAID("user",
			    "%s") "," SAID("assistant", "%s") "," SAID("user", "%s"),
			thirty, thirty, thirty, thirty, thirty),
	    0, 5);
	assert_int_equal(left_out(60, 0), 0);
	assert_int_equal(left_out(60, 118), 0);
	assert_int_equal(left_out(60, 117), 2);
	assert_int_equal(left_out(60, 82), 2);
	assert_int_equal(left_out(60, 81), 4);
	assert_int_equal(left_out(60, 46), 4);
	assert_int_equal(left_out(60, 45), 1000);
	assert_int_equal(left_out(3000, 118), 1000);
}

static void
files_stand_with_their_turn(void **state)
{
	struct err err = { 0 };

	(void)state;
	takes_turns(ASKED("," FILED("data:,old%20text")) "," SAID("assistant", "b") "," ASKED(
			"," FILED("data:;base64,bmV3")),
	    8, 3);
	assert_true(
	    slice_is(input.messages[1].content, "q\n\n[file \"without a name\", sent earlier]"));
	assert_non_null(memmem(input.messages[3].content.p, input.messages[3].content.len,
	    ":\n\nnew\n\n----- end ", 18));
	assert_true(
	    turns_read(slice_str("{\"messages\":[" ASKED("," FILED("data:,123456789")) "]}"),
		&err));
	assert_false(chat_turns_make(&input, 8, arena, &err));
	assert_non_null(strstr(err.detail, "max_chat_file_text"));
}

static void
files_of_no_use_are_refused(void **state)
{
	(void)state;
	turns_refuse("{\"messages\":[" ASKED(",{\"type\":\"input_audio\"}") "]}",
	    "messages[0].parts[1]");
	turns_refuse("{\"messages\":[" ASKED("," FILED("data:;base64,a")) "]}",
	    "messages[0].parts[1]");
	turns_refuse("{\"messages\":[" ASKED("," FILED("data:,%4")) "]}", "messages[0].parts[1]");
	turns_refuse("{\"messages\":[" ASKED("," FILED("data:,%00")) "]}", "UTF-8");
	turns_refuse("{\"messages\":[" ASKED("," FILED("data:")) "]}", "data: URL");
	turns_refuse("{\"messages\":[" ASKED("," FILED("http://a/")) "]}", "data: URL");
	turns_refuse("{\"messages\":[{\"role\":\"user\",\"content\":\"q\","
		     "\"experimental_attachments\":[{\"url\":\"blob:x\"}]}]}",
	    "messages[0].experimental_attachments[0]");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, turns_set_up, turns_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(turns_alternate),
		TEST(a_clients_system_messages_fare_by_setting),
		TEST(the_oldest_pairs_are_left_out),
		TEST(files_stand_with_their_turn),
		TEST(files_of_no_use_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
