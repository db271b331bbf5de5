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
 *  - From [open] on the status 200 has left: a failure after it goes inside the stream.
 */
#include <stdlib.h>

#include "api/body_job.h"
#include "api/chat_body.h"
#include "api/chat_extract.h"
#include "api/chat_stream.h"
#include "api/chat_turns.h"
#include "api/handlers.h"
#include "api/respond.h"
#include "tenantgate/base/json.h"

#define PROMPT_MAX	(320u << 10)	/* bytes of the system message, passages included */
#define PIECE_MAX	(256u << 10)	/* bytes written for one pull, in the stream's form */

/* The body as it is read, on a helper when it is large. */
struct chat_job {
	struct body_job		 job;		/* first */
	const struct api_conf	*conf;		/* borrowed: outlives the helpers */
	struct slice		 named;		/* X-Tenantgate-Stream; in the arena */
	struct slice		 accept;	/* the same */
	struct chat_input	 input;		/* strings in the arena */
	enum stream_kind	 stream;
	struct chat_file	*file;		/* the PDF that is being read; NULL: none */
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
	struct buf		 piece;		/* owned: what is written next */
};

static flow_step_fn chat_read, chat_parse, chat_file, chat_file_text, chat_turns, chat_embed,
    chat_search, chat_ask_model, chat_open_stream, chat_pull, chat_write;
static flow_end_fn chat_end;

