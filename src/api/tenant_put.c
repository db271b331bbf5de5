/* SPDX-License-Identifier: MIT */
/*
 * tenant_put: PUT /tenant. What an application says of a tenant, at sign-up for the first time; its
 * database is made behind, by the same provisioning as at a first contact, and not waited for.
 *
 * The row is the wish: once it is written, whoever asks for the tenant next goes on with it, so the
 * request may be sent again, and whatever dies afterwards leaves nothing to be mended.
 */
#include "api/body_job.h"
#include "api/handlers.h"
#include "api/tenant_body.h"

#define TENANT_NODES_MAX 1000

struct tenant_put_job {
	struct body_job job; /* first */
	struct tenant_change change;
};

struct tenant_put {
	struct request req;	 /* first */
	void *job;		 /* owned: struct tenant_put_job */
	struct pg_result result; /* owned */
};

static flow_step_fn tenant_put_body, tenant_put_parse, tenant_put_save, tenant_put_begin;
static flow_end_fn tenant_put_end;

static const struct flow_step tenant_put_steps[] = {
	{ "auth", request_caller },
	{ "tenant", request_tenant },
	{ "limit", request_limit },
	{ "body", tenant_put_body },
	{ "parse", tenant_put_parse },
	{ "save", tenant_put_save },
	{ "begin", tenant_put_begin },
	{ NULL, NULL },
};

static const struct flow_kind tenant_put_kind = { "tenant_put", tenant_put_steps, tenant_put_end,
	request_release };

static struct tenant_put *
tenant_put_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct tenant_put, req.flow, &tenant_put_kind);
}

static enum flow_rc
tenant_put_body(struct flow *f)
{
	struct tenant_put *p = tenant_put_of(f);

	return http_read_body(f, p->req.x, &p->req.body);
}

/* An offload_fn. */
static void
tenant_job_read(void *arg)
{
	struct tenant_put_job *j = arg;
	json_t *root = body_job_json(&j->job, TENANT_NODES_MAX);

	if (root != NULL)
		(void)tenant_body_read(root, j->job.arena, &j->change, &j->job.err);
	json_decref(root);
}

static enum flow_rc
tenant_put_parse(struct flow *f)
{
	struct tenant_put *p = tenant_put_of(f);
	struct tenant_put_job *j;

	p->job = j = body_job_new(&p->req, sizeof(*j));
	return body_job_run(f, j->job.body.len, tenant_job_read, body_job_free, &p->job);
}

static enum flow_rc
tenant_put_save(struct flow *f)
{
	struct tenant_put *p = tenant_put_of(f);
	const struct tenant_put_job *j = p->job;
	const char *plan = j->change.text[TENANT_PLAN];

	if (err_is(&j->job.err))
		return flow_fail_err(f, &j->job.err);
	if (plan != NULL && !tenant_plan_is_known(p->req.ctx->tenants, plan))
		return flow_fail(f, ERR_INVALID_FIELD,
		    "There is no plan of the name in field \"plan\"; send one that the operator "
		    "has "
		    "configured.");
	return tenant_save(f, p->req.ctx->tenants, p->req.tenant_id, &j->change, &p->result);
}

/* Of one whose last attempt failed this is the next, and so it is being made again. */
static enum flow_rc
tenant_put_begin(struct flow *f)
{
	struct tenant_put *p = tenant_put_of(f);
	enum flow_rc rc = catalog_check(f, &p->result, "save the tenant");
	struct tenant_profile now;
	struct err err = { 0 };

	if (rc != FLOW_NEXT)
		return rc;
	if (!tenant_profile_read(&p->result, &now))
		return flow_fail(f, ERR_CONFLICT,
		    "The tenant's database is in another region, or is being made there, and "
		    "stays; leave the region out. Nothing was changed.");
	tenant_saved(p->req.ctx->tenants, &p->req.tenant, &now);
	if (strcmp(now.state, "ready") == 0 || strcmp(now.state, "suspended") == 0)
		return tenant_respond(f, 200, &now);
	if (!tenant_begin(p->req.ctx->tenants, p->req.tenant_id, &err))
		return flow_fail_err(f, &err);
	now.state = "provisioning";
	now.reason[0] = '\0';
	return tenant_respond(f, 202, &now);
}

static void
tenant_put_end(struct flow *f, const struct err *err)
{
	struct tenant_put *p = tenant_put_of(f);

	pg_clear(&p->result);
	body_job_end(&p->req, body_job_free, p->job, 0);
	request_end(&p->req, err);
}

void
tenant_put_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	request_start(x, ctx, match, sizeof(struct tenant_put), &tenant_put_kind)->asleep = true;
}
