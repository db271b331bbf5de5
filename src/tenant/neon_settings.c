/* SPDX-License-Identifier: MIT */
/*
 * neon_settings: the table of what Neon has, by our names and by Neon's.
 */
#include "tenant/neon_settings.h"

#include <string.h>

#include "tenantgate/base/json.h"

#define CU_STEP	     0.25
#define CU_MAX	     56.0 /* more than any plan has; Neon refuses what it does not have */
#define CU_APART_MAX 8.0
#define SUSPEND_MIN  60
#define SUSPEND_MAX  604800
#define QUOTA_MAX    ((json_int_t)1 << 53) /* what every reader of JSON keeps exactly */

enum neon_number { NUMBER_UNITS, NUMBER_SUSPEND, NUMBER_QUOTA };

static const struct neon_setting {
	const char *group, *name; /* in a body of ours */
	const char *neon;	  /* in one of Neon's */
	enum neon_number number;
	enum neon_part part;
} neon_settings[] = {
	{ "compute", "minCu", "autoscaling_limit_min_cu", NUMBER_UNITS, NEON_ENDPOINT },
	{ "compute", "maxCu", "autoscaling_limit_max_cu", NUMBER_UNITS, NEON_ENDPOINT },
	{ "compute", "suspendTimeout", "suspend_timeout_seconds", NUMBER_SUSPEND, NEON_ENDPOINT },
	{ "quotas", "activeTimeSeconds", "active_time_seconds", NUMBER_QUOTA, NEON_PROJECT },
	{ "quotas", "computeTimeSeconds", "compute_time_seconds", NUMBER_QUOTA, NEON_PROJECT },
	{ "quotas", "writtenDataBytes", "written_data_bytes", NUMBER_QUOTA, NEON_PROJECT },
	{ "quotas", "dataTransferBytes", "data_transfer_bytes", NUMBER_QUOTA, NEON_PROJECT },
	{ "quotas", "logicalSizeBytes", "logical_size_bytes", NUMBER_QUOTA, NEON_PROJECT },
};

#define NEON_SETTING_COUNT (sizeof(neon_settings) / sizeof(neon_settings[0]))

/* ---- a body of ours ---- */

static bool
is_units(const json_t *value)
{
	double n = json_number_value(value);

	return json_is_number(value) && n >= CU_STEP && n <= CU_MAX &&
	    n / CU_STEP == (double)(int)(n / CU_STEP);
}

/* Seconds; -1: never, 0: Neon's default. */
static bool
is_suspend(const json_t *value)
{
	json_int_t n = json_integer_value(value);

	return json_is_integer(value) &&
	    (n == -1 || n == 0 || (n >= SUSPEND_MIN && n <= SUSPEND_MAX));
}

static bool
is_quota(const json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) >= 0 &&
	    json_integer_value(value) <= QUOTA_MAX;
}

static bool
setting_is_good(const struct neon_setting *s, const json_t *value, struct err *err)
{
	if (s->number == NUMBER_UNITS && !is_units(value))
		err_set(err, ERR_INVALID_FIELD,
		    "Field \"compute.%s\" must be a number of compute units from 0.25 to %g, in "
		    "quarters.",
		    s->name, CU_MAX);
	else if (s->number == NUMBER_SUSPEND && !is_suspend(value))
		err_set(err, ERR_INVALID_FIELD,
		    "Field \"compute.%s\" must be %d to %d seconds, -1 for never, or 0 or null for "
		    "Neon's default.",
		    s->name, SUSPEND_MIN, SUSPEND_MAX);
	else if (s->number == NUMBER_QUOTA && !is_quota(value))
		err_set(err, ERR_INVALID_FIELD,
		    "Field \"quotas.%s\" must be a whole number of at least 0; 0 or null is no "
		    "quota.",
		    s->name);
	return !err_is(err);
}

/* Units are kept with a point, whatever form they came in, so that the same are equal. */
static bool
setting_set(json_t *wished, const struct neon_setting *s, const json_t *value)
{
	json_t *number = s->number == NUMBER_UNITS ? json_real(json_number_value(value))
						   : json_integer(json_integer_value(value));

	return json_object_set_new(wished, s->name, number) == 0;
}

static bool
setting_take_away(json_t *wished, const struct neon_setting *s, bool is_made, struct err *err)
{
	if (json_object_get(wished, s->name) == NULL)
		return true;
	if (!is_made)
		return json_object_del(wished, s->name) == 0;
	if (s->number != NUMBER_UNITS)
		return json_object_set_new(wished, s->name, json_integer(0)) == 0;
	err_set(err, ERR_INVALID_FIELD,
	    "Field \"compute.%s\" cannot be taken away from a database that is made; send the "
	    "number "
	    "of units that it is to have.",
	    s->name);
	return false;
}

static const struct neon_setting *
setting_find(const char *group, const char *name)
{
	for (size_t i = 0; i < NEON_SETTING_COUNT; i++)
		if (strcmp(neon_settings[i].group, group) == 0 &&
		    strcmp(neon_settings[i].name, name) == 0)
			return &neon_settings[i];
	return NULL;
}

static bool
merge_member(json_t *wished, const char *group, const char *name, const json_t *value, bool is_made,
    struct err *err)
{
	const struct neon_setting *s = setting_find(group, name);
	bool fine;

