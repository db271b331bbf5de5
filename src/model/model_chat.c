/* SPDX-License-Identifier: MIT */
/*
 * model_chat: starting a streamed chat answer, as a small flow under the caller's.
 *
 *	write: the request, by a helper when it is long
 *	  v
 *	share: a place among the streams
 *	  v
 *	send --> header --200--> hand over: the stream is the caller's, after a look at it
 *	  ^         | another status, or no response
 *	  |         v
 *	  |      error_body --> classify --> failed
 *	  |       (all of it)      |
 *	  +------------------------+ worth another try: after the back-off
 *
 * There is no other try once the header of a 200 has come: from then on the model generates, and
 * bills, and the client may have seen text.
 */
#include <stdlib.h>
#include <string.h>

#include "model/model_stream.h"
#include "model/request_job.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/loop/offload.h"

struct chat_call {
	struct flow flow;
	struct model_stream *stream; /* owned until it is the caller's; then NULL */
	struct model_stream **out;   /* borrowed: the caller's */
	void *job;		     /* owned: of request_job.h; NULL while it is written */
	struct buf error_body;	     /* owned: of a response other than 200, cut */
	struct slice piece;	     /* borrowed until the next web_pull() */
	struct timer backoff_timer;
};

static flow_step_fn model_chat_write, model_chat_wait, model_chat_send, model_chat_header,
    model_chat_error_body, model_chat_classify, model_chat_hand_over;
static flow_release_fn model_chat_release;

static const struct flow_step model_chat_steps[] = {
	{ "write", model_chat_write },
	{ "share", model_chat_wait },
	{ "send", model_chat_send },
	{ "header", model_chat_header },
	{ "error_body", model_chat_error_body },
	{ "classify", model_chat_classify },
	{ "hand_over", model_chat_hand_over },
	{ NULL, NULL },
};

static const struct flow_kind model_chat_kind = {
	.name = "chat_start",
	.steps = model_chat_steps,
	.release = model_chat_release,
};

static void
model_chat_release(struct flow *f)
{
	struct chat_call *c = FLOW_OF(f, struct chat_call, &model_chat_kind);

	model_stream_free(c->stream);
	request_job_free(c->job);
	buf_free(&c->error_body);
	timer_free(&c->backoff_timer);
	free(c);
}

static enum flow_rc
request_refused(struct flow *f)
{
	return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the question to the model");
}

/* A short one is written already. */
static enum flow_rc
model_chat_write(struct flow *f)
{
	struct chat_call *c = FLOW_OF(f, struct chat_call, &model_chat_kind);

	if (c->job == NULL)
		return FLOW_NEXT;
	return offload_run(f, c->stream->call.tenant, request_job_run, request_job_free, c->job,
	    &c->job);
}

/* The place is the stream's, and given back with it: model_stream_free(). */
static enum flow_rc
model_chat_wait(struct flow *f)
{
	struct chat_call *c = FLOW_OF(f, struct chat_call, &model_chat_kind);
	struct model_call *call = &c->stream->call;

	if (c->job != NULL && !request_job_take(c->job, &call->body))
		return request_refused(f);
	return share_take(f, call->model->shares->streams, call->tenant, 1, 1, &call->grant);
}

/* Also the step of another try. The first free place among the header lines depends on whether
 * there is a key; response_max bounds the read-ahead, hence the memory of a slow reader. */
static enum flow_rc
model_chat_send(struct flow *f)
{
	struct chat_call *c = FLOW_OF(f, struct chat_call, &model_chat_kind);
	struct model_stream *s = c->stream;
	struct web_request r;

	s->call.tries++;
	web_response_free(&s->response);
	memset(&s->response, 0, sizeof(s->response));
	buf_reset(&c->error_body);
	model_call_request(&s->call, s->call.model->chat_url, &r);
	r.headers[r.headers[1] == NULL ? 1 : 2] = "Accept: text/event-stream";
	r.response_max = STREAM_AHEAD;
	return web_start(f, s->call.model->web, &r, &s->transfer, &s->response);
}

/* web_start() is over: status and header fields are known, or there is no transfer. Of any other
 * response the body is read, for the reason in it; model_chat_error_body() comes back here for each
 * next piece. */
static enum flow_rc
model_chat_header(struct flow *f)
{
	struct chat_call *c = FLOW_OF(f, struct chat_call, &model_chat_kind);
	struct model_stream *s = c->stream;

	/* A failure that came together with the first text is found by pulling, after the text. */
	if (s->transfer != NULL && s->response.status == 200) {
		flow_goto(f, model_chat_hand_over);
		return s->response.is_event_stream ? FLOW_NEXT : model_stream_look(f, s);
	}
	c->piece = slice_of(NULL, 0);
	if (s->transfer == NULL)
		return FLOW_NEXT;
	return web_pull(f, s->transfer, &c->piece);
}

/* The stream is the caller's from now on. */
static enum flow_rc
model_chat_hand_over(struct flow *f)
{
	struct chat_call *c = FLOW_OF(f, struct chat_call, &model_chat_kind);

	model_call_succeeded(&c->stream->call);
	*c->out = c->stream;
	c->stream = NULL;
	return FLOW_DONE;
}

/* Gathers the error body up to its ceiling; an empty piece is its end. */
static enum flow_rc
model_chat_error_body(struct flow *f)
{
	struct chat_call *c = FLOW_OF(f, struct chat_call, &model_chat_kind);
	size_t left = c->error_body.max - c->error_body.len;

	if (c->piece.len == 0)
		return FLOW_NEXT;
	buf_add(&c->error_body, c->piece.p, c->piece.len < left ? c->piece.len : left);
	if (c->error_body.len == c->error_body.max)
		return FLOW_NEXT;
	return flow_goto(f, model_chat_header);
}

/* The transfer is stopped first, so that no connection is held during the back-off. */
static enum flow_rc
model_chat_classify(struct flow *f)
{
	struct chat_call *c = FLOW_OF(f, struct chat_call, &model_chat_kind);
	struct model_stream *s = c->stream;
	struct err err = { .code = ERR_NONE };
	uint64_t wait_us;

	web_stop(&s->transfer);
	wait_us = model_error_classify(&s->call, &s->response, buf_view(&c->error_body),
	    f->request_id, &err);
	if (wait_us == 0)
		return flow_fail_err(f, &err);
	flow_goto(f, model_chat_send);
	return flow_sleep(f, &c->backoff_timer, wait_us);
}

enum flow_rc
model_chat_start(struct flow *f, struct model *m, struct slice tenant,
    const struct model_chat *chat, struct model_stream **out)
{
	struct chat_call *c = xcalloc(1, sizeof(*c));
	struct model_stream *s = model_stream_new(m);
	bool written;

	*out = NULL;
	s->call.tenant = tenant;
	if (chat_text_bytes(chat) > REQUEST_HERE_MAX)
		written = (c->job = request_job_new(m, chat)) != NULL;
	else
		written = request_json_chat(&s->call, chat);
	if (!written) {
		model_stream_free(s);
		free(c);
		return request_refused(f);
	}
	c->stream = s;
	c->out = out;
	buf_init(&c->error_body, ERROR_BODY_MAX);
	return flow_call(f, &c->flow, &model_chat_kind);
}
