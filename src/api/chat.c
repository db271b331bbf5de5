/* SPDX-License-Identifier: MIT */
/*
 * chat: POST /chat. The question is embedded, the tenant's chunks are searched, the model answers
 * from them, and its words go out as they arrive.
 *
 *	... --> [search] --> [answer] --> [open] --> [stream] --> [write] --finished--> done
 *	                                                ^_____________|
 *
 * What always holds:
 *  - The lease is returned before the model is called: an answer takes seconds, and a connection
 *    must not be held so long.
 *  - [stream] pulls from the model only when the client has taken what [write] queued, down to the
 *    high-water mark: a slow client pauses the model instead of filling our memory.
 *  - From [parse] on the client hears something at least every stream_keepalive_interval, whatever
 *    the flow waits for: when a wait passes it, the header leaves and a keep-alive after it.
 *  - Once the header has left, by that or at [open], a failure goes inside the stream.
 */
#include <stdlib.h>

#include "api/body_job.h"
#include "api/chat_body.h"
#include "api/chat_stream.h"
#include "api/handlers.h"
#include "api/keepalive.h"
#include "api/respond.h"
#include "tenantgate/base/json.h"

#define PROMPT_MAX  (256u << 10) /* bytes of the system message, passages included */
#define USER_ID_MAX 256		 /* bytes; a longer one is none */
#define PIECE_MAX   (256u << 10) /* bytes written for one pull, in the stream's form */

/* The body as it is read, on a helper when it is large. */
struct chat_job {
	struct body_job job;	 /* first */
	unsigned top_k;		 /* unless the body says */
	struct slice named;	 /* X-Tenantgate-Stream; in the arena */
	struct slice accept;	 /* the same */
	struct chat_input input; /* strings in the arena */
	enum stream_kind stream;
};

struct chat {
	struct request		 req;		/* first */
	void			*job;		/* owned: struct chat_job; NULL while it is read */
	struct chat_input	 input;		/* strings in the job's arena */
	float			*vector;	/* owned: the question's */
	struct hits		 hits;		/* arena */
	struct buf		 prompt;	/* owned */
	struct model_stream	*answer;	/* owned until model_chat_stop() */
	struct model_delta	 delta;		/* its text is good until the next pull */
	struct stream_writer	 writer;
	struct keepalive	 keepalive;
	struct buf		 piece;		/* owned: what is written next */
};

static flow_step_fn chat_read, chat_parse, chat_embed, chat_search, chat_ask_model,
    chat_open_stream, chat_pull, chat_write;
static flow_end_fn chat_end;

static const struct flow_step chat_steps[] = {
	{ "auth", request_caller },
	{ "tenant", request_tenant },
	{ "limit", request_limit },
	{ "provision", request_database },
	{ "body", chat_read },
	{ "parse", chat_parse },
	{ "embed", chat_embed },
	{ "pool_wait", request_borrow },
	{ "search", chat_search },
	{ "answer", chat_ask_model },
	{ "open", chat_open_stream },
	{ "stream", chat_pull },
	{ "write", chat_write },
	{ NULL, NULL },
};

static const struct flow_kind chat_kind = { "chat", chat_steps, chat_end, request_release };

static struct chat *
chat_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct chat, req.flow, &chat_kind);
}

static enum flow_rc
chat_read(struct flow *f)
{
	struct chat *c = chat_of(f);

	return http_read_body(f, c->req.x, &c->req.body);
}

/* An offload_fn. The stream's form depends on the body too, so it is chosen while the parsed JSON
 * lives. */
static void
chat_job_read(void *arg)
{
	struct chat_job *j = arg;
	json_t *root = body_job_json(&j->job, CHAT_NODES_MAX);

	if (root == NULL)
		return;
	if (stream_choose(j->named, j->accept, root, &j->stream, &j->job.err))
		(void)chat_body_read(root, j->top_k, j->job.arena, &j->input, &j->job.err);
	json_decref(root);
}

