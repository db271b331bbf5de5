/* SPDX-License-Identifier: MIT */
/*
 * neon-api-settings: what a project and its endpoint may be given: quotas, a name, the compute's
 * size and rest, whether it is disabled. Validated as Neon's API says it does; what is above the
 * plan's (the knobs cu_max and suspend_min) is 422. A change of the compute runs for change_ms, and
 * locks the project (423) meanwhile.
 */
#include <stdio.h>

#include "neon-api.h"

#define CU_APART_MAX  8.0
#define SUSPEND_MAX   604800
#define HISTORY_MAX   2592000
#define SETTINGS_SIZE 512

static bool
is_settings_refused(struct err *err, const char *why)
{
	err_set(err, ERR_NEON_REFUSED, "%s", why);
	return false;
}

/* A quarter of a unit is the smallest compute, and the step. */
static bool
compute_is_good(const struct neon_api *api, double low, double high, struct err *err)
{
	if (low > 0 && high > 0 && (high < low || high - low > CU_APART_MAX))
		return is_settings_refused(err,
		    "autoscaling_limit_max_cu must be at least autoscaling_limit_min_cu, and at "
		    "most 8 "
		    "more");
	if (api->cu_max > 0 && (low > api->cu_max || high > api->cu_max))
		return is_settings_refused(err,
		    "the requested compute size exceeds the limit of your plan");
	return true;
}

/* -1: never; 0: the default. */
static bool
suspend_is_good(const struct neon_api *api, int64_t seconds, struct err *err)
{
	if (seconds > 0 && seconds < 60)
		return is_settings_refused(err, "suspend_timeout_seconds must be at least 60");
	if (api->suspend_min > 0 && seconds != 0 && seconds < (int64_t)api->suspend_min)
		return is_settings_refused(err,
		    "the requested suspend timeout is not available on your plan");
	return true;
}

/* Copies what is there of an object's members. */
static void
copy_members(json_t *to, const json_t *from, const char *const *names)
{
	for (; *names != NULL; names++) {
		json_t *value = json_object_get(from, *names);

		if (value != NULL && !json_is_null(value))
			(void)json_object_set(to, *names, value);
	}
}

/* Into a text of the flow's; "{}" for none. */
static const char *
json_text_of(struct neon_request *r, json_t *object)
{
	struct buf b;
	const char *text = NULL;

	buf_init(&b, SETTINGS_SIZE);
	if (json_put(&b, object))
		text = arena_slice(r->flow.arena, buf_view(&b));
	buf_free(&b);
	json_decref(object);
	return text != NULL ? text : "{}";
}

const char *
endpoint_settings_read(struct neon_request *r, const json_t *o, struct err *err)
{
	static const char *const names[] = { "autoscaling_limit_min_cu", "autoscaling_limit_max_cu",
		"suspend_timeout_seconds", NULL };
	double low = 0, high = 0;
	int64_t suspend = 0;
	json_t *settings = json_object();

	if (o != NULL &&
	    (!json_opt_number(o, names[0], 0.25, 1000, &low, err) ||
		!json_opt_number(o, names[1], 0.25, 1000, &high, err) ||
		!json_opt_int(o, names[2], -1, SUSPEND_MAX, &suspend, err) ||
		!compute_is_good(r->api, low, high, err) ||
		!suspend_is_good(r->api, suspend, err))) {
		json_decref(settings);
		return NULL;
	}
	copy_members(settings, o, names);
	return json_text_of(r, settings);
}

const char *
quota_read(struct neon_request *r, const json_t *o, struct err *err)
{
	static const char *const names[] = { "active_time_seconds", "compute_time_seconds",
		"written_data_bytes", "data_transfer_bytes", "logical_size_bytes", NULL };
	json_t *settings = NULL, *quota = NULL, *all;
	int64_t ignored = 0;

	if (o != NULL &&
	    (!json_opt_object(o, "settings", &settings, err) ||
		(settings != NULL && !json_opt_object(settings, "quota", &quota, err))))
		return NULL;
	for (size_t i = 0; quota != NULL && names[i] != NULL; i++)
		if (!json_opt_int(quota, names[i], 0, INT64_MAX, &ignored, err))
			return NULL;
	all = json_object();
	copy_members(all, quota, names);
	return json_text_of(r, all);
}

/* The {e} of the path. */
static const char *
endpoint_of_path(struct neon_request *r)
{
	struct slice path = http_path(r->x);
	size_t at = path.len;

	while (at > 0 && path.p[at - 1] != '/')
		at--;
	return arena_slice(r->flow.arena, slice_of(path.p + at, path.len - at));
}

static const char *
change_ms(struct neon_request *r)
{
	snprintf(r->texts[7], sizeof(r->texts[7]), "%u", (unsigned)(r->api->change_us / 1000));
	return r->texts[7];
}

bool
prepare_endpoint_change(struct neon_request *r, struct err *err)
{
	json_t *endpoint = NULL;
	const char *settings, *is_disabled = NULL;
	bool disabled = false;

	if (!json_opt_object(r->json, "endpoint", &endpoint, err) || endpoint == NULL ||
	    !json_opt_bool(endpoint, "disabled", &disabled, err)) {
		err_set(err, ERR_BAD_REQUEST, "The field endpoint is required.");
		return false;
	}
	settings = endpoint_settings_read(r, endpoint, err);
	if (settings == NULL)
		return false;
	if (json_is_boolean(json_object_get(endpoint, "disabled")))
		is_disabled = disabled ? "t" : "f";
	r->query = (struct pg_query){
		.sql =
		    "SELECT text FROM neon_standin.endpoint_change($1, $2, $3::jsonb, $4::boolean, "
		    "$5::int) AS text WHERE text IS NOT NULL",
		.params = { PG_TEXT(r->id), PG_TEXT(endpoint_of_path(r)), PG_TEXT(settings),
		    PG_TEXT(is_disabled), PG_TEXT(change_ms(r)) },
		.param_count = 5,
	};
	return true;
}

/* Its name and quotas; how long its history is kept is looked at, and passed over. */
bool
prepare_project_change(struct neon_request *r, struct err *err)
{
	json_t *project = NULL;
	struct slice name = { NULL, 0 };
	const char *quota;
	int64_t history = 0;

	if (!json_opt_object(r->json, "project", &project, err) || project == NULL) {
		err_set(err, ERR_BAD_REQUEST, "The field project is required.");
		return false;
	}
	if (!json_opt_string(project, "name", &name, err) ||
	    !json_opt_int(project, "history_retention_seconds", 0, HISTORY_MAX, &history, err))
		return false;
	if (name.len > 256) {
		err_set(err, ERR_BAD_REQUEST, "The name is longer than 256 bytes.");
		return false;
	}
	quota = quota_read(r, project, err);
	if (quota == NULL)
		return false;
	r->query = (struct pg_query){
		.sql = "SELECT text FROM neon_standin.project_change($1, $2, $3::jsonb) AS text "
		       "WHERE text IS NOT NULL",
		.params = { PG_TEXT(r->id), PG_TEXT(name.p), PG_TEXT(quota) },
		.param_count = 3,
	};
	return true;
}
