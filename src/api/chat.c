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
 *    the flow waits for: when a wait passes it, the header leaves and a keep-alive after it. (Plain
 *    text has no bytes for that: there it is the header alone.)
 *  - Once the header has left, by that or at [open], a failure goes inside the stream.
 */
#include <stdlib.h>

#include "api/chat_extract.h"
#include "api/chat_job.h"
#include "api/chat_stream.h"
#include "api/chat_turns.h"
#include "api/handlers.h"
#include "api/keepalive.h"
#include "api/question.h"
#include "api/ranking.h"
#include "api/request_retrieval.h"
#include "api/respond.h"

#define PROMPT_MAX (640u << 10) /* bytes of the system message, passages included */
#define PIECE_MAX  (1u << 20)	/* bytes written at once; a topK of 100 with long names: 600 KB */

struct chat {
	struct request req;	 /* first */
	void *job;		 /* owned: struct chat_job; NULL while it is read */
	struct chat_input input; /* strings in the job's arena */
	float *vector;		 /* owned: the question's */
	struct hits hits;	 /* arena */
	struct ranking ranking;
	struct buf prompt;	     /* owned */
	struct model_stream *answer; /* owned until model_chat_stop() */
	struct model_delta delta;    /* its text is good until the next pull */
	struct stream_writer writer;
	struct keepalive keepalive;
	struct buf piece; /* owned: what is written next */
};

static flow_step_fn chat_parse, chat_accept, chat_file, chat_file_text, chat_turns, chat_embed,
    chat_search, chat_rerank, chat_ask_model, chat_open_stream, chat_pull, chat_write;
static flow_end_fn chat_end;

