/* SPDX-License-Identifier: MIT */
/*
 * model-api-chat: POST /v1/chat/completions: reads the request, composes the answer, and sends it
 * in one piece unless a stream was asked for; model-api-completion.c has the steps of a stream.
 */
#include <stdio.h>
#include <stdlib.h>

#include "model-api.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/random.h"

#define OUT_MAX (64u << 20) /* bytes: with huge_event, one event */

static flow_step_fn chat_completion_open, chat_completion_whole;
static flow_end_fn chat_completion_end;

static const struct flow_step chat_steps[] = {
	{ "body", model_request_read },
	{ "open", chat_completion_open },
	{ "whole", chat_completion_whole },
	{ "begin", completion_begin },
	{ "next", completion_next },
	{ "flush", completion_flush },
	{ "delay", completion_delay },
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

/* The knob `echo`: tests see the prompt that the proxy made. */
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

/* The system prompt holds the passages, the last user's message is the question. */
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

/* The knob `tokens`: a stream of known length for benchmarks. */
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
completion_prepare(struct completion *c, const json_t *messages)
{
	const json_t *root = c->req.root;
	const json_t *options = json_object_get(root, "stream_options");

	c->streamed = json_is_true(json_object_get(root, "stream"));
	c->include_usage = json_is_true(json_object_get(options, "include_usage"));
	c->model = json_string_value(json_object_get(root, "model"));
	c->prompt_tokens = (unsigned)(messages_bytes(messages) / 4) + 1;
	memcpy(c->id, "chatcmpl-", 9);
	id_random(c->id + 9, 20);
	if (c->req.knobs.tokens > 0)
		words_put(c->req.knobs.tokens, &c->text);
	else if (c->req.knobs.echo)
		echo_put(messages, &c->text);
	else
		completion_put(messages, &c->text);
	c->rest = buf_view(&c->text);
}

static enum flow_rc
chat_completion_open(struct flow *f)
{
	struct completion *c = completion_of(f);
	struct model_request *req = &c->req;
	const json_t *messages;

	if (!model_request_open(req) || model_request_fails(req, req->knobs.fail_chat))
		return FLOW_DONE;
	messages = json_object_get(req->root, "messages");
	if (json_array_size(messages) == 0) {
		model_request_refuse(req, 400, "invalid_request_error", NULL,
		    "'messages' must be an array of at least one message.");
		return FLOW_DONE;
	}
	completion_prepare(c, messages);
	return model_request_wait(req, req->knobs.first_delay_ms, req->knobs.stall_header);
}

static enum flow_rc
chat_completion_whole(struct flow *f)
{
	struct completion *c = completion_of(f);
	struct slice word;
	struct buf *b = &c->out;

	if (c->streamed)
		return FLOW_NEXT;
	while (completion_word(c, &word))
		;
	buf_printf(b,
	    "{\"id\":\"%s\",\"object\":\"chat.completion\",\"created\":1,\"model\":", c->id);
	json_put_string(b, slice_str(c->model));
	buf_puts(b, ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
	json_put_string(b, buf_view(&c->text));
	buf_printf(b,
	    ",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":"
	    "{\"prompt_tokens\":%u,\"completion_tokens\":%u,\"total_tokens\":%u}}",
	    c->prompt_tokens, c->words_sent, c->prompt_tokens + c->words_sent);
	model_request_reply(&c->req, b);
	return FLOW_DONE;
}

/* A stream counts as aborted when the client left before its end; tests look whether a stopped chat
 * stops the model. */
static void
chat_completion_end(struct flow *f, const struct err *err)
{
	struct completion *c = completion_of(f);

	buf_free(&c->text);
	buf_free(&c->out);
	if (c->streamed && http_status(c->req.x) == 200) {
		c->req.api->stats.streams--;
		if (err->code == ERR_CLIENT_GONE)
			c->req.api->stats.aborted++;
	}
	model_request_end(f, err);
}

void
chat_completion_start(struct model_api *api, struct http_exchange *x)
{
	struct completion *c;

	api->stats.chats++;
	c = (struct completion *)model_request_start(api, x, sizeof(*c), &chat_kind);
	if (c == NULL)
		return;
	c->magic = COMPLETION_MAGIC;
	buf_init(&c->text, TEXT_MAX);
	buf_init(&c->out, OUT_MAX);
}