static enum flow_rc
chat_parse(struct flow *f)
{
	struct chat *c = chat_of(f);
	struct chat_job *j = body_job_new(&c->req, sizeof(*j));

	j->top_k = c->req.ctx->conf->top_k;
	j->named = body_job_copy(&j->job, http_header(c->req.x, "X-Tenantgate-Stream"));
	j->accept = body_job_copy(&j->job, http_header(c->req.x, "Accept"));
	c->job = j;
	return body_job_run(f, j->job.body.len, chat_job_read, body_job_free, &c->job);
}

/* X-Accel-Buffering is nginx's: without it a proxy collects the stream before passing it on;
 * no-transform keeps others from compressing it, which has the same effect. */
static void
chat_send_header(struct chat *c)
{
	struct http_exchange *x = c->req.x;
	const char *name, *value;

	if (c->req.streaming)
		return;
	if (stream_protocol_header(c->writer.kind, &name, &value))
		http_set(x, name, value);
	http_set(x, "Cache-Control", "no-cache, no-transform");
	http_set(x, "X-Accel-Buffering", "no");
	http_stream_begin(x, 200, stream_content_type(c->writer.kind));
	c->req.streaming = true;
}

/* A keepalive_fn. To a client that does not read nothing is added: what is queued is what it will
 * hear. Nobody else uses the piece now, for it is copied as soon as it is written. */
static void
chat_keep_alive(void *arg)
{
	struct chat *c = arg;
	bool is_idle = http_stream_queued(c->req.x) == 0;

	chat_send_header(c);
	buf_reset(&c->piece);
	if (is_idle)
		stream_keepalive(&c->writer, &c->piece);
	http_stream_add(c->req.x, buf_view(&c->piece));
}

static enum flow_rc
chat_embed(struct flow *f)
{
	struct chat *c = chat_of(f);
	const struct chat_job *j = c->job;
	struct model *model = c->req.ctx->model;
	struct err err = { .code = ERR_NONE };

	if (err_is(&j->job.err))
		return flow_fail_err(f, &j->job.err);
	if (!model_chat_allowed(model, j->input.model, &err))
		return flow_fail_err(f, &err);
	c->input = j->input;
	c->writer.kind = j->stream;
	if (!keepalive_start(&c->keepalive, c->req.ctx->worker,
		c->req.ctx->conf->stream_keepalive_us, chat_keep_alive, c))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the question's timer");
	if (c->input.no_documents)
		return flow_goto(f, chat_ask_model);
	return model_embed(f, model, slice_str(c->req.tenant_id), &c->input.question, 1, &c->vector,
	    &c->req.usage);
}

static enum flow_rc
chat_search(struct flow *f)
{
	struct chat *c = chat_of(f);

	return search_chunks(f, &c->req.lease, c->vector, model_dimensions(c->req.ctx->model),
	    c->input.document_ids, c->input.document_count, c->input.top_k, &c->hits);
}

/* No memory passes, so the client may try again; the ceiling does not. */
static enum flow_rc
prompt_refused(struct flow *f)
{
	if (chat_of(f)->prompt.no_memory)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the passages found");
	return flow_fail(f, ERR_INTERNAL,
	    "The passages found are too large for a prompt; ask for fewer with topK.");
}

/* Whom the caller says it asks for, as an application with a service key does. Any bytes will do:
 * they leave us as a pseudonym alone. */
static struct slice
chat_user(const struct http_exchange *x)
{
	struct slice user = http_header(x, "X-User-Id");

	return user.len <= USER_ID_MAX ? user : slice_of(NULL, 0);
}

/* The system message goes first, in the place that chat_body_read() left free. It is borrowed until
 * the model has accepted the request, and stays for as long as this flow. */
static enum flow_rc
chat_ask_model(struct flow *f)
{
	struct chat *c = chat_of(f);
	struct model_chat chat;

	pool_return(&c->req.lease, POOL_CLEAN);
	if (!prompt_build(&c->hits, &c->prompt))
		return prompt_refused(f);
	c->input.messages[0] = (struct model_message){ "system", buf_view(&c->prompt) };
	chat = (struct model_chat){
		.name = c->input.model,
		.messages = c->input.messages,
		.message_count = c->input.message_count,
		.temperature = c->input.temperature,
		.max_tokens = c->input.max_tokens,
		.user = chat_user(c->req.x),
		.traceparent = http_header(c->req.x, "traceparent"),
	};
	return model_chat_start(f, c->req.ctx->model, slice_str(c->req.tenant_id), &chat,
	    &c->answer);
}

