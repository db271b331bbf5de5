/* SPDX-License-Identifier: MIT */
/*
 * request_json: writes the bodies of the two requests, embeddings and chat, and the web request
 * that carries them. Each is one pass into one buf, which is sized before so that it rarely grows.
 */
#include <stdio.h>
#include <string.h>

#include "model/model_internal.h"
#include "model/request_job.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/mutation.h"

#define REQUEST_OVERHEAD_MAX (64u << 10) /* bytes of all that is not text, extra bodies too */
#define REQUEST_OVERHEAD     512	 /* bytes of that which nearly always suffice */
#define ESCAPED_MAX	     6		 /* bytes that one byte of text may become: \u00XX */

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

static void
put_user(struct buf *b, const struct model_call *call)
{
	if (call->choice->server->conf.send_user && call->user[0] != '\0' &&
	    !model_call_leaves(call, FIELD_USER))
		buf_printf(b, ",\"user\":\"%s\"", call->user);
}

/* base64 is asked for because a vector is then 8 KB rather than 20 to 34 KB of digits, and is
 * decoded without parsing a number. `dimensions` is sent only when configured: older models answer
 * 400. */
bool
request_json_embeddings(struct model_call *call, const struct slice *texts, size_t n)
{
	const struct model_conf *conf = &call->model->conf;
	struct buf *b = &call->body;
	const char *extra = call->choice->server->extra[MODEL_EMBEDDINGS];
	size_t bytes = 0, i;

	for (i = 0; i < n; i++)
		bytes += texts[i].len;
	buf_free(b);
	buf_init(b, bytes * ESCAPED_MAX + n * 3 + REQUEST_OVERHEAD_MAX);
	buf_reserve(b, bytes + bytes / 16 + REQUEST_OVERHEAD);
	request_put_name(b, "model", call->choice->model);
	buf_puts(b, ",\"input\":");
	for (i = 0; i < n; i++) {
		buf_putc(b, i == 0 ? '[' : ',');
		if (conf->strip_new_lines && memchr(texts[i].p, '\n', texts[i].len) != NULL)
			put_without_new_lines(b, texts[i]);
		else
			json_put_string(b, texts[i]);
	}
	buf_putc(b, ']');
	if (!model_call_leaves(call, FIELD_BASE64))
		buf_puts(b, ",\"encoding_format\":\"base64\"");
	if (conf->send_dimensions)
		request_put_number(b, "dimensions", call->dimensions);
	put_user(b, call);
	if (extra != NULL)
		buf_puts(b, extra);
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
put_message(struct buf *b, const char *role, const struct model_message *message)
{
	request_put_name(b, "role", role);
	buf_puts(b, ",\"content\":");
	put_content(b, message);
	buf_putc(b, '}');
}

/* For models without a system role: its text begins the first user turn, or is one where none
 * follows, so that the roles alternate. Returns how many messages that were. */
static size_t
put_system_as_user(struct buf *b, const struct model_chat *chat)
{
	struct slice system = chat->messages[0].content;
	struct model_message turn;
	struct buf text;

	if (chat->message_count < 2 || strcmp(chat->messages[1].role, "user") != 0) {
		put_message(b, "user", &chat->messages[0]);
		return 1;
	}
	turn = chat->messages[1];
	buf_init(&text, system.len + turn.content.len + 2);
	buf_slice(&text, system);
	buf_puts(&text, "\n\n");
	buf_slice(&text, turn.content);
	if (text.failed)
		b->failed = true;
	turn.content = buf_view(&text);
	put_message(b, "user", &turn);
	buf_free(&text);
	return 2;
}

static void
put_messages(struct model_call *call, const struct model_chat *chat)
{
	bool developer = call->choice->server->conf.system_role == FORM_DEVELOPER;
	struct buf *b = &call->body;
	size_t i = 0;

	buf_puts(b, ",\"messages\":[");
	if (model_call_leaves(call, FIELD_SYSTEM_ROLE))
		i = put_system_as_user(b, chat);
	for (; i < chat->message_count; i++) {
		const struct model_message *message = &chat->messages[i];
		bool is_renamed = developer && strcmp(message->role, "system") == 0;

		if (i > 0)
			buf_putc(b, ',');
		put_message(b, is_renamed ? "developer" : message->role, message);
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

/* How long the answer may be: what the chat says, or the server's setting, and no more than the
 * operator allows; 0: not said. */
unsigned
model_answer_tokens(const struct model_call *call, const struct model_chat *chat)
{
	unsigned max = call->model->conf.answer_tokens_max;
	unsigned n =
	    chat->max_tokens > 0 ? chat->max_tokens : call->choice->server->conf.answer_tokens;

	return max > 0 && (n == 0 || n > max) ? max : n;
}

/* max_completion_tokens is OpenAI's name for the deprecated max_tokens; some servers know only the
 * one, some only the other. */
static const char *
length_field(const struct model_call *call)
{
	const char *name = call->choice->server->length_field;

	if (!model_call_leaves(call, FIELD_MAX_TOKENS))
		return name;
	return strcmp(name, "max_tokens") == 0 ? "max_completion_tokens" : "max_tokens";
}

/* The members that are there by the settings of the server alone. */
static void
put_configured(struct buf *b, const struct model_call *call, const struct model_chat *chat)
{
	const struct model_server *server = call->choice->server;
	unsigned tokens = model_answer_tokens(call, chat);

	if (tokens > 0)
		request_put_number(b, length_field(call), tokens);
	put_user(b, call);
	if (server->temperature != NULL && chat->temperature < 0)
		buf_puts(b, server->temperature);
	if (server->extra[MODEL_CHAT] != NULL)
		buf_puts(b, server->extra[MODEL_CHAT]);
}

/*
 * include_usage has the token counts sent in an event of their own. OpenAI pads every event with
 * random characters, which hide a token's length from who sees the sizes of encrypted packets;
 * include_obfuscation switches that off, to save bandwidth.
 */
static void
put_stream_options(struct model_call *call)
{
	struct buf *b = &call->body;

	if (model_call_leaves(call, FIELD_STREAM_OPTIONS))
		return;
	buf_puts(b, ",\"stream_options\":{\"include_usage\":true");
	if (call->choice->server->is_openai && !model_call_leaves(call, FIELD_OBFUSCATION))
		buf_puts(b, ",\"include_obfuscation\":false");
	buf_putc(b, '}');
}

bool
request_json_chat(struct model_call *call, const struct model_chat *chat)
{
	struct buf *b = &call->body;
	size_t bytes = chat_text_bytes(chat) + 64 * chat->message_count;

	buf_free(b);
	buf_init(b, bytes * ESCAPED_MAX + REQUEST_OVERHEAD_MAX);
	buf_reserve(b, bytes + bytes / 16 + REQUEST_OVERHEAD);
	request_put_name(b, "model", call->choice->model);
	put_messages(call, chat);
	buf_puts(b, ",\"stream\":true");
	put_stream_options(call);
	if (chat->temperature >= 0 && !model_call_leaves(call, FIELD_TEMPERATURE))
		put_temperature(b, chat->temperature);
	put_configured(b, call, chat);
	buf_putc(b, '}');
	return !b->failed;
}

/* No total time-out: a long answer is not a stalled one. */
void
model_call_request(struct model_call *call, struct web_request *r)
{
	const struct model_server *server = call->choice->server;
	const struct model_server_conf *conf = &server->conf;
	unsigned n = 0;

	if (call->began_us == 0)
		call->began_us = clock_mono_us();
	memset(r, 0, sizeof(*r));
	r->method = "POST";
	r->url = call->choice->url;
	r->headers[n++] = "Content-Type: application/json";
	if (call->kind == MODEL_CHAT)
		r->headers[n++] = "Accept: text/event-stream";
	for (unsigned i = 0; server->headers[i] != NULL; i++)
		r->headers[n++] = server->headers[i];
	if (call->trace_line[0] != '\0')
		r->headers[n++] = call->trace_line;
	if (call->tracestate != NULL)
		r->headers[n++] = call->tracestate;
	r->body = buf_view(&call->body);
	r->body_stays = true; /* the call outlives its transfer */
	r->connect_timeout_us = conf->connect_timeout_us;
	r->first_byte_timeout_us = conf->first_byte_timeout_us;
	r->idle_timeout_us = conf->idle_timeout_us;
}

/* A NUL between the two: no tenant's id has one, so that no other pair gives the same bytes. */
static void
call_put_user(struct model_call *call, struct slice user)
{
	static const char digits[] = "0123456789abcdef";
	const struct model_shares *shares = call->model->shares;
	uint8_t raw[SHA256_SIZE];
	struct buf pair;

	buf_init(&pair, call->tenant.len + 1 + user.len);
	buf_slice(&pair, mutated_slice(MUTATION_PSEUDONYM, call->tenant));
	buf_putc(&pair, '\0');
	buf_slice(&pair, user);
	if (shares->has_user_key && !pair.failed) {
		hmac_sha256(slice_of((const char *)shares->user_key, sizeof(shares->user_key)),
		    buf_view(&pair), raw);
		for (size_t i = 0; i < sizeof(raw); i++) {
			call->user[2 * i] = digits[raw[i] >> 4];
			call->user[2 * i + 1] = digits[raw[i] & 0xf];
		}
		call->user[2 * sizeof(raw)] = '\0';
	}
	buf_free(&pair);
}

void
model_call_ask(struct model_call *call, const struct model_asker *asker)
{
	call->tenant = asker->tenant;
	call_put_user(call, asker->user);
	call->tracestate = asker->tracestate;
	if (asker->traceparent.len > 0)
		(void)snprintf(call->trace_line, sizeof(call->trace_line), "traceparent: %.*s",
		    (int)asker->traceparent.len, asker->traceparent.p);
}
