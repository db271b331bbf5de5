/* SPDX-License-Identifier: MIT */
/*
 * model_stream: pulling text out of a streamed chat answer, and ending it. The machine is drawn in
 * model_stream.h.
 *
 * A pull is a small flow under the caller's: bytes of the body --sse--> events --delta--> text. It
 * waits until there is text or reasoning, or the end, and brings all that has arrived, so that a
 * fast model and a slow client need few wake-ups. Events without (role, usage) never end a pull.
 */
#include "model/model_stream.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/gen_ai_calls.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

/* After a finish_reason: the usage and [DONE] are the same write, or the next. */
#define FINISH_IDLE_US 2000000u

static flow_step_fn pull_piece, pull_read;

static const struct flow_step pull_steps[] = {
	{ "piece", pull_piece },
	{ "read", pull_read },
	{ NULL, NULL },
};

static const struct flow_kind pull_kind = { .name = "model_pull", .steps = pull_steps };

struct model_stream *
model_stream_new(struct model *m)
{
	struct model_stream *s = xcalloc(1, sizeof(*s));

	s->magic = STREAM_MAGIC;
	model_call_hold(&s->call, m);
	s->call.choice = &m->chat_choices[0];
	s->call.stage = "chat model";
	s->call.kind = MODEL_CHAT;
	sse_init(&s->sse, m->conf.delta_max);
	/* The text of one pull is no longer than the piece and the event begun before it, for JSON
	 * escapes only shrink. A piece may be a read-ahead and a write of libcurl's. */
	delta_init(&s->delta, m->conf.delta_max + 4 * STREAM_AHEAD);
	buf_init(&s->whole, m->conf.delta_max + 4 * STREAM_AHEAD);
	return s;
}

/* Closes the connection when the transfer is still under way. The place among the streams is given
 * back after that: as many are taken as there are connections with a stream, lingering ones too. */
void
model_stream_free(struct model_stream *s)
{
	if (s == NULL)
		return;
	assert(s->magic == STREAM_MAGIC);
	web_stop(&s->transfer);
	web_response_free(&s->response);
	sse_free(&s->sse);
	delta_free(&s->delta);
	buf_free(&s->whole);
	buf_free(&s->call.body);
	share_give(&s->call.grant);
	model_call_let_go(&s->call);
	s->magic = 0;
	free(s);
}

/* ---- a pull ---- */

static enum flow_rc
pull_piece(struct flow *f)
{
	struct model_stream *s = FLOW_OF(f, struct model_stream, &pull_kind);

	return web_pull(f, s->transfer, &s->piece);
}

/* A server that is not compatible, or an event past its ceiling. why: a whole sentence. */
static void
stream_malformed(struct model_stream *s, const char *why)
{
	log_event(LOG_WARNING, "model.answer", s->flow.request_id,
	    "The %s's answer cannot be used; check model_url, chat_model and model_event_size. %s",
	    s->call.stage, why);
	err_set(&s->failure, ERR_MODEL,
	    "The %s's answer cannot be used; try again or ask the operator. %s", s->call.stage,
	    why);
}

/* One event's text and facts into s->delta, or s->failure. Some servers mark an error by the
 * event's name only; what a ping says is for nobody. */
static void
stream_add_event(struct model_stream *s, const struct sse_event *event)
{
	enum delta_rc rc = DELTA_FINE;

	if (!slice_is(event->name, "ping"))
		rc = delta_add(&s->delta, event->data);
	if (rc == DELTA_STRAY)
		model_error_event(&s->call, buf_view(&s->delta.stray), s->flow.request_id,
		    &s->failure);
	else if (rc == DELTA_ERROR || slice_is(event->name, "error"))
		model_error_event(&s->call, event->data, s->flow.request_id, &s->failure);
	else if (rc == DELTA_BROKEN)
		stream_malformed(s, "An event is not JSON of the expected shape.");
	else if (rc == DELTA_FULL)
		stream_malformed(s, "A piece of its text is too large.");
}

