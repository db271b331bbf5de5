/* SPDX-License-Identifier: MIT */
/*
 * tenant_end_order: POST /admin/tenants/{tenant}/suspend and /resume, DELETE
 * /admin/tenants/{tenant}. The order is in the tenant's row before anything else is done; what is
 * left to do is waited for a while, and goes on by itself.
 *
 *	... --> [look] --> [order] --> [ordered] --> [wait] --> [look_again] --> [respond]
 *	          |  it is as ordered, and nothing is owed (a deletion) -------------^
 *
 * Each may be sent again: a suspended tenant is suspended, a deletion's receipt is the same.
 */
#include "admin/admin_route.h"
#include "admin/tenant_end_json.h"
#include "admin/tenant_wish_form.h"
#include "tenantgate/base/json.h"

#define WAIT_US (8 * 1000000ull) /* then 202, and what is owed */

struct tenant_end_order {
	struct admin_request req; /* first */
	enum tenant_order order;
	const char *reason;	 /* borrowed: of the body; NULL for none */
	struct pg_result result; /* owned */
};

static flow_step_fn tenant_order_read, tenant_order_look, tenant_order_write, tenant_order_written,
    tenant_order_look_again, tenant_order_respond;
static flow_end_fn tenant_order_end;

static const struct flow_step tenant_order_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "body", admin_body },
	{ "parse", admin_parse },
	{ "read", tenant_order_read },
	{ "look", tenant_order_look },
	{ "order", tenant_order_write },
	{ "wait", tenant_order_written },
	{ "look_again", tenant_order_look_again },
	{ "respond", tenant_order_respond },
	{ NULL, NULL },
};

static const struct flow_kind tenant_order_kind = { "admin_tenant_end", tenant_order_steps,
	tenant_order_end, admin_release };

static struct tenant_end_order *
tenant_order_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct tenant_end_order, req.flow, &tenant_order_kind);
}

static enum flow_rc
tenant_order_read(struct flow *f)
{
	static const char *const names[] = { "reason", NULL };
	struct tenant_end_order *o = tenant_order_of(f);
	struct slice reason = { NULL, 0 };
	struct err err = { 0 };

	if (!admin_body_has_only(&o->req, names, &err) ||
	    !json_opt_string(o->req.json, "reason", &reason, &err))
		return flow_fail_err(f, &err);
	if (reason.len > TENANT_REASON_MAX)
		return flow_fail(f, ERR_INVALID_FIELD, "Field \"reason\" takes at most %d bytes.",
		    TENANT_REASON_MAX);
	o->reason = reason.p;
	return FLOW_NEXT;
}

static enum flow_rc
tenant_order_look(struct flow *f)
{
	struct tenant_end_order *o = tenant_order_of(f);

	return tenant_end_describe(f, o->req.api->tenants, o->req.tenant_id, &o->result);
}

/* FLOW_NEXT when the order has something to say to this tenant. */
static enum flow_rc
tenant_order_applies(struct tenant_end_order *o, const struct tenant_end_view *v)
{
	struct flow *f = &o->req.flow;
	bool is_deletion = o->order == TENANT_DELETE;

	if (v->state == NULL)
		return flow_fail(f, ERR_NOT_FOUND,
		    "There is no tenant of this id; look for it with GET /admin/tenants.");
	if (!is_deletion && v->state[0] == 'd')
		return flow_fail(f, ERR_DELETED,
		    "The tenant was deleted; GET /admin/tenants/{id}/receipt says when. POST "
		    "/admin/tenants/{id}/recreate makes it anew.");
	return FLOW_NEXT;
}

/* As the row has them once it has the order; a resumed one is suspended until its endpoint is
 * enabled. */
static const char *const ordered_words[] = {
	[TENANT_SUSPEND] = "suspend",
	[TENANT_RESUME] = "resume",
	[TENANT_DELETE] = "delete",
};
static const char *const ordered_states[] = {
	[TENANT_SUSPEND] = "suspended",
	[TENANT_RESUME] = "suspended",
	[TENANT_DELETE] = "deleting",
};

