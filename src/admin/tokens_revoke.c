/* SPDX-License-Identifier: MIT */
/*
 * tokens_revoke: DELETE /admin/tenants/{tenant}/tokens: all that were made of the tenant's until
 * now are refused from now on, whoever has them. May be sent again.
 */
#include "admin/admin_route.h"
#include "admin/tenant_end_json.h"
#include "admin/tenant_wish_form.h"

struct tokens_revocation {
	struct admin_request req; /* first */
	struct pg_result result;  /* owned */
};

static flow_step_fn tokens_revocation_look, tokens_revocation_write, tokens_revocation_respond;
static flow_end_fn tokens_revocation_end;

static const struct flow_step tokens_revocation_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "look", tokens_revocation_look },
	{ "revoke", tokens_revocation_write },
	{ "respond", tokens_revocation_respond },
	{ NULL, NULL },
};

static const struct flow_kind tokens_revocation_kind = { "admin_tokens_revoke",
	tokens_revocation_steps, tokens_revocation_end, admin_release };

static struct tokens_revocation *
tokens_revocation_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct tokens_revocation, req.flow, &tokens_revocation_kind);
}

static enum flow_rc
tokens_revocation_look(struct flow *f)
{
	struct tokens_revocation *r = tokens_revocation_of(f);

	return tenant_end_describe(f, r->req.api->tenants, r->req.tenant_id, &r->result);
}

static enum flow_rc
tokens_revoked(struct tokens_revocation *r)
{
	return admin_respond_json(&r->req.flow, 200,
	    json_pack("{s:s, s:s, s:o, s:b}", "tenant", r->req.tenant_id, "tokens", "revoked",
		"effective", effective_json(r->req.api->tenants), "dryRun",
		(int)r->req.is_dry_run));
}

static enum flow_rc
tokens_revocation_write(struct flow *f)
{
	struct tokens_revocation *r = tokens_revocation_of(f);
	enum flow_rc rc = catalog_check(f, &r->result, "look at the tenant");
	struct tenant_end_view v;

	if (rc != FLOW_NEXT)
		return rc;
	(void)tenant_end_read(&r->result, &v);
	if (v.state == NULL)
		return flow_fail(f, ERR_NOT_FOUND,
		    "There is no tenant of this id; look for it with GET /admin/tenants.");
	if (strcmp(v.state, "deleted") == 0 || strcmp(v.state, "deleting") == 0)
		return flow_fail(f, ERR_DELETED,
		    "The tenant was deleted, and its tokens are refused; there is nothing to "
		    "revoke.");
	if (r->req.is_dry_run)
		return tokens_revoked(r);
	admin_change_begin(&r->req, r->req.tenant_id, NULL, NULL);
	return tenant_tokens_revoke(f, r->req.api->tenants, r->req.tenant_id, &r->result);
}

static enum flow_rc
tokens_revocation_respond(struct flow *f)
{
	struct tokens_revocation *r = tokens_revocation_of(f);
	enum flow_rc rc = admin_change_check(f, &r->result, "revoke the tenant's tokens");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_changed(&r->result) == 0)
		admin_change_missed(&r->req, &r->result);
	tenant_forget(r->req.api->tenants, r->req.tenant_id);
	return tokens_revoked(r);
}

static void
tokens_revocation_end(struct flow *f, const struct err *err)
{
	struct tokens_revocation *r = tokens_revocation_of(f);

	pg_clear(&r->result);
	admin_end(&r->req, err);
}

void
tokens_revoke_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct tokens_revocation), &tokens_revocation_kind);
}
