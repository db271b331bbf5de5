/* SPDX-License-Identifier: MIT */
/*
 * tenant_retry: POST /admin/tenants/{tenant}/retry. A database that could not be made is made once
 * more now, and Neon is asked now for what it does not have yet of what is wished. What Neon itself
 * has asked to be left alone for is waited for all the same: whoever asks sooner is refused again.
 */
#include "admin/admin_route.h"
#include "admin/tenant_wish_form.h"

struct tenant_retry {
	struct admin_request req; /* first */
	struct tenant_wish_view view;
	struct pg_result looked, written; /* owned; view borrows of the first */
};

static flow_step_fn tenant_retry_look, tenant_retry_decide, tenant_retry_begin;
static flow_end_fn tenant_retry_end;

static const struct flow_step tenant_retry_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "look", tenant_retry_look },
	{ "write", tenant_retry_decide },
	{ "begin", tenant_retry_begin },
	{ NULL, NULL },
};

static const struct flow_kind tenant_retry_kind = { "admin_tenant_retry", tenant_retry_steps,
	tenant_retry_end, admin_release };

static struct tenant_retry *
tenant_retry_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct tenant_retry, req.flow, &tenant_retry_kind);
}

static enum flow_rc
tenant_retry_look(struct flow *f)
{
	struct tenant_retry *r = tenant_retry_of(f);

	return tenant_wish_look(f, r->req.api->tenants, r->req.tenant_id, &r->looked);
}

static bool
is_to_be_made(const struct tenant_wish_view *v)
{
	return strcmp(v->state, "failed") == 0 || v->is_left;
}

/* FLOW_NEXT when there is something to try again. */
static enum flow_rc
tenant_retry_applies(struct tenant_retry *r)
{
	const struct tenant_wish_view *v = &r->view;
	struct flow *f = &r->req.flow;
	struct err err = { .retry_after = v->asked_s };

	if (is_to_be_made(v) && v->asked_s > 0) {
		err_set(&err, ERR_PROVISIONING,
		    "The provider has asked not to be asked before %d s from now; retry then.",
		    v->asked_s);
		return flow_fail_err(f, &err);
	}
	if (is_to_be_made(v) || (strcmp(v->state, "ready") == 0 && v->is_pending))
		return FLOW_NEXT;
	if (strcmp(v->state, "provisioning") == 0)
		return flow_fail(f, ERR_CONFLICT,
		    "The tenant's database is being made just now; there is nothing to retry. Look "
		    "at "
		    "it again in a moment.");
	return flow_fail(f, ERR_CONFLICT,
	    "The tenant is %s, and nothing of it has failed; there is nothing to retry.", v->state);
}

static const char *
tenant_retry_state(const struct tenant_retry *r)
{
	return strcmp(r->view.state, "ready") == 0 ? "ready" : "provisioning";
}

static void
tenant_retry_note(struct tenant_retry *r)
{
	admin_change_begin(&r->req, r->req.tenant_id,
	    json_pack("{s:s, s:s, s:s}", "state", r->view.state, "reason", r->view.reason,
		"neonError", r->view.neon_error),
	    json_pack("{s:s}", "state", tenant_retry_state(r)));
}

static enum flow_rc
tenant_retry_decide(struct flow *f)
{
	struct tenant_retry *r = tenant_retry_of(f);
	enum flow_rc rc = catalog_check(f, &r->looked, "look at the tenant");
	struct err err = { 0 };

	if (rc != FLOW_NEXT)
		return rc;
	if (!tenant_wish_read(&r->looked, &r->view, &err))
		return err_is(&err) ? flow_fail_err(f, &err)
				    : flow_fail(f, ERR_NOT_FOUND,
					  "There is no tenant of this id; PUT /admin/tenants/{id} "
					  "makes it.");
	rc = wish_form_alive(f, &r->view);
	if (rc == FLOW_NEXT)
		rc = tenant_retry_applies(r);
	if (rc != FLOW_NEXT)
		return rc;
	if (r->req.is_dry_run)
		return wish_form_respond(f, 202, wish_form_json(r->req.tenant_id, &r->view));
	tenant_retry_note(r);
	return tenant_retry_write(f, r->req.api->tenants, r->req.tenant_id, &r->written);
}

static enum flow_rc
tenant_retry_begin(struct flow *f)
{
	struct tenant_retry *r = tenant_retry_of(f);
	enum flow_rc rc = admin_change_check(f, &r->written, "retry the tenant");
	bool is_made = strcmp(r->view.state, "ready") == 0;
	struct err err = { 0 };

	if (rc != FLOW_NEXT)
		return rc;
	if (is_made)
		tenant_wish_begin(r->req.api->tenants, r->req.tenant_id);
	else if (!tenant_begin(r->req.api->tenants, r->req.tenant_id, &err))
		return flow_fail_err(f, &err);
	r->view.state = tenant_retry_state(r);
	r->view.reason[0] = r->view.neon_error[0] = '\0';
	return wish_form_respond(f, 202, wish_form_json(r->req.tenant_id, &r->view));
}

static void
tenant_retry_end(struct flow *f, const struct err *err)
{
	struct tenant_retry *r = tenant_retry_of(f);

	tenant_wish_view_free(&r->view);
	pg_clear(&r->looked);
	pg_clear(&r->written);
	admin_end(&r->req, err);
}

void
tenant_retry_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct tenant_retry), &tenant_retry_kind);
}
