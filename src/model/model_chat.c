/* SPDX-License-Identifier: MIT */
/*
 * model_chat: starting a streamed chat answer, as a small flow under the caller's.
 *
 *	write: the request, by a helper when it is long <------+
 *	  v                                                    |
 *	share: a place among the streams, kept from then on    |
 *	  v                                                    |
 *	admit: may the server be asked? --no-----------------> next: of the models in order
 *	  v                                                    ^  |
 *	send --> header --200--> hand over: the stream is the  |  +--none is left--> failed
 *	  ^         | another    caller's, after a look at it  |
 *	  |         v status, or no response                   |
 *	  |      error_body --> classify --the server's fault--+
 *	  |       (all of it)      |  |  --the request's fault--> failed
 *	  +-- (admit) -------------+  +--a field was refused: write, at once, without it
 *	   worth another try: after the back-off
 *
 * There is no other try, and no other model, once the header of a 200 has come: from then on the
 * model generates, and bills, and the client may have seen text.
 */
#include <stdlib.h>
#include <string.h>

#include "model/gen_ai_calls.h"
#include "model/model_choice.h"
#include "model/model_refusal.h"
#include "model/model_stream.h"
#include "model/request_job.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/loop/offload.h"

struct chat_call {
	struct flow flow;
	struct model_stream *stream; /* owned until it is the caller's; then NULL */
	struct model_stream **out;   /* borrowed: the caller's */
	struct model_chat chat;	     /* its pointers borrowed: the caller's */
	void *job;		     /* owned: of request_job.h; NULL while it is written */
	struct buf error_body;	     /* owned: of a response other than 200, cut */
	struct slice piece;	     /* borrowed until the next web_pull() */
	struct timer backoff_timer;
};

static flow_step_fn model_chat_write, model_chat_wait, model_chat_admit, model_chat_send,
    model_chat_header, model_chat_error_body, model_chat_classify, model_chat_hand_over;
static flow_release_fn model_chat_release;

static const struct flow_step model_chat_steps[] = {
	{ "write", model_chat_write },
	{ "share", model_chat_wait },
	{ "admit", model_chat_admit },
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

	if (c->stream != NULL) {
		model_call_settle(&c->stream->call);
		gen_ai_ended(&c->stream->call, f->err.code, NULL);
	}
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

/* Also the step of another try, with less in the request, and of another model's. */
static enum flow_rc
model_chat_write(struct flow *f)
{
	struct chat_call *c = FLOW_OF(f, struct chat_call, &model_chat_kind);

	if (c->job == NULL)
		return request_json_chat(&c->stream->call, &c->chat) ? FLOW_NEXT
								     : request_refused(f);
	request_job_again(c->job, &c->stream->call);
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
	if (call->grant.budget != NULL)
		return FLOW_NEXT;
	return share_take(f, call->model->shares->streams,
	    mutated_slice(MUTATION_SHARE_STREAMS, call->tenant), 1, 1, &call->grant);
}

/* The next of the models in order is asked, or this was the last word. */
static enum flow_rc
model_chat_next(struct flow *f, struct chat_call *c, const struct err *err)
{
	if (!model_call_falls_back(&c->stream->call, &c->chat, err, f->request_id))
		return flow_fail_err(f, err);
	model_learn_chat(&c->stream->call, &c->chat);
	buf_free(&c->stream->call.body);
	return flow_goto(f, model_chat_write);
}

/* Also the step of another try. */
static enum flow_rc
model_chat_admit(struct flow *f)
{
	struct chat_call *c = FLOW_OF(f, struct chat_call, &model_chat_kind);
	struct err err = { .code = ERR_NONE };
	uint64_t wait_us;

	if (model_call_admitted(&c->stream->call, &wait_us, &err))
		return FLOW_NEXT;
	if (wait_us == 0)
		return model_chat_next(f, c, &err);
	flow_goto(f, model_chat_admit);
	return flow_sleep(f, &c->backoff_timer, wait_us);
}

/* response_max bounds the read-ahead, hence the memory of a slow reader. */
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
	model_call_request(&s->call, &r);
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
	model_learn_success(&c->stream->call, f->request_id);
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

static bool
field_is_refused(struct chat_call *c)
{
	struct model_stream *s = c->stream;
	struct model_refusal refusal;

	if (s->response.failure != WEB_FINE)
		return false;
	model_refusal_read(s->response.status, buf_view(&c->error_body), buf_view(&s->call.body), 1,
	    &refusal);
	return model_learn_refusal(&s->call, s->response.status, &refusal, c->flow.request_id);
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
	if (field_is_refused(c)) {
		buf_free(&s->call.body);
		return flow_goto(f, model_chat_write);
	}
	wait_us = model_error_classify(&s->call, &s->response, buf_view(&c->error_body),
	    f->request_id, &err);
	if (wait_us == 0)
		return model_chat_next(f, c, &err);
	flow_goto(f, model_chat_admit);
	return flow_sleep(f, &c->backoff_timer, wait_us);
}

static enum flow_rc
chat_name_refused(struct flow *f, const struct model *m)
{
	struct err err = { 0 };

	model_choice_refuse(m->servers, &err);
	return flow_fail_err(f, &err);
}

enum flow_rc
model_chat_start(struct flow *f, struct model *m, const struct model_asker *asker,
    const struct model_chat *chat, struct model_stream **out)
{
	const struct model_choice *named = NULL;
	struct chat_call *c;
	struct model_stream *s;

	*out = NULL;
	if (chat->name != NULL && (named = model_choice_find(m->servers, chat->name)) == NULL)
		return chat_name_refused(f, m);
	c = xcalloc(1, sizeof(*c));
	s = model_stream_new(m);
	if (named != NULL)
		s->call.choice = named;
	model_call_ask(&s->call, asker);
	model_learn_chat(&s->call, chat);
	if (chat_text_bytes(chat) > REQUEST_HERE_MAX) {
		c->job = request_job_new(&s->call, chat);
		if (c->job == NULL) {
			model_stream_free(s);
			free(c);
			return request_refused(f);
		}
	}
	c->chat = *chat;
	if (named == m->chat_choices)
		c->chat.name = NULL; /* as if it had named none */
	c->stream = s;
	c->out = out;
	buf_init(&c->error_body, ERROR_BODY_MAX);
	return flow_call(f, &c->flow, &model_chat_kind);
}
