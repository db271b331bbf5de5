/* SPDX-License-Identifier: MIT */
/*
 * tenant_recreate: POST /admin/tenants/{tenant}/recreate. The one way back from a deletion that is
 * over: the tombstone goes, and an empty database is made, as at a first contact. The receipt
 * stays.
 */
#include "admin/admin_route.h"
#include "tenantgate/tenant/ends.h"

struct tenant_recreation {
	struct admin_request req; /* first */
	struct pg_result result;  /* owned */
};

static flow_step_fn recreation_look, recreation_take, recreation_begin;
static flow_end_fn recreation_end;

static const struct flow_step recreation_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "look", recreation_look },
	{ "take", recreation_take },
	{ "begin", recreation_begin },
	{ NULL, NULL },
};

static const struct flow_kind recreation_kind = { "admin_recreate", recreation_steps,
	recreation_end, admin_release };

static struct tenant_recreation *
recreation_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct tenant_recreation, req.flow, &recreation_kind);
}

static enum flow_rc
recreation_look(struct flow *f)
{
	struct tenant_recreation *r = recreation_of(f);

	return tenant_end_describe(f, r->req.api->tenants, r->req.tenant_id, &r->result);
}

static enum flow_rc
recreation_respond(struct tenant_recreation *r, int status, const char *state)
{
	return admin_respond_json(&r->req.flow, status,
	    json_pack("{s:s, s:s, s:b}", "tenant", r->req.tenant_id, "state", state, "dryRun",
		(int)r->req.is_dry_run));
}

static enum flow_rc
recreation_take(struct flow *f)
{
	struct tenant_recreation *r = recreation_of(f);
	enum flow_rc rc = catalog_check(f, &r->result, "look at the tenant");
	struct tenant_end_view v;

	if (rc != FLOW_NEXT)
		return rc;
	(void)tenant_end_read(&r->result, &v);
	if (v.state == NULL)
		return flow_fail(f, ERR_NOT_FOUND,
		    "No tenant of this id was deleted; one that never was needs no recreation.");
	if (strcmp(v.state, "deleting") == 0)
		return flow_fail(f, ERR_CONFLICT,
		    "The tenant's deletion is not over; wait until its receipt says so.");
	if (strcmp(v.state, "deleted") != 0)
		return flow_fail(f, ERR_CONFLICT,
		    "The tenant is not deleted, and goes on as it is; nothing was changed.");
	if (r->req.is_dry_run)
		return recreation_respond(r, 200, v.state);
	admin_change_begin(&r->req, r->req.tenant_id, json_pack("{s:s}", "state", "deleted"),
	    json_pack("{s:s}", "state", "provisioning"));
	return tenant_recreate(f, r->req.api->tenants, r->req.tenant_id, &r->result);
}

/* Who takes the tombstone away makes the database; whoever came second finds it being made. */
static enum flow_rc
recreation_begin(struct flow *f)
{
	struct tenant_recreation *r = recreation_of(f);
	enum flow_rc rc = admin_change_check(f, &r->result, "recreate the tenant");
	struct err err = { 0 };

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&r->result) == 0)
		admin_change_missed(&r->req, &r->result);
	for (unsigned i = 0; i < pg_rows(&r->result); i++)
		if (pg_value(&r->result, i, 0).p != NULL)
			auth_forget(r->req.api->auth, pg_text(&r->result, i, 0));
	tenant_forget(r->req.api->tenants, r->req.tenant_id);
	if (!tenant_begin(r->req.api->tenants, r->req.tenant_id, &err))
		return flow_fail_err(f, &err);
	return recreation_respond(r, 202, "provisioning");
}

static void
recreation_end(struct flow *f, const struct err *err)
{
	struct tenant_recreation *r = recreation_of(f);

	pg_clear(&r->result);
	admin_end(&r->req, err);
}

void
tenant_recreate_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct tenant_recreation), &recreation_kind);
}
