/* SPDX-License-Identifier: MIT */
/*
 * tenant_limits: GET /admin/tenants/{tenant}/limits. Each value that holds for the tenant, whose
 * word it is, and what is used of it.
 */
#include "admin/admin_route.h"
#include "admin/limits_view.h"
#include "tenantgate/base/json.h"

struct tenant_limits_get {
	struct admin_request req; /* first */
	struct pg_result row;	  /* owned */
	struct limits_view view;
};

static flow_step_fn limits_get_row, limits_get_used, limits_get_respond;
static flow_end_fn limits_get_end;

static const struct flow_step limits_get_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "read", limits_get_row },
	{ "used", limits_get_used },
	{ "respond", limits_get_respond },
	{ NULL, NULL },
};

static const struct flow_kind limits_get_kind = { "admin_limits", limits_get_steps, limits_get_end,
	admin_release };

static struct tenant_limits_get *
limits_get_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct tenant_limits_get, req.flow, &limits_get_kind);
}

static enum flow_rc
limits_get_row(struct flow *f)
{
	struct tenant_limits_get *g = limits_get_of(f);

	return tenant_look(f, g->req.api->tenants, g->req.tenant_id, &g->row);
}

static enum flow_rc
limits_get_used(struct flow *f)
{
	struct tenant_limits_get *g = limits_get_of(f);
	enum flow_rc rc = catalog_check(f, &g->row, "look at a tenant");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&g->row) == 0)
		return flow_fail(f, ERR_NOT_FOUND,
		    "There is no such tenant; GET /admin/tenants lists those that there are.");
	return limits_view_read(f, &g->view, &g->row);
}

static enum flow_rc
limits_get_respond(struct flow *f)
{
	struct tenant_limits_get *g = limits_get_of(f);
	const struct plan *plan = g->view.limits.plan;
	enum flow_rc rc;
	struct buf b;

	buf_init(&b, ADMIN_JSON_MAX);
	buf_puts(&b, "{\"tenant\":");
	json_put_string(&b, slice_str(g->req.tenant_id));
	buf_puts(&b, ",\"plan\":");
	json_put_string(&b, slice_str(plan->name != NULL ? plan->name : ""));
	buf_puts(&b, ",\"limits\":");
	limits_view_put(&b, &g->view);
	buf_putc(&b, '}');
	rc = admin_respond(f, 200, &b);
	buf_free(&b);
	return rc;
}

static void
limits_get_end(struct flow *f, const struct err *err)
{
	struct tenant_limits_get *g = limits_get_of(f);

	limits_view_clear(&g->view);
	pg_clear(&g->row);
	admin_end(&g->req, err);
}

void
tenant_limits_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct tenant_limits_get), &limits_get_kind);
}
