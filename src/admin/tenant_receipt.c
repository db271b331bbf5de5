/* SPDX-License-Identifier: MIT */
/*
 * tenant_receipt: GET /admin/tenants/{tenant}/receipt. What went with a deletion, and when.
 */
#include "admin/admin_route.h"
#include "admin/tenant_end_json.h"

struct tenant_receipt_get {
	struct admin_request req; /* first */
	struct pg_result result;  /* owned */
};

static flow_step_fn receipt_read, receipt_respond;
static flow_end_fn receipt_end;

static const struct flow_step receipt_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "read", receipt_read },
	{ "respond", receipt_respond },
	{ NULL, NULL },
};

static const struct flow_kind receipt_kind = { "admin_receipt", receipt_steps, receipt_end,
	admin_release };

static struct tenant_receipt_get *
receipt_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct tenant_receipt_get, req.flow, &receipt_kind);
}

static enum flow_rc
receipt_read(struct flow *f)
{
	struct tenant_receipt_get *r = receipt_of(f);

	return tenant_end_describe(f, r->req.api->tenants, r->req.tenant_id, &r->result);
}

static enum flow_rc
receipt_respond(struct flow *f)
{
	struct tenant_receipt_get *r = receipt_of(f);
	enum flow_rc rc = catalog_check(f, &r->result, "receipt of a deletion");
	struct tenant_end_view v;

	if (rc != FLOW_NEXT)
		return rc;
	if (!tenant_end_read(&r->result, &v) || !v.has_receipt)
		return flow_fail(f, ERR_NOT_FOUND,
		    "No tenant of this id was deleted; look for it with GET /admin/tenants.");
	return admin_respond_json(f, 200, receipt_json(r->req.tenant_id, &v));
}

static void
receipt_end(struct flow *f, const struct err *err)
{
	struct tenant_receipt_get *r = receipt_of(f);

	pg_clear(&r->result);
	admin_end(&r->req, err);
}

void
tenant_receipt_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct tenant_receipt_get), &receipt_kind);
}
