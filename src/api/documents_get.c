/* SPDX-License-Identifier: MIT */
/*
 * documents_get: GET /documents/{id}. One row of the catalog's list; no tenant's database is asked.
 */
#include "api/document_json.h"
#include "api/handlers.h"
#include "api/own.h"

struct document_look {
	struct request req;    /* first */
	struct pg_result rows; /* owned */
};

static flow_step_fn documents_get_query, documents_get_respond;
static flow_end_fn documents_get_end;

static const struct flow_step documents_get_steps[] = {
	{ "auth", request_caller },
	{ "tenant", request_tenant },
	{ "limit", request_limit },
	{ "find", documents_get_query },
	{ "respond", documents_get_respond },
	{ NULL, NULL },
};

static const struct flow_kind documents_get_kind = { "documents_get", documents_get_steps,
	documents_get_end, request_release };

static struct document_look *
document_look_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct document_look, req.flow, &documents_get_kind);
}

static enum flow_rc
documents_get_query(struct flow *f)
{
	struct document_look *l = document_look_of(f);
	struct err err = { 0 };
	const char *id = document_path_id(&l->req, &err);

	if (id == NULL)
		return flow_fail_err(f, &err);
	return documents_get(f, l->req.ctx->catalog, l->req.tenant_id, id, own_user(&l->req),
	    &l->rows);
}

static enum flow_rc
documents_get_respond(struct flow *f)
{
	struct document_look *l = document_look_of(f);
	enum flow_rc rc = catalog_check(f, &l->rows, "find the document");

	return rc == FLOW_NEXT ? document_respond(f, &l->rows) : rc;
}

static void
documents_get_end(struct flow *f, const struct err *err)
{
	struct document_look *l = document_look_of(f);

	pg_clear(&l->rows);
	request_end(&l->req, err);
}

void
documents_get_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	request_start(x, ctx, match, sizeof(struct document_look), &documents_get_kind)->asleep =
	    true;
}
