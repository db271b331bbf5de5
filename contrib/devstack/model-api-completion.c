/* SPDX-License-Identifier: MIT */
/*
 * model-api-talk: a streamed answer, word by word: all that is due in one piece, then a nap.
 */
#include "model-api.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/json.h"

#define PIECE 32768 /* bytes before it looks whether the client takes them */

bool
completion_word(struct completion *t, struct slice *word)
{
	size_t i = 0;

	while (i < t->rest.len && t->rest.p[i] == ' ')
		i++;
	while (i < t->rest.len && t->rest.p[i] != ' ')
		i++;
	*word = slice_of(t->rest.p, i);
	t->rest.p += i;
	t->rest.len -= i;
	if (i > 0)
		t->said++;
	return i > 0;
}

/* All of an event before its choices. */
static void
chunk_begin(struct completion *t)
{
	buf_printf(&t->out,
	    "data: {\"id\":\"%s\",\"object\":\"chat.completion.chunk\",\"created\":%llu,\"model\":",
	    t->id, (unsigned long long)(clock_wall_us() / 1000000));
	json_put_string(&t->out, slice_str(t->model));
	buf_puts(&t->out, ",\"system_fingerprint\":\"stand-in\",\"choices\":[");
}

static void
chunk_end(struct completion *t, const char *reason)
{
	buf_printf(&t->out, "},\"logprobs\":null,\"finish_reason\":%s}]%s}\n\n", reason,
	    t->include_usage ? ",\"usage\":null" : "");
}

static void
word_put(struct completion *t, struct slice word)
{
	unsigned huge = t->said == 1 ? t->req.knobs.huge_event : 0;

	chunk_begin(t);
	buf_puts(&t->out, "{\"index\":0,\"delta\":{\"content\":");
	if (huge > 0) {
		char *x;

		buf_putc(&t->out, '"');
		x = buf_extend(&t->out, huge);
		if (x != NULL)
			memset(x, 'x', huge);
		buf_putc(&t->out, '"');
	} else {
		json_put_string(&t->out, word);
	}
	chunk_end(t, "null");
	t->req.api->stats.tokens++;
}

static void
finish_put(struct completion *t)
{
	chunk_begin(t);
	buf_puts(&t->out, "{\"index\":0,\"delta\":{");
	chunk_end(t, "\"stop\"");
	if (t->include_usage) {
		chunk_begin(t);
		buf_printf(&t->out,
		    "],\"usage\":{\"prompt_tokens\":%u,\"completion_tokens\":%u,"
		    "\"total_tokens\":%u}}\n\n",
		    t->prompt_tokens, t->said, t->prompt_tokens + t->said);
	}
	buf_puts(&t->out, "data: [DONE]\n\n");
}

enum flow_rc
completion_begin(struct flow *f)
{
	struct completion *t = completion_of(f);

	t->req.api->stats.streams++;
	http_stream_begin(t->req.x, 200, "text/event-stream; charset=utf-8");
	chunk_begin(t);
	buf_puts(&t->out, "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"");
	chunk_end(t, "null");
	return FLOW_NEXT;
}

static void
completion_write(struct completion *t)
{
	http_stream_add(t->req.x, buf_view(&t->out));
	buf_reset(&t->out);
}

/* FLOW_NEXT: nothing of the kind is due. */
static enum flow_rc
completion_misbehave(struct completion *t)
{
	const struct knobs *k = &t->req.knobs;

	if (k->stall_after > 0 && t->said >= k->stall_after) {
		completion_write(t);
		return model_request_wait(&t->req, 0, true);
	}
	if (k->error_after > 0 && t->said >= k->error_after) {
		buf_puts(&t->out,
		    "data: {\"error\":{\"message\":\"The server had an error while "
		    "processing your request.\",\"type\":\"server_error\","
		    "\"param\":null,\"code\":null}}\n\n");
		completion_write(t);
		http_stream_end(t->req.x);
		return FLOW_DONE;
	}
	if (k->cut_after > 0 && t->said >= k->cut_after) {
		completion_write(t);
		http_stream_break(t->req.x);
		return FLOW_DONE;
	}
	return FLOW_NEXT;
}

/* All words that need no nap between them, up to a piece. */
enum flow_rc
completion_next(struct flow *f)
{
	struct completion *t = completion_of(f);
	enum flow_rc rc;
	struct slice word;

	do {
		if ((rc = completion_misbehave(t)) != FLOW_NEXT)
			return rc;
		if (!completion_word(t, &word)) {
			finish_put(t);
			completion_write(t);
			http_stream_end(t->req.x);
			return FLOW_DONE;
		}
		word_put(t, word);
	} while (t->req.knobs.token_delay_ms == 0 && t->out.len < PIECE);
	completion_write(t);
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
	struct completion *t = completion_of(f);

	flow_goto(f, completion_next);
	return model_request_wait(&t->req, t->req.knobs.token_delay_ms, false);
}
