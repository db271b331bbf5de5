/* SPDX-License-Identifier: MIT */
/*
 * tokens_create: POST /tokens. An application makes a token for a page of one of its users. The
 * response is the only place where its text is ever seen. A tenant's first contact makes its
 * database, as any other's does: what has no row has no generation that a token could name.
 */
#include "api/body_job.h"
#include "api/handlers.h"
#include "api/respond.h"
#include "tenantgate/auth/token.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/secret.h"

#define TOKEN_NODES_MAX 64
#define TOKEN_REPLY_MAX (TOKEN_TEXT_MAX + 2048)

struct token_job {
	struct body_job job; /* first */
	unsigned may;
	const char *user; /* arena */
	uint64_t ttl_max_s;
	struct token_order order;
};

struct token_creation {
	struct request req; /* first */
	void *job;	    /* owned: struct token_job */
};

static flow_step_fn token_creation_parse, token_creation_respond;
static flow_end_fn token_creation_end;

static const struct flow_step token_creation_steps[] = {
	{ "auth", request_caller },
	{ "tenant", request_tenant },
	{ "limit", request_limit },
	{ "provision", request_database },
	{ "body", request_body },
	{ "parse", token_creation_parse },
	{ "respond", token_creation_respond },
	{ NULL, NULL },
};

static const struct flow_kind token_creation_kind = { "tokens_create", token_creation_steps,
	token_creation_end, request_release };

static struct token_creation *
token_creation_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct token_creation, req.flow, &token_creation_kind);
}

/* An offload_fn. No body is one that says nothing. */
static void
token_job_read(void *arg)
{
	struct token_job *j = arg;
	json_t *root =
	    j->job.body.len > 0 ? body_job_json(&j->job, TOKEN_NODES_MAX) : json_object();

	if (root != NULL)
		(void)token_order_read(root, j->may, j->user, j->ttl_max_s, &j->order, &j->job.err);
	json_decref(root);
}

static enum flow_rc
token_creation_parse(struct flow *f)
{
	struct token_creation *t = token_creation_of(f);
	struct token_job *j = body_job_new(&t->req, sizeof(*j));

	j->may = t->req.caller.scopes;
	j->ttl_max_s = t->req.conf->token_ttl_us / 1000000;
	j->user = body_job_copy(&j->job, slice_str(t->req.user_id)).p;
	t->job = j;
	return body_job_run(f, j->job.body.len, token_job_read, body_job_free, &t->job);
}

static enum flow_rc
token_creation_respond(struct flow *f)
{
	struct token_creation *t = token_creation_of(f);
	struct token_job *j = t->job;
	json_t *made;
	struct buf b;

	if (err_is(&j->job.err))
		return flow_fail_err(f, &j->job.err);
	token_order_issue(&j->order, t->req.tenant_id, t->req.tenant.token_generation,
	    clock_wall_us());
	made = token_made_json(auth_tokens(t->req.ctx->auth), &j->order);
	buf_init(&b, TOKEN_REPLY_MAX);
	http_set(t->req.x, "Cache-Control", "no-store");
	if (made != NULL && json_put(&b, made))
		respond_json(t->req.x, 201, &b);
	json_decref(made);
	buf_wipe(&b);
	if (http_status(t->req.x) == 0)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the token");
	return FLOW_DONE;
}

static void
token_creation_end(struct flow *f, const struct err *err)
{
	struct token_creation *t = token_creation_of(f);

	body_job_end(&t->req, body_job_free, t->job, 0);
	request_end(&t->req, err);
}

void
tokens_create_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	request_start(x, ctx, match, sizeof(struct token_creation), &token_creation_kind)->asleep =
	    true;
}
