/* SPDX-License-Identifier: MIT */
/*
 * tokens_make: POST /admin/tenants/{tenant}/tokens: a token of the tenant's, as POST /tokens
 * makes one for an application. The response is the only place where its text is ever seen. Nothing
 * is written anywhere but the audit's line.
 */
#include "admin/admin_route.h"
#include "tenantgate/auth/token.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/secret.h"

struct admin_token {
	struct admin_request req; /* first */
	struct token_order order;
	struct tenant tenant; /* has a password: wiped at the end */
};

static flow_step_fn admin_token_read, admin_token_look, admin_token_respond;
static flow_end_fn admin_token_end;

static const struct flow_step admin_token_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "body", admin_body },
	{ "parse", admin_parse },
	{ "read", admin_token_read },
	{ "look", admin_token_look },
	{ "respond", admin_token_respond },
	{ NULL, NULL },
};

static const struct flow_kind admin_token_kind = { "admin_tokens_create", admin_token_steps,
	admin_token_end, admin_release };

static struct admin_token *
admin_token_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct admin_token, req.flow, &admin_token_kind);
}

/* An operator has no scopes that could be less than a token's. */
static enum flow_rc
admin_token_read(struct flow *f)
{
	struct admin_token *t = admin_token_of(f);
	struct err err = { 0 };

	if (!token_order_read(t->req.json, SCOPES_NAMED, "", t->req.conf->token_ttl_us / 1000000,
		&t->order, &err))
		return flow_fail_err(f, &err);
	return FLOW_NEXT;
}

static enum flow_rc
admin_token_look(struct flow *f)
{
	struct admin_token *t = admin_token_of(f);

	return tenant_lookup(f, t->req.api->tenants, t->req.tenant_id, &t->tenant);
}

static enum flow_rc
admin_token_respond(struct flow *f)
{
	struct admin_token *t = admin_token_of(f);
	const struct token_signer *signer = auth_tokens(t->req.api->auth);

	if (t->tenant.token_generation == 0)
		return flow_fail(f, ERR_NOT_FOUND,
		    "There is no tenant of this id; look for it with GET /admin/tenants.");
	token_order_issue(&t->order, t->req.tenant_id, t->tenant.token_generation, clock_wall_us());
	if (t->req.is_dry_run) {
		t->order.claims.id[0] = '\0';
		return admin_respond_json(f, 200, token_order_json(&t->order));
	}
	admin_change_begin(&t->req, t->req.tenant_id, NULL, token_order_json(&t->order));
	return admin_respond_json(f, 201, token_made_json(signer, &t->order));
}

static void
admin_token_end(struct flow *f, const struct err *err)
{
	struct admin_token *t = admin_token_of(f);

	bytes_wipe(&t->tenant, sizeof(t->tenant));
	admin_end(&t->req, err);
}

void
tokens_make_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct admin_token), &admin_token_kind);
}
