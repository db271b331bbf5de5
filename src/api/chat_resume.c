/* SPDX-License-Identifier: MIT */
/*
 * chat_resume: GET /chat/{id}/stream, by which useChat asks whether an answer to that chat is still
 * being streamed. None ever is: an answer ends with the connection it was asked on. 204 says so to
 * AI SDK 5 and later; a 404 would put the chat into its error state.
 */
#include "api/handlers.h"
#include "api/request.h"

static flow_step_fn resume_nothing;
static flow_end_fn resume_end;

static const struct flow_step resume_steps[] = {
	{ "auth", request_caller },
	{ "tenant", request_tenant },
	{ "limit", request_limit },
	{ "answer", resume_nothing },
	{ NULL, NULL },
};

static const struct flow_kind resume_kind = { "chat_resume", resume_steps, resume_end,
	request_release };

static enum flow_rc
resume_nothing(struct flow *f)
{
	http_reply(request_of(f)->x, 204, NULL, slice_of(NULL, 0));
	return FLOW_DONE;
}

static void
resume_end(struct flow *f, const struct err *err)
{
	request_end(request_of(f), err);
}

void
chat_resume_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	(void)request_start(x, ctx, match, sizeof(struct request), &resume_kind);
}
