/* SPDX-License-Identifier: MIT */
/*
 * chat: asking for a streamed answer, as a small flow under the caller's:
 *
 *	ask --> header --> the stream is the caller's
 *	 ^         | refused
 *	 |         v
 *	 |       words --> judge --> failed
 *	 +-- again <---------+ worth another try
 */
#include <stdlib.h>
#include <string.h>

#include "model/stream.h"

struct chat_call {
	struct flow flow;
	struct model_stream *stream; /* owned until it is given away */
	struct model_stream **out;   /* borrowed: the caller's */
	struct buf words;	     /* owned: the body of a refusal */
	struct slice piece;	     /* borrowed until the next web_pull() */
	struct timer nap;
};

static enum flow_rc chat_ask(struct flow *);
static enum flow_rc chat_header(struct flow *);
static enum flow_rc chat_words(struct flow *);
static enum flow_rc chat_judge(struct flow *);
static enum flow_rc chat_again(struct flow *);

static const struct flow_step chat_steps[] = {
	{ "ask", chat_ask },
	{ "header", chat_header },
	{ "words", chat_words },
	{ "judge", chat_judge },
	{ "again", chat_again },
	{ NULL, NULL },
};

static void
chat_release(struct flow *f)
{
	struct chat_call *c = (struct chat_call *)f;

	stream_free(c->stream);
	buf_free(&c->words);
	timer_free(&c->nap);
	free(c);
}

static const struct flow_kind chat_kind = {
	.name = "chat_start",
	.steps = chat_steps,
	.release = chat_release,
};

static enum flow_rc
chat_ask(struct flow *f)
{
	struct chat_call *c = (struct chat_call *)f;
	struct model_stream *s = c->stream;
	struct web_request r;

	s->ask.tries++;
	web_response_free(&s->response);
	memset(&s->response, 0, sizeof(s->response));
	buf_reset(&c->words);
	ask_request(&s->ask, s->ask.model->chat_url, &r);
	r.headers[r.headers[1] == NULL ? 1 : 2] = "Accept: text/event-stream";
	r.response_max = STREAM_AHEAD;
	return web_start(f, s->ask.model->web, &r, &s->transfer, &s->response);
}

static enum flow_rc
chat_header(struct flow *f)
{
	struct chat_call *c = (struct chat_call *)f;
	struct model_stream *s = c->stream;

	/* A failure may have come along with the first words: pulling will find it after them. */
	if (s->transfer != NULL && s->response.status == 200) {
		*c->out = s;
		c->stream = NULL;
		return FLOW_DONE;
	}
	c->piece = slice_of(NULL, 0);
	if (s->transfer == NULL)
		return FLOW_NEXT;
	return web_pull(f, s->transfer, &c->piece);
}

/* What the server says about it, up to a ceiling. */
static enum flow_rc
chat_words(struct flow *f)
{
	struct chat_call *c = (struct chat_call *)f;
	size_t room = c->words.max - c->words.len;

	if (c->piece.len == 0)
		return FLOW_NEXT;
	buf_add(&c->words, c->piece.p, c->piece.len < room ? c->piece.len : room);
	if (c->words.len == c->words.max)
		return FLOW_NEXT;
	return flow_goto(f, chat_header);
}

static enum flow_rc
chat_judge(struct flow *f)
{
	struct chat_call *c = (struct chat_call *)f;
	struct model_stream *s = c->stream;
	struct err err = { .code = ERR_NONE };
	uint64_t wait_us;

	web_stop(&s->transfer);
	wait_us = fault_judge(&s->ask, &s->response, buf_view(&c->words), f->request_id, &err);
	if (wait_us == 0)
		return flow_fail_err(f, &err);
	return flow_sleep(f, &c->nap, wait_us);
}

static enum flow_rc
chat_again(struct flow *f)
{
	return flow_goto(f, chat_ask);
}

enum flow_rc
model_chat_start(struct flow *f, struct model *m, const struct model_chat *chat,
    struct model_stream **out)
{
	struct chat_call *c = calloc(1, sizeof(*c));
	struct model_stream *s = stream_new(m);

	*out = NULL;
	if (c == NULL || s == NULL || !ask_put_chat(&s->ask, chat)) {
		stream_free(s);
		free(c);
		return flow_fail(f, ERR_OVERLOADED, "no memory for a question to the model");
	}
	c->stream = s;
	c->out = out;
	buf_init(&c->words, ERROR_BODY_MAX);
	return flow_call(f, &c->flow, &chat_kind);
}
