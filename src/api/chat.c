/* SPDX-License-Identifier: MIT */
/*
 * chat: POST /chat. The question is embedded, the tenant's chunks are searched, the model answers
 * from them, and its words go out as they arrive.
 *
 * The lease is given back before the model is asked. From chat_open_answer() on the status is
 * spent: a failure after it is told inside the stream.
 */
#include "api/answer.h"
#include "api/chat_body.h"
#include "api/stories.h"
#include "api/stream.h"
#include "tenantgate/base/json.h"

#define PROMPT_MAX	(256u << 10)
#define PIECE_MAX	(256u << 10)

struct chat {
	struct visit		 visit;		/* first */
	struct chat_ask		 ask;
	float			*vector;	/* arena */
	struct hits		 hits;
	struct buf		 prompt;	/* owned */
	struct model_stream	*answer;	/* owned until model_chat_stop() */
	struct model_delta	 delta;
	struct stream_writer	 writer;
	struct buf		 piece;		/* owned: what is written next */
};

static struct chat *
chat_of(struct flow *f)
{
	return (struct chat *)f;
}

static enum flow_rc
chat_read(struct flow *f)
{
	struct chat *c = chat_of(f);

	return http_read_body(f, c->visit.x, &c->visit.body);
}

static bool
chat_parse(struct chat *c, struct err *err)
{
	struct visit *v = &c->visit;
	json_t *root = json_read_object(buf_view(&v->body), err);
	bool ok;

	if (root == NULL)
		return false;
	ok = chat_body_read(root, v->rooms->conf->top_k, v->flow.arena, &c->ask, err);
	if (ok)
		c->writer.kind = stream_choose(http_header(v->x, "X-Tenantgate-Stream"),
		    http_header(v->x, "Accept"), root);
	json_decref(root);
	return ok;
}

static enum flow_rc
chat_embed(struct flow *f)
{
	struct chat *c = chat_of(f);
	struct model *model = c->visit.rooms->model;
	struct err err = { 0 };

	if (!chat_parse(c, &err))
		return flow_fail_err(f, &err);
	c->vector = arena_array(f->arena, model_dimensions(model), sizeof(*c->vector));
	if (c->vector == NULL)
		return flow_fail(f, ERR_TOO_LARGE, "The body's messages are too large together.");
	return model_embed(f, model, &c->ask.question, 1, c->vector, &c->visit.usage);
}

static enum flow_rc
chat_search(struct flow *f)
{
	struct chat *c = chat_of(f);

	return search_chunks(f, c->visit.lease.conn, c->vector,
	    model_dimensions(c->visit.rooms->model), c->ask.document_ids, c->ask.document_count,
	    c->ask.top_k, &c->hits);
}

static enum flow_rc
chat_answer(struct flow *f)
{
	struct chat *c = chat_of(f);
	struct model_chat chat;

	pool_return(&c->visit.lease, POOL_CLEAN);
	if (!prompt_build(&c->hits, &c->prompt))
		return flow_fail(f, ERR_INTERNAL, "The passages found are too large for a prompt.");
	c->ask.messages[0] = (struct model_message){ "system", buf_view(&c->prompt) };
	chat = (struct model_chat){
		.name = c->ask.model,
		.messages = c->ask.messages,
		.message_count = c->ask.message_count,
		.temperature = c->ask.temperature,
	};
	return model_chat_start(f, c->visit.rooms->model, &chat, &c->answer);
}

/* The model is answering: the header goes out, and the sources before the first word. */
static enum flow_rc
chat_open_answer(struct flow *f)
{
	struct chat *c = chat_of(f);
	struct http_exchange *x = c->visit.x;
	const char *name, *value;

	if (stream_protocol_header(c->writer.kind, &name, &value))
		http_set(x, name, value);
	http_set(x, "Cache-Control", "no-cache, no-transform");
	http_set(x, "X-Accel-Buffering", "no");
	http_stream_begin(x, 200, stream_content_type(c->writer.kind));
	c->visit.streaming = true;
	stream_begin(&c->writer, &c->piece);
	stream_sources(&c->writer, &c->piece, &c->hits);
	http_stream_add(x, buf_view(&c->piece));
	return FLOW_NEXT;
}

static enum flow_rc
chat_pull(struct flow *f)
{
	struct chat *c = chat_of(f);

	return model_chat_pull(f, c->answer, &c->delta);
}

static enum flow_rc
chat_write(struct flow *f)
{
	struct chat *c = chat_of(f);
	struct model_delta *d = &c->delta;

	buf_reset(&c->piece);
	if (d->text.len > 0)
		stream_text(&c->writer, &c->piece, d->text);
	if (d->finished)
		stream_finish(&c->writer, &c->piece, d->finish_reason, &d->usage);
	if (c->piece.failed)
		return flow_fail(f, ERR_MODEL, "The model sent a piece that is too large.");
	http_stream_add(c->visit.x, buf_view(&c->piece));
	if (!d->finished)
		return http_stream_flush(f, c->visit.x);
	c->visit.usage.input_tokens += d->usage.input_tokens;
	c->visit.usage.output_tokens += d->usage.output_tokens;
	http_stream_end(c->visit.x);
	c->visit.streaming = false;
	return FLOW_DONE;
}

static enum flow_rc
chat_again(struct flow *f)
{
	return flow_goto(f, chat_pull);
}

static const struct flow_step chat_steps[] = {
	{ "auth", visit_caller },
	{ "tenant", visit_tenant },
	{ "limit", visit_limit },
	{ "provision", visit_database },
	{ "body", chat_read },
	{ "embed", chat_embed },
	{ "pool_wait", visit_borrow },
	{ "search", chat_search },
	{ "answer", chat_answer },
	{ "open", chat_open_answer },
	{ "stream", chat_pull },
	{ "write", chat_write },
	{ "again", chat_again },
	{ NULL, NULL },
};

/* A failure after the header has left: said inside the stream where its form has a way to, then
 * an orderly last chunk; plain text has none, and is cut. */
static void
chat_break(struct chat *c, const struct err *err)
{
	buf_reset(&c->piece);
	if (stream_error(&c->writer, &c->piece, err)) {
		http_stream_add(c->visit.x, buf_view(&c->piece));
		http_stream_end(c->visit.x);
	} else {
		http_stream_break(c->visit.x);
	}
}

static void
chat_end(struct flow *f, const struct err *err)
{
	struct chat *c = chat_of(f);

	model_chat_stop(&c->answer);
	if (err_is(err) && c->visit.streaming)
		chat_break(c, err);
	buf_free(&c->prompt);
	buf_free(&c->piece);
	visit_end(&c->visit, err);
}

static const struct flow_kind chat_kind = { "chat", chat_steps, chat_end, visit_release };

void
chat_start(struct http_exchange *x, const struct api_rooms *rooms,
    const struct api_route_match *match)
{
	struct visit *v = visit_start(x, rooms, match, sizeof(struct chat), &chat_kind);
	struct chat *c = chat_of(&v->flow);

	buf_init(&c->prompt, PROMPT_MAX);
	buf_init(&c->piece, PIECE_MAX);
}
