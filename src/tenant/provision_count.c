/* SPDX-License-Identifier: MIT */
/*
 * provision_count: see the header.
 */
#include "tenant/provision_count.h"

#include "tenantgate/tenant/provision_meters.h"

static const double provision_bounds[] = { 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320 };

static const char *const results[] = { "created", "adopted", "failed", NULL };

const struct meter_family provisionings = {
	.name = "tenantgate_provisionings_total",
	.help = "Attempts to provision a database: created, adopted (it was there), failed.",
	.type = METRIC_COUNTER,
	.labels = { "result" },
	.values = results,
};

const struct meter_family provisioning_duration = {
	.name = "tenantgate_provisioning_duration_seconds",
	.help = "How long these attempts took.",
	.type = METRIC_HISTOGRAM,
	.labels = { "result" },
	.bounds = provision_bounds,
	.bound_count = sizeof(provision_bounds) / sizeof(provision_bounds[0]),
};

void
provision_count(struct worker *w, bool has_failed, bool is_new, uint64_t us)
{
	const char *made = is_new ? "created" : "adopted";
	struct slice result = slice_str(has_failed ? "failed" : made);

	meter_add(w, &provisionings, &result, 1);
	meter_add(w, &provisioning_duration, &result, (double)us / 1e6);
}
