/* SPDX-License-Identifier: MIT */
/*
 * tenant_adopt: POST /admin/tenants/{tenant}/adopt, {"projectId": ...} or {"url": ...}. The tenant
 * has that database from then on; it is connected to at the tenant's first contact. The URL is in
 * no response and no log: it has a password. ?takeOwnership=true: whosever the database says it is.
 */
#include "admin/admin_route.h"
#include "tenantgate/base/json.h"
#include "tenantgate/tenant/adoption.h"

struct tenant_adopt_request {
	struct admin_request req; /* first */
	struct tenant_adoption adoption;
};

static flow_step_fn tenant_adopt_read, tenant_adopt_respond;
static flow_end_fn tenant_adopt_end;

static const struct flow_step tenant_adopt_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "body", admin_body },
	{ "parse", admin_parse },
	{ "adopt", tenant_adopt_read },
	{ "respond", tenant_adopt_respond },
	{ NULL, NULL },
};

static const struct flow_kind tenant_adopt_kind = { "admin_tenant_adopt", tenant_adopt_steps,
	tenant_adopt_end, admin_release };

static enum flow_rc
tenant_adopt_read(struct flow *f)
{
	static const char *const names[] = { "projectId", "url", NULL };
	struct tenant_adopt_request *r =
	    FLOW_MEMBER_OF(f, struct tenant_adopt_request, req.flow, &tenant_adopt_kind);
	struct slice project = { NULL, 0 }, url = { NULL, 0 };
	struct err err = { 0 };
	bool takes = false;

	if (!admin_query_bool(&r->req, "takeOwnership", &takes, &err) ||
	    !admin_body_has_only(&r->req, names, &err) ||
	    !json_opt_string(r->req.json, "projectId", &project, &err) ||
	    !json_opt_string(r->req.json, "url", &url, &err))
		return flow_fail_err(f, &err);
	if ((project.p != NULL) == (url.p != NULL))
		return flow_fail(f, ERR_INVALID_FIELD,
		    "Give either \"projectId\", a project of Neon's, or \"url\", a Postgres URL.");
	r->adoption = (struct tenant_adoption){ .id = r->req.tenant_id,
		.project_id = project.p,
		.url = url.p,
		.is_dry_run = r->req.is_dry_run,
		.takes_ownership = takes };
	return tenant_adopt(f, r->req.api->tenants, &r->adoption);
}

static json_t *
adoption_json(const struct tenant_adoption *a)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:b}", "id", a->id, "source", a->source, "host",
	    a->host, "database", a->dbname, "again", a->was_ours);

	if (o != NULL && a->name[0] != '\0')
		json_object_set_new(o, "projectName", json_string(a->name));
	if (o != NULL && a->takes_ownership)
		json_object_set_new(o, "takenFrom", json_string(a->owner_before));
	return o;
}

/* What the adoption has said of itself before it began to write. */
static void
adoption_note(struct admin_request *req, const struct tenant_adoption *a)
{
	json_t *before = NULL;

	if (a->stage == ADOPTION_LOOKS)
		return;
	if (a->name_before[0] != '\0')
		before =
		    json_pack("{s:s, s:s}", "source", a->source, "projectName", a->name_before);
	admin_change_begin(req, a->id, before, adoption_json(a));
	if (a->stage == ADOPTION_WRITTEN)
		admin_change_done(req);
}

static enum flow_rc
tenant_adopt_respond(struct flow *f)
{
	struct tenant_adopt_request *r =
	    FLOW_MEMBER_OF(f, struct tenant_adopt_request, req.flow, &tenant_adopt_kind);
	json_t *o = adoption_json(&r->adoption);

	if (o != NULL)
		json_object_set_new(o, "effective", json_string(r->adoption.effective));
	return admin_respond_json(f, 200, o);
}

static void
tenant_adopt_end(struct flow *f, const struct err *err)
{
	struct tenant_adopt_request *r =
	    FLOW_MEMBER_OF(f, struct tenant_adopt_request, req.flow, &tenant_adopt_kind);

	adoption_note(&r->req, &r->adoption);
	admin_end(&r->req, err);
}

void
tenant_adopt_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct tenant_adopt_request), &tenant_adopt_kind);
}
