/* SPDX-License-Identifier: MIT */
/*
 * model_linger: how a streamed answer is stopped. One that is complete is read on for a moment, by
 * a flow of the worker's, so that its connection can be used again; any other is closed at once.
 */
#include <assert.h>

#include "model/gen_ai_calls.h"
#include "model/model_stream.h"

#define LINGER_US 1000000u /* for the last chunk; a server that sends none loses the connection */

static flow_step_fn linger_pull, linger_check;
static flow_release_fn linger_release;

static const struct flow_step linger_steps[] = {
	{ "pull", linger_pull },
	{ "check", linger_check },
	{ NULL, NULL },
};

static const struct flow_kind linger_kind = {
	.name = "model_linger",
	.steps = linger_steps,
	.release = linger_release,
};

static void
linger_release(struct flow *f)
{
	model_stream_free(FLOW_OF(f, struct model_stream, &linger_kind));
}

/* Reads on to the end of the body, which after [DONE] is nearly always the last chunk alone.
 * Stopped before it, libcurl would have to close the connection, and the next request would pay for
 * a TCP and a TLS handshake. */
static enum flow_rc
linger_pull(struct flow *f)
{
	struct model_stream *s = FLOW_OF(f, struct model_stream, &linger_kind);

	return web_pull(f, s->transfer, &s->piece);
}

static enum flow_rc
linger_check(struct flow *f)
{
	struct model_stream *s = FLOW_OF(f, struct model_stream, &linger_kind);

	return s->piece.len == 0 ? FLOW_DONE : flow_goto(f, linger_pull);
}

/* What is left before its end was cancelled. */
static void
stream_count(struct model_stream *s)
{
	struct model_usage usage = model_chat_usage(s);
	enum err_code error = s->failure.code;

	if (error == ERR_NONE && s->state == STREAM_ACTIVE)
		error = ERR_CLIENT_GONE;
	gen_ai_ended(&s->call, error, &usage);
}

/* A lingering stream is a flow of the worker's, with no parent: the caller may end at once. */
void
model_chat_stop(struct model_stream **stream)
{
	struct model_stream *s = *stream;

	*stream = NULL;
	if (s == NULL)
		return;
	assert(s->magic == STREAM_MAGIC);
	stream_count(s);
	if (s->state != STREAM_COMPLETE) {
		model_stream_free(s);
		return;
	}
	flow_start(&s->flow, &linger_kind, s->call.model->worker, NULL);
	flow_deadline(&s->flow, LINGER_US);
}
