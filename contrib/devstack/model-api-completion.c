/* SPDX-License-Identifier: MIT */
/*
 * model-api-completion: a streamed answer, one event a word: all words that are due in one piece,
 * then a delay.
 *
 *	[begin] --> [next: words] --> [flush: the client takes them] --> [delay] --+
 *	               ^____________________________________________________________|
 */
#include "model-api.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/json.h"

#define PIECE 32768 /* bytes of events between two looks at whether the client takes them */

bool
completion_word(struct completion *c, struct slice *word)
{
	size_t i = 0;

	while (i < c->rest.len && c->rest.p[i] == ' ')
		i++;
	while (i < c->rest.len && c->rest.p[i] != ' ')
		i++;
	*word = slice_of(c->rest.p, i);
	c->rest.p += i;
	c->rest.len -= i;
	if (i > 0)
		c->words_sent++;
	return i > 0;
}

/* An event up to its choices. */
static void
chunk_begin(struct completion *c)
{
	buf_printf(&c->out,
	    "data: {\"id\":\"%s\",\"object\":\"chat.completion.chunk\",\"created\":%llu,\"model\":",
	    c->id, (unsigned long long)(clock_wall_us() / 1000000));
	json_put_string(&c->out, slice_str(c->model));
	buf_puts(&c->out, ",\"system_fingerprint\":\"stand-in\",\"choices\":[");
}

static void
chunk_end(struct completion *c, const char *reason)
{
	buf_printf(&c->out, "},\"logprobs\":null,\"finish_reason\":%s}]%s}\n\n", reason,
	    c->include_usage ? ",\"usage\":null" : "");
}

/* The knob `huge_event` makes the first word one that the proxy must refuse to buffer. */
static void
word_put(struct completion *c, struct slice word)
{
	unsigned huge = c->words_sent == 1 ? c->req.knobs.huge_event : 0;

	chunk_begin(c);
	buf_puts(&c->out, "{\"index\":0,\"delta\":{\"content\":");
	if (huge > 0) {
		char *x;

		buf_putc(&c->out, '"');
		x = buf_extend(&c->out, huge);
		if (x != NULL)
			memset(x, 'x', huge);
		buf_putc(&c->out, '"');
	} else {
		json_put_string(&c->out, word);
	}
	chunk_end(c, "null");
	c->req.api->stats.tokens++;
}

static void
finish_put(struct completion *c)
{
	chunk_begin(c);
	buf_puts(&c->out, "{\"index\":0,\"delta\":{");
	chunk_end(c, "\"stop\"");
	if (c->include_usage) {
		chunk_begin(c);
		buf_printf(&c->out,
		    "],\"usage\":{\"prompt_tokens\":%u,\"completion_tokens\":%u,"
		    "\"total_tokens\":%u}}\n\n",
		    c->prompt_tokens, c->words_sent, c->prompt_tokens + c->words_sent);
	}
	buf_puts(&c->out, "data: [DONE]\n\n");
}

enum flow_rc
completion_begin(struct flow *f)
{
	struct completion *c = completion_of(f);

	c->req.api->stats.streams++;
	http_stream_begin(c->req.x, 200, "text/event-stream; charset=utf-8");
	chunk_begin(c);
	buf_puts(&c->out, "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"");
	chunk_end(c, "null");
	return FLOW_NEXT;
}

static void
completion_write(struct completion *c)
{
	http_stream_add(c->req.x, buf_view(&c->out));
	buf_reset(&c->out);
}

/* What the knobs want after so many words; FLOW_NEXT when nothing is due. */
static enum flow_rc
completion_misbehave(struct completion *c)
{
	const struct knobs *k = &c->req.knobs;

	if (k->stall_after > 0 && c->words_sent >= k->stall_after) {
		completion_write(c);
		return model_request_wait(&c->req, 0, true);
	}
	if (k->error_after > 0 && c->words_sent >= k->error_after) {
		buf_puts(&c->out,
		    "data: {\"error\":{\"message\":\"The server had an error while "
		    "processing your request.\",\"type\":\"server_error\","
		    "\"param\":null,\"code\":null}}\n\n");
		completion_write(c);
		http_stream_end(c->req.x);
		return FLOW_DONE;
	}
	if (k->cut_after > 0 && c->words_sent >= k->cut_after) {
		completion_write(c);
		http_stream_break(c->req.x);
		return FLOW_DONE;
	}
	return FLOW_NEXT;
}

/* All words that need no delay between them, up to a piece; then the stream's end. */
enum flow_rc
completion_next(struct flow *f)
{
	struct completion *c = completion_of(f);
	enum flow_rc rc;
	struct slice word;

	do {
		if ((rc = completion_misbehave(c)) != FLOW_NEXT)
			return rc;
		if (!completion_word(c, &word)) {
			finish_put(c);
			completion_write(c);
			http_stream_end(c->req.x);
			return FLOW_DONE;
		}
		word_put(c, word);
	} while (c->req.knobs.token_delay_ms == 0 && c->out.len < PIECE);
	completion_write(c);
	return FLOW_NEXT;
}

enum flow_rc
completion_flush(struct flow *f)
{
	return http_stream_flush(f, completion_of(f)->req.x);
}

enum flow_rc
completion_delay(struct flow *f)
{
	struct completion *c = completion_of(f);

	flow_goto(f, completion_next);
	return model_request_wait(&c->req, c->req.knobs.token_delay_ms, false);
}