static json_t *
tenant_ordered_json(const struct tenant_end_order *o, const struct tenant_end_view *v,
    const char *state, const char *owed)
{
	return json_pack("{s:s, s:s?, s:s?, s:s?}", "state", state, "reason", o->reason, "project",
	    v->project_id != NULL ? v->project_id : v->receipt.project_id, "owed", owed);
}

static enum flow_rc
tenant_order_write(struct flow *f)
{
	struct tenant_end_order *o = tenant_order_of(f);
	struct tenants *ts = o->req.api->tenants;
	enum flow_rc rc = catalog_check(f, &o->result, "look at the tenant");
	struct tenant_end_view v;

	if (rc != FLOW_NEXT)
		return rc;
	(void)tenant_end_read(&o->result, &v);
	rc = tenant_order_applies(o, &v);
	if (rc != FLOW_NEXT)
		return rc;
	if (o->req.is_dry_run)
		return admin_respond_json(f, 200, order_plan_json(o->req.tenant_id, o->order, &v));
	if (strcmp(v.state, "deleted") == 0) {
		admin_change_nothing(&o->req);
		return flow_goto(f, tenant_order_respond);
	}
	admin_change_begin(&o->req, o->req.tenant_id,
	    json_pack("{s:s, s:s?}", "state", v.state, "reason", v.reason),
	    tenant_ordered_json(o, &v, ordered_states[o->order], ordered_words[o->order]));
	return tenant_order(f, ts, o->req.tenant_id, o->order, o->reason, &o->result);
}

/* Here it is refused from this turn on. A deletion that is under way is not ordered again, but gone
 * on with. */
static enum flow_rc
tenant_order_written(struct flow *f)
{
	struct tenant_end_order *o = tenant_order_of(f);
	struct tenants *ts = o->req.api->tenants;
	enum flow_rc rc = admin_change_check(f, &o->result, "order the tenant's end");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_changed(&o->result) == 0)
		admin_change_missed(&o->req, &o->result);
	if (o->order != TENANT_RESUME)
		tenant_forget(ts, o->req.tenant_id);
	tenant_end_begin(ts, o->req.tenant_id);
	return tenant_end_wait(f, ts, o->req.tenant_id, WAIT_US);
}

static enum flow_rc
tenant_order_look_again(struct flow *f)
{
	return tenant_order_look(f);
}

static enum flow_rc
tenant_order_respond(struct flow *f)
{
	struct tenant_end_order *o = tenant_order_of(f);
	enum flow_rc rc = catalog_check(f, &o->result, "look at the tenant");
	struct tenant_end_view v;
	json_t *body;

	if (rc != FLOW_NEXT)
		return rc;
	(void)tenant_end_read(&o->result, &v);
	if (v.state == NULL)
		return flow_fail(f, ERR_CONFLICT,
		    "The tenant's row has gone meanwhile; look at it again.");
	admin_change_tell(&o->req, tenant_ordered_json(o, &v, v.state, v.owed));
	body = o->order == TENANT_DELETE && v.has_receipt ? receipt_json(o->req.tenant_id, &v)
							  : suspension_json(o->req.tenant_id, &v);
	json_object_set_new(body, "effective", effective_json(o->req.api->tenants));
	return admin_respond_json(f, v.owed == NULL ? 200 : 202, body);
}

static void
tenant_order_end(struct flow *f, const struct err *err)
{
	struct tenant_end_order *o = tenant_order_of(f);

	pg_clear(&o->result);
	admin_end(&o->req, err);
}

static void
tenant_order_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match, enum tenant_order order)
{
	struct admin_request *req =
	    admin_start(x, ctx, match, sizeof(struct tenant_end_order), &tenant_order_kind);

	tenant_order_of(&req->flow)->order = order;
}

void
tenant_suspend_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	tenant_order_start(x, ctx, match, TENANT_SUSPEND);
}

void
tenant_resume_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	tenant_order_start(x, ctx, match, TENANT_RESUME);
}

void
tenant_delete_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	tenant_order_start(x, ctx, match, TENANT_DELETE);
}
