/* SPDX-License-Identifier: MIT */
/*
 * tenant_wishes: what a tenant's row becomes by a request of its operator: computed and checked
 * before anything is written. Pure but for the configuration.
 */
#include <stdio.h>
#include <string.h>

#include "tenant/neon_settings.h"
#include "tenant/tenant_internal.h"
#include "tenantgate/base/json.h"
#include "tenantgate/tenant/wishes.h"

static bool
wish_no_memory(struct err *err)
{
	if (!err_is(err))
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the tenant's settings");
	return false;
}

/* ---- the plan, and the tenant's own settings over it ---- */

static bool
wish_plan(const struct tenants *ts, const char *now, const struct tenant_change_request *rq,
    struct tenant_wishes *out, struct err *err)
{
	const char *plan = !rq->has_plan ? now : rq->plan != NULL ? rq->plan : "";

	snprintf(out->plan, sizeof(out->plan), "%s", plan);
	if (!rq->has_plan || plan[0] == '\0' || tenant_plan_is_known(ts, plan))
		return true;
	err_set(err, ERR_INVALID_FIELD,
	    "There is no plan of the name in field \"plan\"; send one that is configured, or "
	    "null.");
	return false;
}

static bool
settings_merge(json_t *settings, const json_t *changes)
{
	json_t *value;
	const char *name;

	json_object_foreach((json_t *)changes, name, value) {
		if (json_is_null(value))
			(void)json_object_del(settings, name);
		else if (json_object_set(settings, name, value) != 0)
			return false;
	}
	return true;
}

/* All together, for some are right or wrong only with others. */
static bool
wish_settings(const struct tenants *ts, const struct tenant_change_request *rq,
    struct tenant_wishes *out, struct err *err)
{
	const struct plan *plan = plan_of_name(&ts->conf->plans, out->plan, "");
	json_t *changes = NULL;
	struct buf b;

	if (!json_opt_object(rq->body, "settings", &changes, err))
		return false;
	if (changes == NULL)
		return true;
	if (!settings_merge(out->settings, changes))
		return wish_no_memory(err);
	if (!plan_settings_check(plan, out->settings, err))
		return false;
	buf_init(&b, PLAN_SETTINGS_MAX);
	if (!json_put(&b, out->settings))
		err_set(err, ERR_INVALID_FIELD,
		    "Field \"settings\" is longer than %d bytes in all; shorten its texts.",
		    PLAN_SETTINGS_MAX);
	buf_free(&b);
	return !err_is(err);
}

/* ---- the region, and what is Neon's ---- */

static bool
wish_region(const struct tenants *ts, const struct tenant_wish_view *v,
    const struct tenant_change_request *rq, struct tenant_wishes *out, struct err *err)
{
	const char *configured = ts->conf->provider == PROVIDER_NEON ? ts->conf->neon_region : NULL;
	const char *now = v != NULL ? v->region : configured;
	const char *asked = rq->region != NULL ? rq->region : configured;
	const char *region = rq->has_region ? asked : now;

	now = now != NULL ? now : "";
	snprintf(out->region, sizeof(out->region), "%s", region != NULL ? region : "");
	if (v == NULL || strcmp(out->region, now) == 0 || !v->is_begun)
		return true;
	err_set(err, ERR_CONFLICT,
	    "The tenant's database is in region %.64s, or is being made there, and stays. Leave "
	    "the "
	    "region out; nothing was changed.",
	    now);
	return false;
}

static bool
wish_of_neon(const struct tenants *ts, const struct tenant_wish_view *v,
    const struct tenant_change_request *rq, struct tenant_wishes *out, struct err *err)
{
	bool is_neon = v != NULL ? v->is_neon : ts->conf->provider == PROVIDER_NEON;

	if (!is_neon &&
	    (json_object_get(rq->body, "compute") != NULL ||
		json_object_get(rq->body, "quotas") != NULL)) {
		err_set(err, ERR_INVALID_FIELD,
		    "Fields \"compute\" and \"quotas\" are Neon's, and this tenant's database is "
		    "elsewhere; leave them out.");
		return false;
	}
	return neon_settings_merge(out->wished, rq->body, v != NULL && v->is_made, err);
}

/* ---- all of it ---- */

/* What is held counts as the tenant's: a change that comes while Neon is asked for another adds to
 * both. */