/* What the pull brings. A finish without a finish_reason ([DONE] alone) is "other". */
static enum flow_rc
pull_done(struct model_stream *s)
{
	struct model_delta *out = s->out;

	out->finished = s->state != STREAM_ACTIVE;
	if (out->finished) {
		delta_end(&s->delta);
		out->finish_reason =
		    s->delta.finish_reason != NULL ? s->delta.finish_reason : "other";
		out->usage = delta_usage(&s->delta);
	}
	out->text = buf_view(&s->delta.text);
	out->reasoning = buf_view(&s->delta.reasoning);
	return FLOW_DONE;
}

/* With the line that is no event, where it stood. */
static void
stream_add_with_stray(struct model_stream *s, const struct sse_event *event)
{
	bool has_stray = event->stray.len > 0;

	if (has_stray && !event->stray_is_late)
		delta_add_stray(&s->delta, event->stray);
	stream_add_event(s, event);
	if (has_stray && event->stray_is_late)
		delta_add_stray(&s->delta, event->stray);
}

/* The answer is whole. Neither silence nor signs of life hold it open for longer. */
static void
stream_await_end(struct model_stream *s)
{
	uint64_t now = clock_mono_us();

	if (s->finished_us == 0) {
		s->finished_us = now;
		web_idle_at_most(s->transfer, FINISH_IDLE_US);
	} else if (now - s->finished_us >= FINISH_IDLE_US && !err_is(&s->failure)) {
		s->state = STREAM_COMPLETE;
	}
}

/* All events in the piece, up to [DONE] or an error; what follows is ignored. */
static void
stream_add_piece(struct model_stream *s)
{
	enum sse_rc got = SSE_MORE;
	struct sse_event event;

	while (!err_is(&s->failure) && !s->delta.done &&
	    (got = sse_next(&s->sse, &s->piece, &event)) == SSE_EVENT)
		stream_add_with_stray(s, &event);
	if (got == SSE_TOO_LARGE)
		stream_malformed(s, "An event is too large.");
	if (s->delta.done && !err_is(&s->failure))
		s->state = STREAM_COMPLETE;
	else if (s->delta.finish_reason != NULL)
		stream_await_end(s);
}

static bool
stream_has_words(const struct model_stream *s)
{
	return s->delta.text.len > 0 || s->delta.reasoning.len > 0;
}

/* What was begun and has no empty line behind it is an event only if that makes the answer whole:
 * some servers leave out the last line break, and a cut event is no JSON. */
static bool
stream_is_whole(struct model_stream *s)
{
	bool is_tidy = s->response.failure == WEB_FINE;

	if (is_tidy && !s->delta.done && s->delta.finish_reason == NULL) {
		s->piece = SLICE_LIT("\n\n");
		stream_add_piece(s);
	}
	return s->delta.done || s->delta.finish_reason != NULL;
}

/* The body is at its end. A finish_reason or [DONE] makes it the answer's end too, even if the
 * connection broke after that; without either the answer was cut, however tidily the body ended. */
static enum flow_rc
stream_end(struct model_stream *s)
{
	bool is_whole = stream_is_whole(s);

	if (is_whole && !err_is(&s->failure)) {
		s->state = STREAM_ENDED;
		return pull_done(s);
	}
	if (s->response.failure == WEB_FINE) {
		s->response.failure = WEB_CUT;
		snprintf(s->response.detail, sizeof(s->response.detail),
		    "The stream ended without a finish_reason or [DONE].");
	}
	if (!err_is(&s->failure))
		(void)model_error_classify(&s->call, &s->response, slice_of(NULL, 0),
		    s->flow.request_id, &s->failure);
	return stream_has_words(s) ? pull_done(s) : flow_fail_err(&s->flow, &s->failure);
}

/* A whole chat.completion is an answer like any other; it is read when all of it has come, and its
 * last bracket says that, whatever became of the connection. A chunk is not the whole of one. */
static enum flow_rc
whole_end(struct model_stream *s)
{
	struct slice body = buf_view(&s->whole);
	enum delta_rc rc = delta_add(&s->delta, body);

	if (rc == DELTA_FINE &&
	    (s->delta.finish_reason != NULL || (stream_has_words(s) && !s->delta.has_deltas))) {
		buf_free(&s->whole);
		s->state = STREAM_ENDED;
		return pull_done(s);
	}
	buf_reset(&s->delta.text);
	buf_reset(&s->delta.reasoning);
	if (rc == DELTA_BROKEN && s->response.failure != WEB_FINE)
		return stream_end(s);
	if (rc == DELTA_FULL)
		stream_malformed(s, "Its text is too large.");
	else
		model_error_answer(&s->call, body, s->flow.request_id, &s->failure);
	return flow_fail_err(&s->flow, &s->failure);
}

