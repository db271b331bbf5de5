/* SPDX-License-Identifier: MIT */
/*
 * tenant_warm_up: POST /admin/tenants/{tenant}/warm. Makes the tenant's database, or wakes it, and
 * says how long that took: 200 when it has answered, 202 when it goes on behind.
 */
#include "admin/admin_route.h"
#include "tenantgate/base/secret.h"
#include "tenantgate/tenant/wishes.h"

struct tenant_warm_up {
	struct admin_request req; /* first */
	struct tenant seen;	  /* of a dry run; has no password of use to us: wiped */
	struct tenant_warmth warmth;
};

static flow_step_fn tenant_warm_up_look, tenant_warm_up_work, tenant_warm_up_respond;
static flow_end_fn tenant_warm_up_end;

static const struct flow_step tenant_warm_up_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "look", tenant_warm_up_look },
	{ "warm", tenant_warm_up_work },
	{ "respond", tenant_warm_up_respond },
	{ NULL, NULL },
};

static const struct flow_kind tenant_warm_up_kind = { "admin_tenant_warm", tenant_warm_up_steps,
	tenant_warm_up_end, admin_release };

static struct tenant_warm_up *
tenant_warm_up_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct tenant_warm_up, req.flow, &tenant_warm_up_kind);
}

static enum flow_rc
tenant_warm_up_look(struct flow *f)
{
	struct tenant_warm_up *w = tenant_warm_up_of(f);

	return tenant_lookup(f, w->req.api->tenants, w->req.tenant_id, &w->seen);
}

static enum flow_rc
tenant_warm_up_work(struct flow *f)
{
	struct tenant_warm_up *w = tenant_warm_up_of(f);
	bool is_ready = w->seen.state == TENANT_READY;

	if (w->seen.state == TENANT_UNKNOWN)
		return flow_fail(f, ERR_NOT_FOUND,
		    "There is no tenant of this id; PUT /admin/tenants/{id} makes it.");
	if (w->req.is_dry_run)
		return admin_respond_json(f, 200,
		    json_pack("{s:s, s:s, s:b}", "tenant", w->req.tenant_id, "would",
			is_ready ? "wake" : "make", "dryRun", 1));
	admin_change_begin(&w->req, w->req.tenant_id, NULL, json_pack("{s:b}", "warm", 1));
	return tenant_warm(f, w->req.api->tenants, w->req.tenant_id, &w->warmth);
}

static double
seconds_of(uint64_t us)
{
	return (double)us / 1e6;
}

/* Nothing of the tenant is changed, but a database that sleeps costs nothing and one that wakes
 * does: that is told too. */
static enum flow_rc
tenant_warm_up_respond(struct flow *f)
{
	struct tenant_warm_up *w = tenant_warm_up_of(f);
	const struct tenant_warmth *warmth = &w->warmth;

	admin_change_tell(&w->req, json_pack("{s:b}", "warm", !warmth->is_cut_off));
	if (warmth->is_cut_off)
		return admin_respond_json(f, 202,
		    json_pack("{s:s, s:s}", "tenant", w->req.tenant_id, "state",
			warmth->state == TENANT_READY ? "waking" : "provisioning"));
	return admin_respond_json(f, 200,
	    json_pack("{s:s, s:s, s:b, s:f, s:f}", "tenant", w->req.tenant_id, "state", "ready",
		"made", warmth->state != TENANT_READY, "makeSeconds", seconds_of(warmth->made_us),
		"answerSeconds", seconds_of(warmth->answered_us)));
}

static void
tenant_warm_up_end(struct flow *f, const struct err *err)
{
	struct tenant_warm_up *w = tenant_warm_up_of(f);

	bytes_wipe(&w->seen, sizeof(w->seen));
	admin_end(&w->req, err);
}

void
tenant_warm_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct tenant_warm_up), &tenant_warm_up_kind);
}