/* Gives the client what is in the piece. */
static void
chat_send(struct chat *c)
{
	if (c->piece.len == 0)
		return;
	http_stream_add(c->req.x, buf_view(&c->piece));
	keepalive_heard(&c->keepalive);
}

/* The model has accepted the request: only now does the header go out, unless the wait was long,
 * with the sources before the first word. */
static enum flow_rc
chat_open_stream(struct flow *f)
{
	struct chat *c = chat_of(f);

	c->req.model_name = model_stream_name(c->answer);
	chat_send_header(c);
	buf_reset(&c->piece);
	stream_begin(&c->writer, &c->piece);
	stream_sources(&c->writer, &c->piece, &c->hits);
	chat_send(c);
	return FLOW_NEXT;
}

static enum flow_rc
chat_pull(struct flow *f)
{
	struct chat *c = chat_of(f);

	return model_chat_pull(f, c->answer, &c->delta);
}

/* What the pull has brought. Of reasoning that is not shown nothing is written: the keep-alive goes
 * on beside it. */
static void
chat_put_delta(struct chat *c)
{
	const struct model_delta *d = &c->delta;

	buf_reset(&c->piece);
	if (d->reasoning.len > 0 && c->req.ctx->conf->stream_reasoning)
		stream_put_reasoning(&c->writer, &c->piece, d->reasoning);
	if (d->text.len > 0)
		stream_text(&c->writer, &c->piece, d->text);
	if (d->finished)
		stream_finish(&c->writer, &c->piece, d->finish_reason, &d->usage);
}

/* Writes it; then another pull, or the end. */
static enum flow_rc
chat_write(struct flow *f)
{
	struct chat *c = chat_of(f);

	chat_put_delta(c);
	if (c->piece.no_memory)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the model's next words");
	if (c->piece.failed)
		return flow_fail(f, ERR_MODEL, "The model sent too much at once. Try again.");
	chat_send(c);
	if (!c->delta.finished) {
		flow_goto(f, chat_pull);
		return http_stream_flush(f, c->req.x);
	}
	http_stream_end(c->req.x);
	c->req.streaming = false;
	return FLOW_DONE;
}

/* A failure after the header has left: an error part inside the stream where its form has one, then
 * an orderly last chunk. Plain text has none: the connection is cut without the last chunk, so that
 * the client does not take the part for the whole (RFC 9112, 8). */
static void
chat_break(struct chat *c, const struct err *err)
{
	buf_reset(&c->piece);
	if (stream_error(&c->writer, &c->piece, err)) {
		http_stream_add(c->req.x, buf_view(&c->piece));
		http_stream_end(c->req.x);
	} else {
		http_stream_break(c->req.x);
	}
}

/* What the answer cost is added to what the embedding did, however the answer has ended. */
static void
chat_count_usage(struct chat *c)
{
	struct model_usage answer = model_chat_usage(c->answer);

	c->req.usage.input_tokens += answer.input_tokens;
	c->req.usage.output_tokens += answer.output_tokens;
}

static void
chat_end(struct flow *f, const struct err *err)
{
	struct chat *c = chat_of(f);

	keepalive_stop(&c->keepalive);
	chat_count_usage(c);
	model_chat_stop(&c->answer); /* a client that left costs no more tokens */
	if (err_is(err) && c->req.streaming)
		chat_break(c, err);
	buf_free(&c->prompt);
	buf_free(&c->piece);
	free(c->vector);
	body_job_end(&c->req, body_job_free, c->job, 0);
	request_end(&c->req, err);
}

void
chat_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	struct request *req = request_start(x, ctx, match, sizeof(struct chat), &chat_kind);
	struct chat *c = chat_of(&req->flow);

	buf_init(&c->prompt, PROMPT_MAX);
	buf_init(&c->piece, PIECE_MAX);
}
