/* SPDX-License-Identifier: MIT */
/*
 * metrics_scarce: what tenants share, and the loudest of them. Pools have pgbouncer_exporter's
 * words.
 */
#include "admin/metrics_page.h"
#include "admin/share_rows.h"

#define MICROSECONDS 1e6

typedef double share_value_fn(const struct share_stats *);

static double
share_capacity_value(const struct share_stats *s)
{
	return (double)s->capacity;
}

static double
share_held_value(const struct share_stats *s)
{
	return (double)s->held;
}

static double
share_holders_value(const struct share_stats *s)
{
	return s->holders;
}

static double
share_waiting_value(const struct share_stats *s)
{
	return s->waiting;
}

static double
share_wait_value(const struct share_stats *s)
{
	return (double)s->longest_wait_us / MICROSECONDS;
}

static double
share_granted_value(const struct share_stats *s)
{
	return (double)s->granted_total;
}

static double
share_refused_value(const struct share_stats *s)
{
	return (double)s->refused_total;
}

static const struct {
	const char *name;
	enum metric_type type;
	const char *help;
	share_value_fn *value;
} share_values[] = {
	{ "tenantgate_share_capacity", METRIC_GAUGE, "Units that there are.",
	    share_capacity_value },
	{ "tenantgate_share_held", METRIC_GAUGE, "Units that are lent.", share_held_value },
	{ "tenantgate_share_holders", METRIC_GAUGE, "Tenants that hold some.",
	    share_holders_value },
	{ "tenantgate_share_waiting", METRIC_GAUGE, "Requests that wait for some.",
	    share_waiting_value },
	{ "tenantgate_share_maxwait_seconds", METRIC_GAUGE,
	    "How long the first of those that wait has waited.", share_wait_value },
	{ "tenantgate_share_granted_total", METRIC_COUNTER, "Grants.", share_granted_value },
	{ "tenantgate_share_refused_total", METRIC_COUNTER, "Refusals, after a wait or at once.",
	    share_refused_value },
};

static void
put_shares(struct metric_page *page, const struct admin_context *ctx)
{
	struct share_row rows[SHARE_ROWS];

	share_rows_fill(rows, ctx);
	for (size_t k = 0; k < sizeof(share_values) / sizeof(share_values[0]); k++) {
		metric_family(page, share_values[k].name, share_values[k].type,
		    share_values[k].help);
		for (unsigned i = 0; i < SHARE_ROWS; i++) {
			struct metric_label share = { "share", slice_str(rows[i].name) };

			if (share_values[k].value != share_capacity_value ||
			    rows[i].stats.capacity < SHARE_UNBOUNDED)
				metric_sample(page, share_values[k].name, &share, 1,
				    share_values[k].value(&rows[i].stats));
		}
	}
}

static void
put_one(struct metric_page *page, const char *name, enum metric_type type, const char *help,
    double value)
{
	metric_family(page, name, type, help);
	metric_sample(page, name, NULL, 0, value);
}

static void
put_pool_figures(struct metric_page *page, struct pools *pools)
{
	struct pool_stats s;

	pools_stats(pools, &s);
	put_one(page, "tenantgate_pools", METRIC_GAUGE, "Pools: databases with connections.",
	    s.pools);
	put_one(page, "tenantgate_pools_client_active", METRIC_GAUGE,
	    "Requests that have a connection.", s.client_active);
	put_one(page, "tenantgate_pools_client_waiting", METRIC_GAUGE,
	    "Requests that wait for a connection.", s.client_waiting);
	put_one(page, "tenantgate_pools_server_active", METRIC_GAUGE, "Connections that are lent.",
	    s.server_active);
	put_one(page, "tenantgate_pools_server_idle", METRIC_GAUGE, "Connections that are not.",
	    s.server_idle);
	put_one(page, "tenantgate_pools_server_login", METRIC_GAUGE, "Logins under way.",
	    s.server_login);
	put_one(page, "tenantgate_pools_client_maxwait_seconds", METRIC_GAUGE,
	    "How long the first of those that wait has waited.",
	    (double)s.maxwait_us / MICROSECONDS);
	put_one(page, "tenantgate_pools_server_max", METRIC_GAUGE,
	    "Connections that there may be: max_server_connections.", s.server_max);
	put_one(page, "tenantgate_pools_borrowed_total", METRIC_COUNTER, "Loans of a connection.",
	    (double)s.borrowed_total);
	put_one(page, "tenantgate_pools_logins_total", METRIC_COUNTER, "Connections made.",
	    (double)s.created_total);
	put_one(page, "tenantgate_pools_wait_seconds_total", METRIC_COUNTER,
	    "Time that requests have waited for a connection.",
	    (double)s.wait_us_total / MICROSECONDS);
}