static const struct flow_step chat_steps[] = {
	{ "auth", request_caller },
	{ "tenant", request_tenant },
	{ "limit", request_limit },
	{ "provision", request_database },
	{ "body", chat_read },
	{ "parse", chat_parse },
	{ "file", chat_file },
	{ "file_text", chat_file_text },
	{ "turns", chat_turns },
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

/* An offload_drop_fn; NULL is fine. */
static void
chat_job_free(void *arg)
{
	struct chat_job *j = arg;

	if (j != NULL && j->file != NULL)
		extract_free(&j->file->extracted);
	body_job_free(j);
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
	if (chat_body_read(root, j->conf, j->job.arena, &j->input, &j->job.err))
		j->stream = stream_choose(j->named, j->accept, root);
	json_decref(root);
}

static enum flow_rc
chat_parse(struct flow *f)
{
	struct chat *c = chat_of(f);
	struct chat_job *j = body_job_new(&c->req, sizeof(*j));

	j->conf = c->req.ctx->conf;
	j->named = body_job_copy(&j->job, http_header(c->req.x, "X-Tenantgate-Stream"));
	j->accept = body_job_copy(&j->job, http_header(c->req.x, "Accept"));
	c->job = j;
	return body_job_run(f, j->job.body.len, chat_job_read, chat_job_free, &c->job);
}

/* A PDF that came with a message, the newest first; without one the turns are next. */
static enum flow_rc
chat_file(struct flow *f)
{
	struct chat *c = chat_of(f);
	struct chat_job *j = c->job;

	if (err_is(&j->job.err))
		return flow_fail_err(f, &j->job.err);
	j->file = chat_turns_pdf(&j->input, j->conf->chat_file_text_max);
	if (j->file == NULL)
		return flow_goto(f, chat_turns);
	return chat_extract(f, j->file, &j->job.err);
}

/* An offload_fn. */
static void
chat_job_file(void *arg)
{
	struct chat_job *j = arg;

	(void)chat_extract_read(&j->conf->extract, j->file, j->job.arena, &j->job.err);
}

static enum flow_rc
chat_file_text(struct flow *f)
{
	struct chat *c = chat_of(f);
	struct chat_job *j = c->job;

	flow_goto(f, chat_file);
	if (err_is(&j->job.err)) { /* nothing to go through */
		chat_job_file(j);
		return FLOW_NEXT;
	}
	return body_job_run(f, j->file->extracted.text.len, chat_job_file, chat_job_free, &c->job);
}

/* An offload_fn. */
static void
chat_job_turns(void *arg)
{
	struct chat_job *j = arg;

	(void)chat_turns_make(&j->input, j->conf->chat_file_text_max, j->job.arena, &j->job.err);
}

static enum flow_rc
chat_turns(struct flow *f)
{
	struct chat *c = chat_of(f);
	struct chat_job *j = c->job;

	return body_job_run(f, arena_used(j->job.arena), chat_job_turns, chat_job_free, &c->job);
}

static enum flow_rc
chat_embed(struct flow *f)
{
	struct chat *c = chat_of(f);
	const struct chat_job *j = c->job;
	struct model *model = c->req.ctx->model;

	if (err_is(&j->job.err))
		return flow_fail_err(f, &j->job.err);
	c->input = j->input;
	c->writer.kind = j->stream;
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

/* What else the system message says, by what came with the question. */
static bool
chat_prompt_add(struct chat *c)
{
	return (c->input.files == NULL || prompt_add_files(&c->prompt)) &&
	    (c->input.application.len == 0 ||
		prompt_add_application(c->input.application, &c->prompt));
}

/* The system message goes first, in the place that chat_body_read() left free. Its bytes are
 * borrowed by the call only: the request is JSON when model_chat_start() returns. */
static enum flow_rc
chat_ask_model(struct flow *f)
{
	struct chat *c = chat_of(f);
	struct model_message *first = c->input.messages;
	struct model_chat chat;
	struct err err = { .code = ERR_NONE };
	size_t left_out;

	pool_return(&c->req.lease, POOL_CLEAN);
	if (!prompt_build(&c->hits, &c->prompt) || !chat_prompt_add(c))
		return prompt_refused(f);
	if (!chat_turns_trim(&c->input, c->prompt.len, c->req.ctx->conf->chat_context_tokens,
		&left_out, &err))
		return flow_fail_err(f, &err);
	first += left_out; /* in the place of the last one left out */
	*first = (struct model_message){ .role = "system", .content = buf_view(&c->prompt) };
	chat = (struct model_chat){
		.name = c->input.model,
		.messages = first,
		.message_count = c->input.message_count - left_out,
		.temperature = c->input.temperature,
	};
	return model_chat_start(f, c->req.ctx->model, slice_str(c->req.tenant_id), &chat,
	    &c->answer);
}

/* The model has accepted the request: only now does the header go out, with the sources before the
 * first word. X-Accel-Buffering is nginx's: without it a proxy collects the stream before passing
 * it on; no-transform keeps others from compressing it, which has the same effect. */
static enum flow_rc
chat_open_stream(struct flow *f)
{
	struct chat *c = chat_of(f);
	struct http_exchange *x = c->req.x;
	const char *name, *value;

	if (stream_protocol_header(c->writer.kind, &name, &value))
		http_set(x, name, value);
	http_set(x, "Cache-Control", "no-cache, no-transform");
	http_set(x, "X-Accel-Buffering", "no");
	http_stream_begin(x, 200, stream_content_type(c->writer.kind));
	c->req.streaming = true;
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

/* Writes what the pull has brought; then another pull, or the end. The usage arrives with the last
 * delta, and adds to that of the embedding. */
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
	if (c->piece.no_memory)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the model's next words");
	if (c->piece.failed)
		return flow_fail(f, ERR_MODEL, "The model sent too much at once. Try again.");
	http_stream_add(c->req.x, buf_view(&c->piece));
	if (!d->finished) {
		flow_goto(f, chat_pull);
		return http_stream_flush(f, c->req.x);
	}
	c->req.usage.input_tokens += d->usage.input_tokens;
	c->req.usage.output_tokens += d->usage.output_tokens;
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

static void
chat_end(struct flow *f, const struct err *err)
{
	struct chat *c = chat_of(f);

	model_chat_stop(&c->answer); /* a client that left costs no more tokens */
	if (err_is(err) && c->req.streaming)
		chat_break(c, err);
	buf_free(&c->prompt);
	buf_free(&c->piece);
	free(c->vector);
	body_job_end(&c->req, chat_job_free, c->job, 0);
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
