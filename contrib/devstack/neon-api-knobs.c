/* SPDX-License-Identifier: MIT */
/*
 * neon-api-knobs: what POST /_knobs sets, so that the stand-in misbehaves, and what GET /_stats
 * counts.
 *
 *	POST /_knobs {"delay_ms": 100, "delay_route": "POST /projects", "lose_next_reply": 1,
 *	    "unavailable": ["id"],
 *	    "fail_next": [{"status": 429, "times": 2, "route": "POST /projects", "retry_after": 1,
 *	    "after": false}],
 *	    "operation_ms": 400, "operation_spread_ms": 0,
 *	    "calls_per_minute": 700, "route_per_second": 40, "limit_retry_after": -1,
 *	    "projects_max": 0, "cu_max": 0, "suspend_min": 0, "change_ms": 0}
 *
 * Fields that are absent stay as they are. "fail_next" replaces all faults; "lose_next_reply"
 * counts responses of POST /projects that are cut off after the project was made. The limits (0:
 * none) are the account's, as Neon's: the plan's largest compute and shortest rest, 700 calls a
 * minute, 40 a second of a route, projects of the plan; a 429 tells limit_retry_after (-1: until a
 * call is free; 0: nothing). A change of a compute runs for change_ms.
 */
#include <stdio.h>

#include "neon-api.h"

static bool
fault_read(const json_t *o, struct neon_fault *out, struct err *err)
{
	int64_t status = 500, times = 1, retry_after = 0;
	struct slice route = { "", 0 };

	memset(out, 0, sizeof(*out));
	if (!json_opt_int(o, "status", 400, 599, &status, err) ||
	    !json_opt_int(o, "times", 0, 1000000, &times, err) ||
	    !json_opt_int(o, "retry_after", 0, 3600, &retry_after, err) ||
	    !json_opt_bool(o, "after", &out->after, err) ||
	    !json_opt_string(o, "route", &route, err))
		return false;
	out->status = (int)status;
	out->times = (unsigned)times;
	out->retry_after = (int)retry_after;
	snprintf(out->route, sizeof(out->route), "%.*s", SLICE_ARG(route));
	return true;
}

static bool
faults_read(struct neon_api *api, const json_t *list, struct err *err)
{
	size_t i;

	memset(api->faults, 0, sizeof(api->faults));
	for (i = 0; i < json_array_size(list) && i < FAULTS_MAX; i++) {
		if (!fault_read(json_array_get(list, i), &api->faults[i], err))
			return false;
	}
	return true;
}

static void
unavailable_read(struct neon_api *api, const json_t *list)
{
	size_t i;

	api->unavailable_count = 0;
	for (i = 0; i < json_array_size(list) && i < UNAVAILABLE_MAX; i++) {
		const char *id = json_string_value(json_array_get(list, i));

		snprintf(api->unavailable[api->unavailable_count++], sizeof(api->unavailable[0]),
		    "%s", id != NULL ? id : "");
	}
}

static bool
limits_read(struct neon_api *api, const json_t *o, struct err *err)
{
	int64_t minute = api->calls_per_minute, second = api->route_per_second,
		cu_max = api->cu_max, suspend_min = api->suspend_min,
		change_ms = (int64_t)(api->change_us / 1000), projects = api->projects_max,
		retry_after = api->limit_retry_after,
		operation_ms = (int64_t)(api->operation_us / 1000),
		spread_ms = (int64_t)(api->operation_spread_us / 1000);

	if (!json_opt_int(o, "calls_per_minute", 0, CALLS_MAX, &minute, err) ||
	    !json_opt_int(o, "route_per_second", 0, CALLS_MAX, &second, err) ||
	    !json_opt_int(o, "projects_max", 0, 1000000, &projects, err) ||
	    !json_opt_int(o, "limit_retry_after", -1, 3600, &retry_after, err) ||
	    !json_opt_int(o, "cu_max", 0, 1000, &cu_max, err) ||
	    !json_opt_int(o, "suspend_min", 0, 604800, &suspend_min, err) ||
	    !json_opt_int(o, "change_ms", 0, 600000, &change_ms, err) ||
	    !json_opt_int(o, "operation_ms", 0, 600000, &operation_ms, err) ||
	    !json_opt_int(o, "operation_spread_ms", 0, 600000, &spread_ms, err))
		return false;
	api->calls_per_minute = (unsigned)minute;
	api->route_per_second = (unsigned)second;
	api->projects_max = (unsigned)projects;
	api->cu_max = (unsigned)cu_max;
	api->suspend_min = (unsigned)suspend_min;
	api->change_us = (uint64_t)change_ms * 1000;
	api->limit_retry_after = (int)retry_after;
	api->operation_us = (uint64_t)operation_ms * 1000;
	api->operation_spread_us = (uint64_t)spread_ms * 1000;
	return true;
}

bool
knobs_set(struct neon_api *api, const json_t *o, struct err *err)
{
	int64_t delay_ms = (int64_t)(api->delay_us / 1000), lose = api->lose_responses;
	struct slice delay_route = slice_str(api->delay_route);
	json_t *faults = NULL, *unavailable = NULL;

	if (!limits_read(api, o, err) || !json_opt_int(o, "delay_ms", 0, 600000, &delay_ms, err) ||
	    !json_opt_string(o, "delay_route", &delay_route, err) ||
	    !json_opt_int(o, "lose_next_reply", 0, 1000000, &lose, err) ||
	    !json_opt_array(o, "fail_next", &faults, err) ||
	    !json_opt_array(o, "unavailable", &unavailable, err))
		return false;
	api->delay_us = (uint64_t)delay_ms * 1000;
	if (delay_route.p != api->delay_route)
		snprintf(api->delay_route, sizeof(api->delay_route), "%.*s",
		    SLICE_ARG(delay_route));
	api->lose_responses = (unsigned)lose;
	if (unavailable != NULL)
		unavailable_read(api, unavailable);
	return faults == NULL || faults_read(api, faults, err);
}

struct neon_fault
knobs_take_fault(struct neon_api *api, const char *route)
{
	size_t i;

	for (i = 0; i < FAULTS_MAX; i++) {
		struct neon_fault *t = &api->faults[i];

		if (t->times > 0 && (t->route[0] == '\0' || strcmp(t->route, route) == 0)) {
			t->times--;
			return *t;
		}
	}
	return (struct neon_fault){ 0 };
}

void
stats_count(struct neon_api *api, const char *route)
{
	size_t i;

	for (i = 0; i < STATS_MAX; i++) {
		struct neon_stat *s = &api->stats[i];

		if (s->count == 0)
			snprintf(s->route, sizeof(s->route), "%s", route);
		if (strcmp(s->route, route) == 0) {
			s->count++;
			return;
		}
	}
}

void
stats_put(const struct neon_api *api, struct buf *out)
{
	size_t i;

	buf_printf(out,
	    "{\"parallel_peak\":%u,\"building_peak\":%u,\"projects_made\":%u,\"limited\":%u,"
	    "\"requests\":{",
	    api->parallel_peak, api->building_peak, api->made, api->limited);
	for (i = 0; i < STATS_MAX && api->stats[i].count > 0; i++)
		buf_printf(out, "%s\"%s\":%u", i > 0 ? "," : "", api->stats[i].route,
		    api->stats[i].count);
	buf_puts(out, "}}");
}