static bool
wish_begin(const struct tenant_wish_view *v, struct tenant_wishes *out)
{
	const json_t *held = v != NULL ? json_object_get(v->held, "settings") : NULL;

	if (held == NULL && v != NULL)
		held = v->settings;
	out->settings = held != NULL ? json_deep_copy(held) : json_object();
	out->wished = v != NULL && v->wished != NULL ? json_deep_copy(v->wished) : json_object();
	return out->settings != NULL && out->wished != NULL;
}

static const char *
plan_now(const struct tenant_wish_view *v)
{
	const char *held = v != NULL ? json_string_value(json_object_get(v->held, "plan")) : NULL;

	if (held != NULL)
		return held;
	return v != NULL ? v->plan : "";
}

static bool
asks_neon(const json_t *wished, const json_t *other)
{
	return neon_settings_differ(wished, other, NEON_PROJECT) ||
	    neon_settings_differ(wished, other, NEON_ENDPOINT);
}

/* The tenant is to be other than it is, or will be when Neon has what is pending. */
static bool
wish_is_change(const struct tenant_wish_view *v, const struct tenant_wishes *out)
{
	const json_t *settings =
	    v->held != NULL ? json_object_get(v->held, "settings") : v->settings;

	return strcmp(out->plan, plan_now(v)) != 0 || asks_neon(out->wished, v->wished) ||
	    strcmp(out->region, v->region != NULL ? v->region : "") != 0 ||
	    !json_equal(out->settings, settings);
}

/* The row's own values: as they are when the change waits for Neon, else changed. */
static bool
wish_row(const struct tenant_wish_view *v, const struct tenant_change_request *rq, bool waits,
    struct tenant_wishes *out)
{
	if (waits || !rq->has_plan)
		snprintf(out->plan, sizeof(out->plan), "%s", v->plan);
	json_decref(out->settings);
	out->settings = json_deep_copy(v->settings);
	return out->settings != NULL &&
	    (waits || settings_merge(out->settings, json_object_get(rq->body, "settings")));
}

/* Where Neon is to be asked for a database that is made, plan and settings wait for Neon: they are
 * held, and the row keeps its own. What nobody waits for holds at once; what is held already is
 * changed with it, or it would turn that back. */
static bool
wish_hold(const struct tenant_wish_view *v, const struct tenant_change_request *rq,
    struct tenant_wishes *out)
{
	bool waits = v->is_made && v->is_neon && asks_neon(out->wished, v->wished);

	out->is_change = wish_is_change(v, out);
	if (v->held == NULL &&
	    (!waits || (strcmp(out->plan, v->plan) == 0 && json_equal(out->settings, v->settings))))
		return true;
	out->held = json_pack("{s:s, s:O}", "plan", out->plan, "settings", out->settings);
	return out->held != NULL && wish_row(v, rq, waits, out);
}

bool
tenant_wishes_make(const struct tenants *ts, const struct tenant_wish_view *v,
    const struct tenant_change_request *rq, struct tenant_wishes *out, struct err *err)
{
	*out = (struct tenant_wishes){ .is_change = true };
	if (!wish_begin(v, out))
		return wish_no_memory(err);
	if (!wish_plan(ts, plan_now(v), rq, out, err) || !wish_settings(ts, rq, out, err) ||
	    !wish_region(ts, v, rq, out, err) || !wish_of_neon(ts, v, rq, out, err))
		return false;
	return v == NULL || wish_hold(v, rq, out) || wish_no_memory(err);
}

void
tenant_wishes_free(struct tenant_wishes *w)
{
	json_decref(w->settings);
	json_decref(w->wished);
	json_decref(w->held);
	w->settings = w->wished = w->held = NULL;
}

static bool
is_said_otherwise(const char *asked, const char *now)
{
	return asked != NULL && (now == NULL || strcmp(asked, now) != 0);
}

bool
tenant_is_as_wished(const struct tenant_wish_view *v, const struct tenant_wishes *w,
    const struct tenant_change_request *rq, const char **differs)
{
	*differs = NULL;
	if (is_said_otherwise(rq->name, v->name))
		*differs = "name";
	else if (is_said_otherwise(rq->email, v->email))
		*differs = "email";
	else if (w->is_change)
		*differs = "plan, settings, compute or quotas";
	return *differs == NULL;
}

json_t *
tenant_neon_json(const json_t *wished)
{
	return neon_settings_json(wished);
}