	if (s == NULL) {
		err_set(err, ERR_INVALID_FIELD,
		    "There is no field \"%s.%.40s\"; look at the README's table of a tenant's "
		    "settings.",
		    group, name);
		return false;
	}
	if (json_is_null(value))
		fine = setting_take_away(wished, s, is_made, err);
	else
		fine = setting_is_good(s, value, err) && setting_set(wished, s, value);
	if (!fine && !err_is(err))
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the tenant's settings");
	return fine;
}

static bool
merge_group(json_t *wished, const json_t *body, const char *group, bool is_made, struct err *err)
{
	json_t *members = NULL, *value;
	const char *name;

	if (!json_opt_object(body, group, &members, err))
		return false;
	json_object_foreach(members, name, value)
		if (!merge_member(wished, group, name, value, is_made, err))
			return false;
	return true;
}

/* Neon's rule for the two together; where one is not wished Neon looks at it itself. */
static bool
units_fit(const json_t *wished, struct err *err)
{
	const json_t *low = json_object_get(wished, "minCu"),
		     *high = json_object_get(wished, "maxCu");
	double apart = json_number_value(high) - json_number_value(low);

	if (low == NULL || high == NULL || (apart >= 0 && apart <= CU_APART_MAX))
		return true;
	err_set(err, ERR_INVALID_FIELD,
	    "Field \"compute.maxCu\" must be at least minCu, and at most %g units more; correct "
	    "one "
	    "of the two.",
	    CU_APART_MAX);
	return false;
}

bool
neon_settings_merge(json_t *wished, const json_t *body, bool is_made, struct err *err)
{
	return merge_group(wished, body, "compute", is_made, err) &&
	    merge_group(wished, body, "quotas", is_made, err) && units_fit(wished, err);
}

json_t *
neon_settings_json(const json_t *wished)
{
	json_t *out = json_pack("{s:{}, s:{}}", "compute", "quotas");

	for (size_t i = 0; out != NULL && i < NEON_SETTING_COUNT; i++) {
		const struct neon_setting *s = &neon_settings[i];
		json_t *value = json_object_get(wished, s->name);

		(void)json_object_set_new(json_object_get(out, s->group), s->name,
		    value != NULL ? json_incref(value) : json_null());
	}
	return out;
}

/* ---- what Neon has, and is asked for ---- */

static bool
is_same(const json_t *a, const json_t *b)
{
	return (a == NULL) == (b == NULL) && json_number_value(a) == json_number_value(b);
}

bool
neon_settings_differ(const json_t *wished, const json_t *applied, enum neon_part part)
{
	for (size_t i = 0; i < NEON_SETTING_COUNT; i++) {
		const char *name = neon_settings[i].name;

		if (neon_settings[i].part == part &&
		    !is_same(json_object_get(wished, name), json_object_get(applied, name)))
			return true;
	}
	return false;
}

void
neon_settings_copy(json_t *applied, const json_t *wished, enum neon_part part)
{
	for (size_t i = 0; i < NEON_SETTING_COUNT; i++) {
		const char *name = neon_settings[i].name;
		json_t *value = json_object_get(wished, name);

		if (neon_settings[i].part != part)
			continue;
		(void)json_object_del(applied, name);
		if (value != NULL)
			(void)json_object_set(applied, name, value);
	}
}

void
neon_settings_go_back(json_t *before, const json_t *applied)
{
	for (size_t i = 0; i < NEON_SETTING_COUNT; i++) {
		const struct neon_setting *s = &neon_settings[i];
		json_t *value = json_object_get(applied, s->name);

		if (value == NULL || json_object_get(before, s->name) != NULL)
			continue;
		if (s->number == NUMBER_UNITS)
			(void)json_object_set(before, s->name, value);
		else
			(void)json_object_set_new(before, s->name, json_integer(0));
	}
}

/* {"autoscaling_limit_min_cu":0.25}. False, and nothing is put, when nothing is wished. */
static bool
settings_put(struct buf *b, const char *before, const json_t *wished, enum neon_part part)
{
	const char *separator = before;

	for (size_t i = 0; i < NEON_SETTING_COUNT; i++) {
		const struct neon_setting *s = &neon_settings[i];
		const json_t *value = json_object_get(wished, s->name);

		if (s->part != part || value == NULL)
			continue;
		buf_printf(b, "%s\"%s\":%.*g", separator, s->neon, 17, json_number_value(value));
		separator = ",";
	}
	return separator != before;
}

void
neon_settings_put_patch(struct buf *b, const json_t *wished, enum neon_part part)
{
	bool is_project = part == NEON_PROJECT;
	const char *before =
	    is_project ? "{\"project\":{\"settings\":{\"quota\":{" : "{\"endpoint\":{";

	if (!settings_put(b, before, wished, part))
		buf_puts(b, before);
	buf_puts(b, is_project ? "}}}}" : "}}");
}

void
neon_settings_put_creation(struct buf *b, const json_t *wished)
{
	if (settings_put(b, ",\"default_endpoint_settings\":{", wished, NEON_ENDPOINT))
		buf_putc(b, '}');
	if (settings_put(b, ",\"settings\":{\"quota\":{", wished, NEON_PROJECT))
		buf_puts(b, "}}");
}