static const struct flow_step chat_steps[] = {
	{ "auth", request_caller },
	{ "tenant", request_tenant },
	{ "limit", request_limit },
	{ "provision", request_database },
	{ "body", request_body },
	{ "parse", chat_parse },
	{ "accept", chat_accept },
	{ "file", chat_file },
	{ "file_text", chat_file_text },
	{ "turns", chat_turns },
	{ "embed", chat_embed },
	{ "expire", request_expire },
	{ "pool_wait", request_borrow },
	{ "search", chat_search },
	{ "rerank", chat_rerank },
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
chat_parse(struct flow *f)
{
	struct chat *c = chat_of(f);
	struct chat_job *j = c->job = chat_job_new(&c->req);

	return body_job_run(f, j->job.body.len, chat_job_read, chat_job_free, &c->job);
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

/* The question is accepted: from now on the client hears something. */
static enum flow_rc
chat_accept(struct flow *f)
{
	struct chat *c = chat_of(f);
	const struct chat_job *j = c->job;
	struct err err = { .code = ERR_NONE };

	if (err_is(&j->job.err))
		return flow_fail_err(f, &j->job.err);
	if (!request_question_fits(&c->req, j->input.question_characters, &err) ||
	    !request_model_allowed(&c->req, j->input.model, &err) ||
	    !request_retrieval_can(&c->req, &j->input, &err))
		return flow_fail_err(f, &err);
	c->writer.kind = j->stream;
	if (!keepalive_start(&c->keepalive, c->req.ctx->worker, c->req.conf->stream_keepalive_us,
		chat_keep_alive, c))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the question's timer");
	return FLOW_NEXT;
}

/* A PDF that came with a message, the newest first; without one the turns are next. */
static enum flow_rc
chat_file(struct flow *f)
{
	struct chat *c = chat_of(f);
	struct chat_job *j = c->job;

	if (err_is(&j->job.err))
		return flow_fail_err(f, &j->job.err);
	j->file = chat_turns_pdf(&j->input, j->conf.chat_file_text_max);
	if (j->file == NULL)
		return flow_goto(f, chat_turns);
	return chat_extract(f, j->file, &j->job.err);
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
	struct model_asker asker = request_asker(&c->req);

	if (err_is(&j->job.err))
		return flow_fail_err(f, &j->job.err);
	c->input = j->input;
	if (c->input.no_documents)
		return flow_goto(f, chat_ask_model);
	if (c->input.mode == SEARCH_TEXT)
		return FLOW_NEXT;
	return model_embed(f, c->req.ctx->model, &asker, &c->input.question, 1, &c->vector,
	    &c->req.spent.embedding);
}

static enum flow_rc
chat_search(struct flow *f)
{
	struct chat *c = chat_of(f);

	return question_search(&c->req, &c->input, &c->vector,
	    ranking_candidates(&c->req, &c->input, &c->ranking), &c->hits);
}

static enum flow_rc
chat_rerank(struct flow *f)
{
	struct chat *c = chat_of(f);

	return ranking_find(&c->req, &c->ranking, &c->input, &c->hits);
}

/* The prompt is borrowed until the model has accepted the request, and stays with the flow. */
static enum flow_rc
chat_ask_model(struct flow *f)
{
	struct chat *c = chat_of(f);
	struct model_asker asker = request_asker(&c->req);
	struct err err = { .code = ERR_NONE };
	struct model_chat chat;
	size_t left_out;

	ranking_apply(&c->ranking, c->input.top_k, &c->hits);
	if (!chat_turns_prompt(&c->input, c->req.tenant.limits->system_prompt, &c->hits, &c->prompt,
		&err) ||
	    !chat_turns_trim(&c->input, c->prompt.len, c->req.conf->chat_context_tokens, &left_out,
		&err))
		return flow_fail_err(f, &err);
	chat = chat_turns_request(&c->input, buf_view(&c->prompt), left_out);
	request_note_prompt(&c->req, &chat);
	return model_chat_start(f, c->req.ctx->model, &asker, &chat, &c->answer);
}

/* Gives the client what is in the piece. Half a piece would end in the middle of a line, and what
 * comes after it would be read as its other half. */
static enum flow_rc
chat_send(struct flow *f, const char *too_large)
{
	struct chat *c = chat_of(f);

	if (c->piece.no_memory)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the next piece of an answer");
	if (c->piece.failed)
		return flow_fail(f, ERR_MODEL, "%s", too_large);
	if (c->piece.len > 0) {
		http_stream_add(c->req.x, buf_view(&c->piece));
		keepalive_heard(&c->keepalive);
	}
	return FLOW_NEXT;
}

/* An answer may take hours to a client that reads slowly: what led to it is not kept so long. */
static void
chat_free_question(struct chat *c)
{
	buf_free(&c->prompt);
	free(c->vector);
	c->vector = NULL;
	c->input = (struct chat_input){ 0 };
	body_job_end(&c->req, chat_job_free, c->job, 0);
	c->job = NULL;
}

/* The model has accepted the request: only now does the header go out, unless the wait was long,
 * with the sources before the first word. */
static enum flow_rc
chat_open_stream(struct flow *f)
{
	struct chat *c = chat_of(f);
	enum flow_rc rc;

	c->req.model_name = model_stream_name(c->answer);
	chat_send_header(c);
	buf_reset(&c->piece);
	stream_begin(&c->writer, &c->piece);
	stream_sources(&c->writer, &c->piece, &c->hits);
	rc = chat_send(f, "The sources found are too large to send; ask for fewer with topK.");
	chat_free_question(c);
	return rc;
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
	if (d->reasoning.len > 0 && c->req.conf->stream_reasoning)
		stream_put_reasoning(&c->writer, &c->piece, d->reasoning);
	if (d->text.len > 0)
		stream_text(&c->writer, &c->piece, d->text);
	if (d->finished)
		stream_finish(&c->writer, &c->piece, d->finish_reason, &d->usage);
}

/* While the client takes nothing, no more is held for it than what is queued. */
static enum flow_rc
chat_flush(struct chat *c)
{
	enum flow_rc rc = http_stream_flush(&c->req.flow, c->req.x);

	if (rc == FLOW_WAIT) {
		buf_free(&c->piece);
		model_chat_rest(c->answer);
	}
	return rc;
}

/* Writes it; then another pull, or the end. */
static enum flow_rc
chat_write(struct flow *f)
{
	struct chat *c = chat_of(f);
	enum flow_rc rc;

	chat_put_delta(c);
	rc = chat_send(f, "The model sent too much at once. Try again.");
	if (rc != FLOW_NEXT)
		return rc;
	if (!c->delta.finished) {
		flow_goto(f, chat_pull);
		return chat_flush(c);
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

static void
chat_end(struct flow *f, const struct err *err)
{
	struct chat *c = chat_of(f);

	keepalive_stop(&c->keepalive);
	request_note_answer(&c->req, c->answer);
	model_chat_stop(&c->answer); /* a client that left costs no more tokens */
	if (err_is(err) && c->req.streaming)
		chat_break(c, err);
	buf_free(&c->piece);
	chat_free_question(c);
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
