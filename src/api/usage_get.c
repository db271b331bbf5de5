/* SPDX-License-Identifier: MIT */
/*
 * usage_get: GET /usage. What the tenant has used, by day and model, as the catalog has it: what a
 * worker has gathered since it last wrote is not in it yet, which "delaySeconds" tells. No tenant's
 * database is asked.
 */
#include "api/handlers.h"
#include "api/ingest_body.h"
#include "api/respond.h"
#include "tenantgate/base/json.h"

#define USAGE_JSON_MAX (8u << 20) /* bytes of one response */

struct usage_get {
	struct request req; /* first */
	struct usage_days days;
	struct pg_result rows; /* owned */
};

static flow_step_fn usage_get_parse, usage_get_read, usage_get_respond;
static flow_end_fn usage_get_end;

static const struct flow_step usage_get_steps[] = {
	{ "auth", request_caller },
	{ "tenant", request_tenant },
	{ "limit", request_limit },
	{ "parse", usage_get_parse },
	{ "read", usage_get_read },
	{ "respond", usage_get_respond },
	{ NULL, NULL },
};

static const struct flow_kind usage_get_kind = { "usage_get", usage_get_steps, usage_get_end,
	request_release };

static struct usage_get *
usage_get_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct usage_get, req.flow, &usage_get_kind);
}

static enum flow_rc
usage_get_parse(struct flow *f)
{
	struct usage_get *g = usage_get_of(f);
	struct err err = { 0 };

	if (!ingest_query_decodes(http_query(g->req.x), &err) ||
	    !usage_days_read(http_query_get(g->req.x, "from", f->arena),
		http_query_get(g->req.x, "to", f->arena), &g->days, &err))
		return flow_fail_err(f, &err);
	return FLOW_NEXT;
}

static enum flow_rc
usage_get_read(struct flow *f)
{
	struct usage_get *g = usage_get_of(f);

	return usage_read(f, g->req.ctx->catalog, g->req.tenant_id, &g->days, &g->rows);
}

static enum flow_rc
usage_get_respond(struct flow *f)
{
	struct usage_get *g = usage_get_of(f);
	enum flow_rc rc = catalog_check(f, &g->rows, "read usage");
	struct buf b;

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&g->rows) > USAGE_READ_MAX)
		return flow_fail(f, ERR_INVALID_FIELD,
		    "There are too many rows for one response; ask for fewer days.");
	buf_init(&b, USAGE_JSON_MAX);
	usage_days_put(&b, &g->days, &g->req.conf->usage, &g->rows);
	if (!b.failed)
		respond_json(g->req.x, 200, &b);
	buf_free(&b);
	if (http_status(g->req.x) == 0)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the usage");
	return FLOW_DONE;
}

static void
usage_get_end(struct flow *f, const struct err *err)
{
	struct usage_get *g = usage_get_of(f);

	pg_clear(&g->rows);
	request_end(&g->req, err);
}

void
usage_get_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	request_start(x, ctx, match, sizeof(struct usage_get), &usage_get_kind)->asleep = true;
}
