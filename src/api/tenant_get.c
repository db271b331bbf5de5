/* SPDX-License-Identifier: MIT */
/*
 * tenant_get: GET /tenant. What PUT /tenant has said, and whether the database is ready: the
 * catalog's rows, so that one that sleeps sleeps on.
 */
#include "api/handlers.h"
#include "api/tenant_body.h"

struct tenant_get {
	struct request req;	 /* first */
	struct pg_result result; /* owned */
};

static flow_step_fn tenant_get_query, tenant_get_respond;
static flow_end_fn tenant_get_end;

static const struct flow_step tenant_get_steps[] = {
	{ "auth", request_caller },
	{ "tenant", request_tenant },
	{ "limit", request_limit },
	{ "look", tenant_get_query },
	{ "respond", tenant_get_respond },
	{ NULL, NULL },
};

static const struct flow_kind tenant_get_kind = { "tenant_get", tenant_get_steps, tenant_get_end,
	request_release };

static struct tenant_get *
tenant_get_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct tenant_get, req.flow, &tenant_get_kind);
}

static enum flow_rc
tenant_get_query(struct flow *f)
{
	struct tenant_get *g = tenant_get_of(f);

	return tenant_describe(f, g->req.ctx->tenants, g->req.tenant_id, &g->result);
}

/* Whoever waits for a database by asking would wait for ever, had the process died that was making
 * it: so asking goes on with it. One whose attempt failed waits for a request that needs it. */
static enum flow_rc
tenant_get_respond(struct flow *f)
{
	struct tenant_get *g = tenant_get_of(f);
	enum flow_rc rc = catalog_check(f, &g->result, "find the tenant");
	struct tenant_profile now;
	struct err err = { 0 };

	if (rc != FLOW_NEXT)
		return rc;
	if (!tenant_profile_read(&g->result, &now))
		return flow_fail(f, ERR_NOT_FOUND,
		    "There is no such tenant yet; PUT /tenant, or the tenant's first request, "
		    "makes it.");
	if (now.is_left && !tenant_begin(g->req.ctx->tenants, g->req.tenant_id, &err))
		return flow_fail_err(f, &err);
	return tenant_respond(f, 200, &now);
}

static void
tenant_get_end(struct flow *f, const struct err *err)
{
	struct tenant_get *g = tenant_get_of(f);

	pg_clear(&g->result);
	request_end(&g->req, err);
}

void
tenant_get_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	request_start(x, ctx, match, sizeof(struct tenant_get), &tenant_get_kind)->asleep = true;
}
