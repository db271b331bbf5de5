/* SPDX-License-Identifier: MIT */
/*
 * orphans_list: GET /admin/reconcile: projects without tenants and tenants without projects
 * (tenantgate/tenant/orphans.h); with ?tenant=ID the documents of that tenant that are in one place
 * only. Nothing is changed.
 */
#include "admin/admin_route.h"
#include "admin/orphan_json.h"
#include "tenantgate/base/secret.h"

struct orphans_list {
	struct admin_request req;	/* first */
	struct tenant_orphans *orphans; /* owned */
	struct tenant tenant;		/* of the query; its password is wiped */
	char tenant_id[TENANT_ID_MAX + 1];
	struct pool_target target;
	char key[TENANT_KEY_SIZE];
	struct documents_difference difference; /* owned lists */
};

static flow_step_fn orphans_list_what, orphans_list_respond, orphans_list_tenant,
    orphans_list_compare, orphans_list_documents;
static flow_end_fn orphans_list_end;
static flow_release_fn orphans_list_release;

static const struct flow_step orphans_list_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "find", orphans_list_what },
	{ "respond", orphans_list_respond },
	{ "tenant", orphans_list_tenant },
	{ "compare", orphans_list_compare },
	{ "documents", orphans_list_documents },
	{ NULL, NULL },
};

static const struct flow_kind orphans_list_kind = { "admin_reconcile", orphans_list_steps,
	orphans_list_end, orphans_list_release };

static struct orphans_list *
orphans_list_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct orphans_list, req.flow, &orphans_list_kind);
}

static enum flow_rc
orphans_list_what(struct flow *f)
{
	struct orphans_list *l = orphans_list_of(f);
	struct slice tenant = { NULL, 0 };
	struct err err = { 0 };

	if (!admin_query_text(&l->req, "tenant", TENANT_ID_MAX, &tenant, &err))
		return flow_fail_err(f, &err);
	if (tenant.p == NULL) {
		l->orphans = tenant_orphans_new(l->req.api->tenants);
		return tenant_orphans_find(f, l->orphans);
	}
	if (!auth_tenant_valid(tenant))
		return flow_fail(f, ERR_INVALID_TENANT,
		    "A tenant id must be 1 to %d bytes of [A-Za-z0-9._:@-]; correct the query.",
		    TENANT_ID_MAX);
	memcpy(l->tenant_id, tenant.p, tenant.len);
	return flow_goto(f, orphans_list_tenant);
}

static enum flow_rc
orphans_list_respond(struct flow *f)
{
	struct orphans_list *l = orphans_list_of(f);

	return admin_respond_json(f, 200, orphans_json(l->orphans));
}

/* ---- one tenant's documents ---- */

static enum flow_rc
orphans_list_tenant(struct flow *f)
{
	struct orphans_list *l = orphans_list_of(f);

	return tenant_lookup(f, l->req.api->tenants, l->tenant_id, &l->tenant);
}

static enum flow_rc
orphans_list_compare(struct flow *f)
{
	struct orphans_list *l = orphans_list_of(f);

	if (l->tenant.state != TENANT_READY)
		return flow_fail(f, ERR_NOT_FOUND,
		    "Tenant %s has no database yet, and so no documents to compare. Look at its "
		    "state.",
		    l->tenant_id);
	tenant_target(&l->tenant, &l->target, l->key);
	l->difference.unlisted = json_array();
	l->difference.unstored = json_array();
	return documents_compare(f, l->req.api->catalog, l->req.api->pools, &l->target,
	    l->tenant_id, &l->difference);
}

static enum flow_rc
orphans_list_documents(struct flow *f)
{
	struct orphans_list *l = orphans_list_of(f);
	const struct documents_difference *d = &l->difference;

	return admin_respond_json(f, 200,
	    json_pack("{s:s, s:I, s:O, s:I, s:O}", "tenant", l->tenant_id, "storedNotListedCount",
		(json_int_t)d->unlisted_count, "storedNotListed", d->unlisted,
		"listedNotStoredCount", (json_int_t)d->unstored_count, "listedNotStored",
		d->unstored));
}

static void
orphans_list_end(struct flow *f, const struct err *err)
{
	admin_end(admin_request_of(f), err);
}

static void
orphans_list_release(struct flow *f)
{
	struct orphans_list *l = orphans_list_of(f);

	tenant_orphans_free(l->orphans);
	json_decref(l->difference.unlisted);
	json_decref(l->difference.unstored);
	bytes_wipe(&l->tenant, sizeof(l->tenant));
	admin_release(f);
}

void
orphans_list_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct orphans_list), &orphans_list_kind);
}
