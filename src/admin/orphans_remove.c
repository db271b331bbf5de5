/* SPDX-License-Identifier: MIT */
/*
 * orphans_remove: POST /admin/reconcile, {"remove": ["project/<id>", ...]}: those are deleted at
 * Neon that are named, and are orphans by an inventory made now, and still are at the moment of
 * their deletion. An inventory that is not whole removes nothing.
 *
 *	[find] --> [next] --> [removed] --+
 *	              ^                   |
 *	              +-------------------+ --> the last: the response
 *
 * A tenant without project is no matter of this: DELETE /admin/tenants/{id} ends it, with its
 * receipt.
 */
#include "admin/admin_route.h"
#include "admin/orphan_json.h"
#include "tenantgate/base/json.h"

#define REMOVE_MAX 200 /* names of a request */

struct orphans_remove {
	struct admin_request req;	/* first */
	struct tenant_orphans *orphans; /* owned */
	json_t *names;			/* borrowed: of the body */
	size_t at;
	unsigned project;
	bool is_gone;
	json_t *removed, *kept; /* owned */
};

static flow_step_fn orphans_remove_find, orphans_remove_next, orphans_removed;
static flow_end_fn orphans_remove_end;
static flow_release_fn orphans_remove_release;

static const struct flow_step orphans_remove_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "body", admin_body },
	{ "parse", admin_parse },
	{ "find", orphans_remove_find },
	{ "next", orphans_remove_next },
	{ "removed", orphans_removed },
	{ NULL, NULL },
};

static const struct flow_kind orphans_remove_kind = { "admin_reconcile_remove",
	orphans_remove_steps, orphans_remove_end, orphans_remove_release };

static struct orphans_remove *
orphans_remove_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct orphans_remove, req.flow, &orphans_remove_kind);
}

static bool
names_are_valid(const json_t *names)
{
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));

		if (name == NULL ||
		    (strncmp(name, ORPHAN_PROJECT, strlen(ORPHAN_PROJECT)) != 0 &&
			strncmp(name, ORPHAN_TENANT, strlen(ORPHAN_TENANT)) != 0))
			return false;
	}
	return json_array_size(names) > 0 && json_array_size(names) <= REMOVE_MAX;
}

static enum flow_rc
orphans_remove_find(struct flow *f)
{
	static const char *const members[] = { "remove", NULL };
	struct orphans_remove *r = orphans_remove_of(f);
	struct err err = { 0 };

	if (!admin_body_has_only(&r->req, members, &err) ||
	    !json_opt_array(r->req.json, "remove", &r->names, &err))
		return flow_fail_err(f, &err);
	if (!names_are_valid(r->names))
		return flow_fail(f, ERR_INVALID_FIELD,
		    "Field \"remove\" must be a list of 1 to %d orphans, as GET /admin/reconcile "
		    "names them: \"project/ID\".",
		    REMOVE_MAX);
	r->removed = json_array();
	r->kept = json_array();
	r->orphans = tenant_orphans_new(r->req.api->tenants);
	return tenant_orphans_find(f, r->orphans);
}

static const char *
name_at(const struct orphans_remove *r)
{
	return json_string_value(json_array_get(r->names, r->at));
}

static void
orphan_kept(struct orphans_remove *r, const char *why)
{
	json_array_append_new(r->kept,
	    json_pack("{s:s, s:s}", "orphan", name_at(r), "reason", why));
}

static void
orphan_note(struct orphans_remove *r)
{
	struct orphan p = tenant_orphan_project(r->orphans, r->project);

	admin_change_begin(&r->req, NULL,
	    json_pack("{s:s, s:s, s:s}", "project", p.project_id, "name", p.name, "tenant",
		p.tenant),
	    NULL);
}

static enum flow_rc
orphans_remove_next(struct flow *f)
{
	struct orphans_remove *r = orphans_remove_of(f);
	const char *name = name_at(r);

	if (name == NULL) {
		if (!admin_change_is_noted(&r->req))
			admin_change_nothing(&r->req);
		return admin_respond_json(f, 200,
		    json_pack("{s:O, s:O}", "removed", r->removed, "kept", r->kept));
	}
	flow_goto(f, orphans_removed);
	r->is_gone = false;
	if (strncmp(name, ORPHAN_TENANT, strlen(ORPHAN_TENANT)) == 0) {
		orphan_kept(r, "End the tenant with DELETE /admin/tenants/{id}.");
	} else if (!orphan_project_find(r->orphans, name, &r->project)) {
		orphan_kept(r, "It is no orphan now.");
	} else if (r->req.is_dry_run) {
		r->is_gone = true;
	} else {
		orphan_note(r);
		return tenant_orphan_remove(f, r->orphans, r->project, &r->is_gone);
	}
	return FLOW_NEXT;
}

static enum flow_rc
orphans_removed(struct flow *f)
{
	struct orphans_remove *r = orphans_remove_of(f);

	if (r->is_gone) {
		admin_change_done(&r->req);
		json_array_append_new(r->removed, json_string(name_at(r)));
	} else if (json_array_size(r->kept) + json_array_size(r->removed) == r->at) {
		admin_change_nothing(&r->req);
		orphan_kept(r, "It has a tenant by now.");
	}
	r->at++;
	return flow_goto(f, orphans_remove_next);
}

static void
orphans_remove_end(struct flow *f, const struct err *err)
{
	admin_end(admin_request_of(f), err);
}

static void
orphans_remove_release(struct flow *f)
{
	struct orphans_remove *r = orphans_remove_of(f);

	tenant_orphans_free(r->orphans);
	json_decref(r->removed);
	json_decref(r->kept);
	admin_release(f);
}

void
orphans_remove_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct orphans_remove), &orphans_remove_kind);
}
