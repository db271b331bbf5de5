/* SPDX-License-Identifier: MIT */
/*
 * limits_view: see the header.
 */
#include "admin/limits_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tenantgate/base/json.h"

#define MINUTE_US (60 * 1000000ull)

/* The order of request_rate(): its own setting, its row's column, its plan's. */
static bool
rate_is_of_column(const struct tenant_limits *l)
{
	return l->requests_per_minute > 0 &&
	    plan_value_origin(l->plan, PLAN_REQUESTS_PER_MINUTE) != PLAN_OF_TENANT;
}

enum flow_rc
limits_view_read(struct flow *f, struct limits_view *v, const struct pg_result *row)
{
	const struct api_context *api = admin_request_of(f)->api;
	const struct tenants_conf name = { .environment = api->environment };
	const char *id = tenant_row_id(row, 0);
	const bool is_cluster = redis_is_cluster(api->redis);
	char pool[TENANT_KEY_SIZE];
	struct limit_rule rule = { .period_us = MINUTE_US };
	struct quota_request ask = { 0 };

	tenant_limits_read(api->tenants, row, &v->limits);
	(void)snprintf(pool, sizeof(pool), "tenant:%.*s", TENANT_ID_MAX, id);
	(void)pool_view_of(api->pools, slice_str(pool), &v->pool);
	for (unsigned i = 0; i < TENANT_LIMIT_KEYS; i++)
		(void)api_tenant_redis_key(&name, id, i, is_cluster, v->keys[i]);
	rule.key = slice_str(v->keys[0]);
	rule.count = rate_is_of_column(&v->limits) ? v->limits.requests_per_minute
						   : v->limits.plan->requests_per_minute;
	rule.burst = v->limits.plan->burst;
	ask.quota.tokens_per_minute = v->limits.plan->tokens_per_minute;
	ask.state_key = slice_str(v->keys[1]);
	ask.leases_key = slice_str(v->keys[2]);
	return quota_look(f, api->limiter, &rule, &ask, &v->rate, &v->quota);
}

static void
put_limit_origin(struct buf *b, const struct limits_view *v, enum plan_value i)
{
	char section[PLAN_NAME_MAX + sizeof("plan ")];
	const char *word = "default";

	if (i == PLAN_REQUESTS_PER_MINUTE && rate_is_of_column(&v->limits))
		word = "row";
	else if (plan_value_origin(v->limits.plan, i) == PLAN_OF_TENANT)
		word = "row";
	else if (plan_value_origin(v->limits.plan, i) == PLAN_OF_SECTION) {
		(void)snprintf(section, sizeof(section), "plan %s", v->limits.plan->name);
		word = section;
	}
	json_put_string(b, slice_str(word));
}

/* False where there is no such quota: nothing is counted for it. */
static bool
quota_used(const struct limits_view *v, enum plan_value i, uint64_t *used)
{
	const struct plan *plan = v->limits.plan;

	if (!v->quota.is_known)
		return false;
	switch (i) {
	case PLAN_TOKENS_PER_MINUTE:
		*used = v->quota.minute;
		return plan->tokens_per_minute > 0;
	case PLAN_TOKENS_PER_MONTH:
		*used = v->quota.month;
		return plan->tokens_per_month > 0 && v->quota.month_is_known;
	case PLAN_MAX_CONCURRENT_STREAMS:
		*used = v->quota.streams;
		return plan->concurrent_streams > 0;
	default:
		return false;
	}
}

/* Connections are this process's alone, and so is a rate or a quota that no Redis counts. */
static void
put_used(struct buf *b, const struct limits_view *v, enum plan_value i)
{
	const char *source = NULL;
	uint64_t used = 0;

	if (i == PLAN_MAX_DOCUMENTS || i == PLAN_MAX_BYTES) {
		used = i == PLAN_MAX_DOCUMENTS ? v->limits.documents : v->limits.bytes;
		source = "catalog";
	} else if (i == PLAN_REQUESTS_PER_MINUTE && v->rate.is_known) {
		used = v->rate.used;
		source = v->rate.source;
	} else if (i == PLAN_POOL_SIZE) {
		used = v->pool.server_active + v->pool.server_idle + v->pool.server_login;
		source = "local";
	} else if (quota_used(v, i, &used)) {
		source = v->quota.source;
	}
	if (source == NULL)
		buf_puts(b, ",\"used\":null,\"usedSource\":null}");
	else
		buf_printf(b, ",\"used\":%" PRIu64 ",\"usedSource\":\"%s\"}", used, source);
}

static void
put_limit(struct buf *b, const struct limits_view *v, enum plan_value i)
{
	buf_printf(b, "{\"name\":\"%s\",\"value\":", plan_value_name(i));
	if (i == PLAN_REQUESTS_PER_MINUTE && rate_is_of_column(&v->limits))
		buf_uint(b, v->limits.requests_per_minute);
	else
		plan_value_put(b, v->limits.plan, i);
	buf_puts(b, ",\"origin\":");
	put_limit_origin(b, v, i);
	put_used(b, v, i);
}

void
limits_view_put(struct buf *b, const struct limits_view *v)
{
	buf_putc(b, '[');
	for (unsigned i = 0; i < PLAN_VALUES; i++) {
		if (i > 0)
			buf_putc(b, ',');
		put_limit(b, v, (enum plan_value)i);
	}
	buf_putc(b, ']');
}

void
limits_view_clear(struct limits_view *v)
{
	free(v->limits.own);
	v->limits.own = NULL;
}
