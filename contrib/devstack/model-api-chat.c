/* SPDX-License-Identifier: MIT */
/*
 * model-api-chat: POST /v1/chat/completions up to the first word, and the whole answer when no
 * stream was asked for.
 */
#include <stdio.h>
#include <stdlib.h>

#include "model-api.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/random.h"

#define OUT_MAX (64u << 20)

static flow_step_fn chat_completion_open, chat_completion_whole;
static flow_end_fn chat_completion_end;

static const struct flow_step chat_steps[] = {
	{ "body", model_request_read },
	{ "open", chat_completion_open },
	{ "whole", chat_completion_whole },
	{ "begin", completion_begin },
	{ "next", completion_next },
	{ "flush", completion_flush },
	{ "nap", completion_delay },
	{ NULL, NULL },
};

static const struct flow_kind chat_kind = { "chat", chat_steps, chat_completion_end,
	model_request_release };

/* A message's content: a string, or the text of its parts. */
static void
content_put(const json_t *message, struct buf *out)
{
	const json_t *content = json_object_get(message, "content"), *part;
	size_t i;

	if (json_is_string(content))
		buf_add(out, json_string_value(content), json_string_length(content));
	json_array_foreach((json_t *)content, i, part) {
		const char *text = json_string_value(json_object_get(part, "text"));

		buf_puts(out, text ?: "");
	}
}

static const char *
chat_message_role(const json_t *message)
{
	return json_string_value(json_object_get(message, "role")) ?: "";
}

static void
echo_put(const json_t *messages, struct buf *out)
{
	const json_t *message;
	size_t i;

	json_array_foreach((json_t *)messages, i, message) {
		buf_printf(out, "%s%s: ", i == 0 ? "" : "\n", chat_message_role(message));
		content_put(message, out);
	}
}

static void
completion_put(const json_t *messages, struct buf *out)
{
	struct buf passages, question;
	const json_t *message;
	size_t i;

	buf_init(&passages, TEXT_MAX);
	buf_init(&question, TEXT_MAX);
	json_array_foreach((json_t *)messages, i, message) {
		if (strcmp(chat_message_role(message), "system") == 0) {
			content_put(message, &passages);
		} else if (strcmp(chat_message_role(message), "user") == 0) {
			buf_reset(&question);
			content_put(message, &question);
		}
	}
	quote_answer(buf_view(&passages), buf_view(&question), out);
	buf_free(&passages);
	buf_free(&question);
}

static void
words_put(unsigned n, struct buf *out)
{
	static const char *const words[] = { "stand-in", "words", "are", "counted", "not",
		"meant" };
	unsigned i;

	for (i = 0; i < n; i++) {
		buf_puts(out, i == 0 ? "" : " ");
		buf_puts(out, words[i % 6]);
	}
}

static size_t
messages_bytes(const json_t *messages)
{
	const json_t *message;
	size_t i, n = 0;

	json_array_foreach((json_t *)messages, i, message)
		n += json_string_length(json_object_get(message, "content"));
	return n;
}

static void
completion_prepare(struct completion *t, const json_t *messages)
{
	const json_t *root = t->req.root;
	const json_t *options = json_object_get(root, "stream_options");

	t->streamed = json_is_true(json_object_get(root, "stream"));
	t->include_usage = json_is_true(json_object_get(options, "include_usage"));
	t->model = json_string_value(json_object_get(root, "model"));
	t->prompt_tokens = (unsigned)(messages_bytes(messages) / 4) + 1;
	memcpy(t->id, "chatcmpl-", 9);
	id_random(t->id + 9, 20);
	if (t->req.knobs.tokens > 0)
		words_put(t->req.knobs.tokens, &t->text);
	else if (t->req.knobs.echo)
		echo_put(messages, &t->text);
	else
		completion_put(messages, &t->text);
	t->rest = buf_view(&t->text);
}

static enum flow_rc
chat_completion_open(struct flow *f)
{
	struct completion *t = completion_of(f);
	struct model_request *req = &t->req;
	const json_t *messages;

	if (!model_request_open(req) || model_request_fails(req, req->knobs.fail_chat))
		return FLOW_DONE;
	messages = json_object_get(req->root, "messages");
	if (json_array_size(messages) == 0) {
		model_request_refuse(req, 400, "invalid_request_error", NULL,
		    "'messages' is required.");
		return FLOW_DONE;
	}
	completion_prepare(t, messages);
	return model_request_wait(req, req->knobs.first_delay_ms, req->knobs.stall_header);
}

static enum flow_rc
chat_completion_whole(struct flow *f)
{
	struct completion *t = completion_of(f);
	struct slice word;
	struct buf *b = &t->out;

	if (t->streamed)
		return FLOW_NEXT;
	while (completion_word(t, &word))
		;
	buf_printf(b,
	    "{\"id\":\"%s\",\"object\":\"chat.completion\",\"created\":1,\"model\":", t->id);
	json_put_string(b, slice_str(t->model));
	buf_puts(b, ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
	json_put_string(b, buf_view(&t->text));
	buf_printf(b,
	    ",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":"
	    "{\"prompt_tokens\":%u,\"completion_tokens\":%u,\"total_tokens\":%u}}",
	    t->prompt_tokens, t->said, t->prompt_tokens + t->said);
	model_request_reply(&t->req, b);
	return FLOW_DONE;
}

static void
chat_completion_end(struct flow *f, const struct err *err)
{
	struct completion *t = completion_of(f);

	buf_free(&t->text);
	buf_free(&t->out);
	if (t->streamed && http_status(t->req.x) == 200) {
		t->req.api->stats.streams--;
		if (err->code == ERR_CLIENT_GONE)
			t->req.api->stats.aborted++;
	}
	model_request_end(f, err);
}

void
chat_completion_start(struct model_api *api, struct http_exchange *x)
{
	struct completion *t;

	api->stats.chats++;
	t = (struct completion *)model_request_start(api, x, sizeof(*t), &chat_kind);
	if (t == NULL)
		return;
	t->magic = COMPLETION_MAGIC;
	buf_init(&t->text, TEXT_MAX);
	buf_init(&t->out, OUT_MAX);
}
