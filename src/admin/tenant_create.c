/* SPDX-License-Identifier: MIT */
/*
 * tenant_create: PUT /admin/tenants/{tenant}. Makes a tenant as it is wished; its database is made
 * behind, by the same provisioning as at a first contact.
 *
 *	... --> [look] --> [write] --> [written] --> [look] --> [write]: there it is: responds
 *
 * The row is the wish: once it is written, whoever asks for the tenant next goes on with it, so the
 * request may be sent again, and whatever dies afterwards leaves nothing to be mended. A tenant
 * that is there and as wished is left alone; one that is otherwise is 409: PATCH changes it.
 */
#include "admin/admin_route.h"
#include "admin/tenant_wish_form.h"

#define CREATE_LOOKS_MAX 4

struct tenant_create {
	struct admin_request req; /* first */
	struct tenant_change_request asked;
	struct tenant_wish_view view;
	struct tenant_wishes wishes;
	struct pg_result result; /* owned */
	unsigned looks;
	bool is_new; /* by this request */
};

static flow_step_fn tenant_create_read, tenant_create_look, tenant_create_decide,
    tenant_create_written;
static flow_end_fn tenant_create_end;

static const struct flow_step tenant_create_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "body", admin_body },
	{ "parse", admin_parse },
	{ "read", tenant_create_read },
	{ "look", tenant_create_look },
	{ "write", tenant_create_decide },
	{ "written", tenant_create_written },
	{ NULL, NULL },
};

static const struct flow_kind tenant_create_kind = { "admin_tenant_create", tenant_create_steps,
	tenant_create_end, admin_release };

static struct tenant_create *
tenant_create_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct tenant_create, req.flow, &tenant_create_kind);
}

static enum flow_rc
tenant_create_read(struct flow *f)
{
	static const char *const names[] = { "name", "email", "plan", "region", "settings",
		"compute", "quotas", NULL };
	struct tenant_create *c = tenant_create_of(f);
	struct err err = { 0 };

	return wish_form_read(&c->req, names, &c->asked, &err) ? FLOW_NEXT : flow_fail_err(f, &err);
}

static enum flow_rc
tenant_create_look(struct flow *f)
{
	struct tenant_create *c = tenant_create_of(f);

	if (c->looks++ == CREATE_LOOKS_MAX)
		return flow_fail(f, ERR_CONFLICT,
		    "Others make or remove this tenant at the same time; send it again.");
	tenant_wish_view_free(&c->view);
	tenant_wishes_free(&c->wishes);
	return tenant_wish_look(f, c->req.api->tenants, c->req.tenant_id, &c->result);
}

/* Whose database is to be made, and is not being made, has it made: the same request again takes up
 * what a crash has left, or a failure, when the time is come to try again. */
static bool
tenant_create_go_on(struct tenant_create *c, struct err *err)
{
	bool has_failed = strcmp(c->view.state, "failed") == 0 && c->view.wait_s == 0;

	if (c->req.is_dry_run || (!c->view.is_left && !has_failed))
		return true;
	if (!tenant_begin(c->req.api->tenants, c->req.tenant_id, err))
		return false;
	c->view.state = "provisioning";
	c->view.reason[0] = '\0';
	return true;
}

static enum flow_rc
tenant_create_found(struct tenant_create *c)
{
	struct flow *f = &c->req.flow;
	const char *differs;
	struct err err = { 0 };
	bool is_same;

	if (!tenant_wishes_make(c->req.api->tenants, &c->view, &c->asked, &c->wishes, &err))
		return flow_fail_err(f, &err);
	is_same = tenant_is_as_wished(&c->view, &c->wishes, &c->asked, &differs);
	if (!c->is_new && !is_same)
		return flow_fail(f, ERR_CONFLICT,
		    "The tenant is there, and its %s is otherwise; PATCH /admin/tenants/{id} "
		    "changes "
		    "it. Nothing was changed.",
		    differs);
	if (!admin_change_is_noted(&c->req))
		admin_change_nothing(&c->req);
	if (!tenant_create_go_on(c, &err))
		return flow_fail_err(f, &err);
	return wish_form_respond(f, strcmp(c->view.state, "provisioning") == 0 ? 202 : 200,
	    wish_form_json(c->req.tenant_id, &c->view));
}

static enum flow_rc
tenant_create_absent(struct tenant_create *c)
{
	struct flow *f = &c->req.flow;
	struct err err = { 0 };

	if (!tenant_wishes_make(c->req.api->tenants, NULL, &c->asked, &c->wishes, &err))
		return flow_fail_err(f, &err);
	if (c->req.is_dry_run)
		return wish_form_respond(f, 202,
		    wish_form_planned_json(c->req.tenant_id, NULL, &c->wishes, &c->asked));
	admin_change_begin(&c->req, c->req.tenant_id, NULL,
	    wish_form_planned_json(c->req.tenant_id, NULL, &c->wishes, &c->asked));
	return tenant_create_write(f, c->req.api->tenants, c->req.tenant_id, &c->wishes, &c->asked,
	    &c->result);
}

static enum flow_rc
tenant_create_decide(struct flow *f)
{
	struct tenant_create *c = tenant_create_of(f);
	enum flow_rc rc = catalog_check(f, &c->result, "look at the tenant");
	struct err err = { 0 };

	if (rc != FLOW_NEXT)
		return rc;
	if (!tenant_wish_read(&c->result, &c->view, &err))
		return err_is(&err) ? flow_fail_err(f, &err) : tenant_create_absent(c);
	rc = wish_form_alive(f, &c->view);
	return rc == FLOW_NEXT ? tenant_create_found(c) : rc;
}

/* It may have been looked for, and is cached as one that there is not. */
static enum flow_rc
tenant_create_written(struct flow *f)
{
	struct tenant_create *c = tenant_create_of(f);
	enum flow_rc rc = admin_change_check(f, &c->result, "make the tenant");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&c->result) > 0) {
		tenant_forget(c->req.api->tenants, c->req.tenant_id);
		c->is_new = true;
	} else {
		admin_change_missed(&c->req, &c->result);
	}
	return flow_goto(f, tenant_create_look);
}

static void
tenant_create_end(struct flow *f, const struct err *err)
{
	struct tenant_create *c = tenant_create_of(f);

	tenant_wish_view_free(&c->view);
	tenant_wishes_free(&c->wishes);
	pg_clear(&c->result);
	admin_end(&c->req, err);
}

void
tenant_create_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct tenant_create), &tenant_create_kind);
}