static double
helpers_running_value(const struct offload_stats *s)
{
	return s->running;
}

static double
helpers_waiting_value(const struct offload_stats *s)
{
	return s->waiting;
}

static double
helpers_wait_value(const struct offload_stats *s)
{
	return (double)s->longest_wait_us / MICROSECONDS;
}

static double
helpers_done_value(const struct offload_stats *s)
{
	return (double)s->done_total;
}

static double
helpers_refused_value(const struct offload_stats *s)
{
	return (double)s->refused_total;
}

static const struct {
	const char *name;
	enum metric_type type;
	const char *help;
	double (*value)(const struct offload_stats *);
} helper_values[] = {
	{ "tenantgate_helpers_running", METRIC_GAUGE,
	    "Jobs on helper threads, but for the one that writes this page.",
	    helpers_running_value },
	{ "tenantgate_helpers_waiting", METRIC_GAUGE, "Jobs that wait for one.",
	    helpers_waiting_value },
	{ "tenantgate_helpers_maxwait_seconds", METRIC_GAUGE,
	    "How long the first of those has waited.", helpers_wait_value },
	{ "tenantgate_helpers_done_total", METRIC_COUNTER, "Jobs done.", helpers_done_value },
	{ "tenantgate_helpers_refused_total", METRIC_COUNTER, "Jobs refused.",
	    helpers_refused_value },
};

/* Those of uploads wait for the disk. */
static void
put_helper_figures(struct metric_page *page, struct offload *requests, struct offload *spool)
{
	static const char *const names[] = { "requests", "spool" };
	struct offload_stats stats[2];
	unsigned count = spool == NULL ? 1 : 2;

	offload_stats(requests, &stats[0]);
	stats[0].running -= stats[0].running > 0;
	if (spool != NULL)
		offload_stats(spool, &stats[1]);
	for (size_t k = 0; k < sizeof(helper_values) / sizeof(helper_values[0]); k++) {
		metric_family(page, helper_values[k].name, helper_values[k].type,
		    helper_values[k].help);
		for (unsigned i = 0; i < count; i++) {
			struct metric_label label = { "helpers", slice_str(names[i]) };

			metric_sample(page, helper_values[k].name, &label, 1,
			    helper_values[k].value(&stats[i]));
		}
	}
}

void
metrics_put_scarce(struct metric_page *page, const struct admin_context *ctx)
{
	put_shares(page, ctx);
	put_pool_figures(page, ctx->api->pools);
	put_helper_figures(page, ctx->api->offload, ctx->api->shared->spool_helpers);
}

/* A tenant may be called so: it is among the others then, for no two samples may have one name. */
#define REST "other"

/* The places' counts err by `error` upwards, which is taken off: what is told was this tenant's for
 * certain. All others are one sample, so the sum is exact. */
void
metrics_put_tenants(struct metric_page *page, const struct admin_context *ctx)
{
	struct loudest_place places[LOUDEST_TENANTS];
	uint64_t all;
	unsigned n = loudest_copy(ctx->api->shared->loudest, places, LOUDEST_TENANTS, &all);
	struct metric_label label = { "tenant", slice_str(REST) };

	metric_family(page, "tenantgate_tenant_requests_total", METRIC_COUNTER,
	    "Requests of the loudest tenants; all others are \"other\".");
	for (unsigned i = 0; i < n; i++) {
		uint64_t own = places[i].count - places[i].error;
		struct metric_label tenant = { "tenant", slice_str(places[i].name) };

		if (strcmp(places[i].name, REST) == 0)
			continue;
		all -= own;
		metric_sample(page, "tenantgate_tenant_requests_total", &tenant, 1, (double)own);
	}
	metric_sample(page, "tenantgate_tenant_requests_total", &label, 1, (double)all);
}
