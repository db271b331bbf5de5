/* SPDX-License-Identifier: MIT */
/*
 * request_json: writes the bodies of the two requests, embeddings and chat, and the web request
 * that carries them. Each is one pass into one buf, which is sized before so that it rarely grows.
 */
#include <string.h>

#include "model/model_internal.h"
#include "model/request_job.h"
#include "tenantgate/base/json.h"

#define REQUEST_OVERHEAD_MAX 4096 /* bytes of all that is not text, at most */
#define REQUEST_OVERHEAD     512  /* bytes of that which nearly always suffice */
#define ESCAPED_MAX	     6	  /* bytes that one byte of text may become: \u00XX */

/* Opens an object with its first member, a string. */
static void
request_put_name(struct buf *b, const char *key, const char *name)
{
	buf_puts(b, "{\"");
	buf_puts(b, key);
	buf_puts(b, "\":");
	json_put_string(b, slice_str(name));
}

/* A further member, a number. */
static void
request_put_number(struct buf *b, const char *key, unsigned n)
{
	buf_puts(b, ",\"");
	buf_puts(b, key);
	buf_puts(b, "\":");
	buf_uint(b, n);
}

/* Line ends become spaces, as in LangChain's OpenAIEmbeddings: vectors that an application stored
 * with it stay comparable with ours. */
static void
put_without_new_lines(struct buf *b, struct slice text)
{
	struct buf line;
	char *at;

	buf_init(&line, text.len);
	buf_slice(&line, text);
	if (line.failed)
		b->failed = true;
	for (at = line.data;
	     at != NULL && (at = memchr(at, '\n', line.len - (size_t)(at - line.data))) != NULL;)
		*at++ = ' ';
	json_put_string(b, buf_view(&line));
	buf_free(&line);
}

/* base64 is asked for because a vector is then 8 KB rather than 20 to 34 KB of digits, and is
 * decoded without parsing a number. `dimensions` is sent only when configured: older models answer
 * 400. */
bool
request_json_embeddings(struct model_call *call, const struct slice *texts, size_t n)
{
	const struct model_conf *conf = &call->model->conf;
	struct buf *b = &call->body;
	size_t bytes = 0, i;

	for (i = 0; i < n; i++)
		bytes += texts[i].len;
	buf_init(b, bytes * ESCAPED_MAX + n * 3 + REQUEST_OVERHEAD_MAX);
	buf_reserve(b, bytes + bytes / 16 + REQUEST_OVERHEAD);
	request_put_name(b, "model", conf->embedding_model);
	buf_puts(b, ",\"input\":");
	for (i = 0; i < n; i++) {
		buf_putc(b, i == 0 ? '[' : ',');
		if (conf->strip_new_lines && memchr(texts[i].p, '\n', texts[i].len) != NULL)
			put_without_new_lines(b, texts[i]);
		else
			json_put_string(b, texts[i]);
	}
	buf_puts(b, "],\"encoding_format\":\"base64\"");
	if (conf->send_dimensions)
		request_put_number(b, "dimensions", conf->dimensions);
	buf_putc(b, '}');
	return !b->failed;
}

/* A string; with images, the array of parts that OpenAI has for them. An empty part of text is
 * refused by some servers. */
static void
put_content(struct buf *b, const struct model_message *m)
{
	if (m->image_count == 0) {
		json_put_string(b, m->content);
		return;
	}
	buf_putc(b, '[');
	if (m->content.len > 0) {
		buf_puts(b, "{\"type\":\"text\",\"text\":");
		json_put_string(b, m->content);
		buf_puts(b, "},");
	}
	for (size_t i = 0; i < m->image_count; i++) {
		buf_puts(b, i > 0 ? "," : "");
		buf_puts(b, "{\"type\":\"image_url\",\"image_url\":{\"url\":");
		json_put_string(b, m->images[i]);
		buf_puts(b, "}}");
	}
	buf_putc(b, ']');
}

static void
put_messages(struct buf *b, const struct model_chat *chat)
{
	size_t i;

	buf_puts(b, ",\"messages\":[");
	for (i = 0; i < chat->message_count; i++) {
		if (i > 0)
			buf_putc(b, ',');
		request_put_name(b, "role", chat->messages[i].role);
		buf_puts(b, ",\"content\":");
		put_content(b, &chat->messages[i]);
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
}

/* In thousandths, written as integers: the point of %f depends on the locale. */
static void
put_temperature(struct buf *b, double t)
{
	unsigned n = t > 100 ? 100000 : (unsigned)(t * 1000 + 0.5);

	buf_printf(b, ",\"temperature\":%u.%03u", n / 1000, n % 1000);
}

/*
 * include_usage has the token counts sent in an event of their own. OpenAI pads every event with
 * random characters, which hide a token's length from who sees the sizes of encrypted packets;
 * include_obfuscation switches that off, to save bandwidth. max_completion_tokens is OpenAI's name
 * for the deprecated max_tokens. Other servers may know neither.
 */
bool
request_json_chat(struct model_call *call, const struct model_chat *chat)
{
	const struct model *m = call->model;
	struct buf *b = &call->body;
	size_t bytes = chat_text_bytes(chat) + 64 * chat->message_count;

	buf_init(b, bytes * ESCAPED_MAX + REQUEST_OVERHEAD_MAX);
	buf_reserve(b, bytes + bytes / 16 + REQUEST_OVERHEAD);
	request_put_name(b, "model", chat->name != NULL ? chat->name : m->conf.chat_model);
	put_messages(b, chat);
	buf_puts(b, ",\"stream\":true,\"stream_options\":{\"include_usage\":true");
	buf_puts(b, m->is_openai ? ",\"include_obfuscation\":false}" : "}");
	if (chat->temperature >= 0)
		put_temperature(b, chat->temperature);
	if (chat->max_tokens > 0)
		request_put_number(b, m->is_openai ? "max_completion_tokens" : "max_tokens",
		    chat->max_tokens);
	buf_putc(b, '}');
	return !b->failed;
}

/* No total time-out: a long answer is not a stalled one. */
void
model_call_request(const struct model_call *call, const char *url, struct web_request *r)
{
	const struct model_conf *conf = &call->model->conf;

	memset(r, 0, sizeof(*r));
	r->method = "POST";
	r->url = url;
	r->headers[0] = "Content-Type: application/json";
	r->headers[1] = call->model->auth;
	r->body = buf_view(&call->body);
	r->body_stays = true; /* the call outlives its transfer */
	r->connect_timeout_us = conf->connect_timeout_us;
	r->first_byte_timeout_us = conf->first_byte_timeout_us;
	r->idle_timeout_us = conf->idle_timeout_us;
}
