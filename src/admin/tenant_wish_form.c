/* SPDX-License-Identifier: MIT */
/*
 * tenant_wish_form: see the header. What PUT /tenant takes is read by the same rules here.
 */
#include "admin/tenant_wish_form.h"

#include "tenantgate/tenant/ends.h"

/* The members that an application may send too. */
static const char *const of_profile[] = { "name", "email", "plan", "region", NULL };

static bool
profile_read(struct admin_request *req, struct tenant_change *out, struct err *err)
{
	json_t *part = json_object();
	bool fine = true;

	for (size_t i = 0; of_profile[i] != NULL; i++) {
		json_t *value = json_object_get(req->json, of_profile[i]);

		if (value != NULL)
			(void)json_object_set(part, of_profile[i], value);
	}
	fine = tenant_body_read(part, req->flow.arena, out, err);
	json_decref(part);
	return fine;
}

bool
wish_form_read(struct admin_request *req, const char *const *names,
    struct tenant_change_request *out, struct err *err)
{
	struct tenant_change profile;

	if (!admin_body_has_only(req, names, err) || !profile_read(req, &profile, err))
		return false;
	*out = (struct tenant_change_request){
		.body = req->json,
		.plan = profile.text[TENANT_PLAN],
		.has_plan = profile.is_set[TENANT_PLAN],
		.region = profile.text[TENANT_REGION],
		.has_region = profile.is_set[TENANT_REGION],
		.name = profile.text[TENANT_NAME],
		.email = profile.text[TENANT_EMAIL],
	};
	return true;
}

/* "applied", "pending", or "failed: " and why, of what was wished last. */
static json_t *
neon_word(const struct tenant_wish_view *v)
{
	if (!v->is_neon)
		return json_null();
	if (v->neon_error[0] != '\0')
		return json_sprintf("failed: %s", v->neon_error);
	return json_string(v->is_pending ? "pending" : "applied");
}

static json_t *
text_or_none(const char *text)
{
	return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

json_t *
wish_form_json(const char *id, const struct tenant_wish_view *v)
{
	json_t *out = json_pack("{s:s, s:o, s:o, s:s, s:o, s:o, s:O?}", "id", id, "name",
	    text_or_none(v->name), "email", text_or_none(v->email), "state",
	    v->is_deleted ? "deleted" : v->state, "plan", text_or_none(v->plan), "region",
	    text_or_none(v->region), "settings", v->settings);

	if (out == NULL)
		return NULL;
	if (v->is_neon)
		(void)json_object_update_new(out, tenant_neon_json(v->wished));
	(void)json_object_set_new(out, "neon", neon_word(v));
	if (v->held != NULL)
		(void)json_object_set(out, "held", v->held);
	if (v->reason[0] != '\0')
		(void)json_object_set_new(out, "reason", json_string(v->reason));
	(void)json_object_set_new(out, "createdAt", json_string(v->created_at));
	return out;
}

json_t *
wish_form_planned_json(const char *id, const struct tenant_wish_view *v,
    const struct tenant_wishes *w, const struct tenant_change_request *rq)
{
	struct tenant_wish_view planned =
	    v != NULL ? *v : (struct tenant_wish_view){ .state = "provisioning", .created_at = "" };

	planned.plan = w->plan;
	planned.region = w->region;
	planned.settings = w->settings;
	planned.wished = w->wished;
	planned.held = w->held;
	if (v == NULL) {
		planned.is_neon = json_object_size(w->wished) > 0;
		planned.name = rq->name;
		planned.email = rq->email;
	}
	planned.is_pending = v == NULL || !json_equal(w->wished, v->applied) || w->held != NULL;
	planned.neon_error[0] = '\0';
	return wish_form_json(id, &planned);
}

json_t *
effective_json(const struct tenants *ts)
{
	if (tenant_is_heard(ts))
		return json_string("now");
	return json_sprintf("within %llus",
	    (unsigned long long)((tenant_unheard_us(ts) + 999999) / 1000000));
}

enum flow_rc
wish_form_respond(struct flow *f, int status, json_t *tenant)
{
	struct admin_request *req = admin_request_of(f);

	if (req->is_dry_run)
		return admin_respond_json(f, status,
		    json_pack("{s:o, s:b}", "tenant", tenant, "dryRun", 1));
	return admin_respond_json(f, status,
	    json_pack("{s:o, s:o}", "tenant", tenant, "effective",
		effective_json(req->api->tenants)));
}

enum flow_rc
wish_form_alive(struct flow *f, const struct tenant_wish_view *v)
{
	if (!v->is_deleted)
		return FLOW_NEXT;
	return flow_fail(f, ERR_DELETED,
	    "The tenant was deleted, and is not changed; make it anew first (POST "
	    "/admin/tenants/{id}/recreate).");
}