/* A piece of a body that is no event stream. */
static enum flow_rc
whole_add(struct model_stream *s)
{
	if (s->form == BODY_JSON && buf_slice(&s->whole, s->piece))
		return flow_goto(&s->flow, pull_piece);
	if (s->form == BODY_JSON)
		stream_malformed(s, "It is too large for an answer in one piece.");
	else
		model_error_answer(&s->call, s->piece, s->flow.request_id, &s->failure);
	return flow_fail_err(&s->flow, &s->failure);
}

/* Some servers answer JSON to whoever asks for a stream, with that stream's media type even. No
 * event stream begins as JSON, HTML or gzip do. White space at the front says nothing. */
static void
stream_see_form(struct model_stream *s)
{
	if (s->form != BODY_UNKNOWN)
		return;
	s->piece = body_skip_space(s->piece);
	s->form = body_form(s->piece);
}

/* What came before an error is the client's: the error is the next pull's. */
static enum flow_rc
pull_read(struct flow *f)
{
	struct model_stream *s = FLOW_OF(f, struct model_stream, &pull_kind);
	bool has_words;

	if (s->piece.len == 0)
		return s->form == BODY_JSON ? whole_end(s) : stream_end(s);
	stream_see_form(s);
	if (s->form != BODY_UNKNOWN && s->form != BODY_OTHER)
		return whole_add(s);
	stream_add_piece(s);
	has_words = stream_has_words(s);
	if (has_words)
		gen_ai_piece(&s->call, clock_mono_us());
	if (err_is(&s->failure) && !has_words)
		return flow_fail_err(f, &s->failure);
	if (!has_words && s->state == STREAM_ACTIVE)
		return flow_goto(f, pull_piece);
	return pull_done(s);
}

/* After the end, another pull brings the end again. */
enum flow_rc
model_chat_pull(struct flow *f, struct model_stream *s, struct model_delta *out)
{
	assert(s->magic == STREAM_MAGIC);
	memset(out, 0, sizeof(*out));
	if (s->has_first) {
		s->has_first = false;
		*out = s->first;
		return FLOW_NEXT;
	}
	if (err_is(&s->failure))
		return flow_fail_err(f, &s->failure);
	buf_reset(&s->delta.text);
	buf_reset(&s->delta.reasoning);
	s->out = out;
	if (s->state == STREAM_ACTIVE)
		return flow_call(f, &s->flow, &pull_kind);
	(void)pull_done(s);
	return FLOW_NEXT;
}

enum flow_rc
model_stream_look(struct flow *f, struct model_stream *s)
{
	s->out = &s->first;
	s->has_first = true;
	return flow_call(f, &s->flow, &pull_kind);
}

struct model_usage
model_chat_usage(const struct model_stream *s)
{
	if (s == NULL)
		return (struct model_usage){ 0 };
	assert(s->magic == STREAM_MAGIC);
	return delta_usage(&s->delta);
}

/* A long request is kept no longer than it can be tried again. A short one is: of its text nothing
 * may be in the log when an error event quotes it; a message is left out of there without it. */
static void
stream_free_request(struct model_stream *s)
{
	if (s->call.body.len <= BODY_KEPT_MAX || !web_request_is_sent(s->transfer))
		return;
	buf_free(&s->call.body);
	s->call.body_is_gone = true;
}

void
model_chat_rest(struct model_stream *s)
{
	assert(s->magic == STREAM_MAGIC);
	buf_free(&s->delta.text);
	buf_free(&s->delta.reasoning);
	sse_rest(&s->sse);
	if (s->transfer == NULL)
		return;
	web_rest(s->transfer);
	stream_free_request(s);
}

const char *
model_stream_name(const struct model_stream *s)
{
	return s->call.choice->name;
}
