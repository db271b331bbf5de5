/* SPDX-License-Identifier: MIT */
/*
 * metrics_flows: what has ended, by kind of flow and step: for a request its route, its status and
 * its phases; for what goes on behind them (provisioning, upgrades, sweeps) the same.
 */
#include <stdio.h>
#include <stdlib.h>

#include "admin/flow_sums.h"
#include "admin/metrics_page.h"

#define MICROSECONDS 1e6
/* The bounds of the engine's that a page has, as their places there: every second one, but between
 * 100 ms and 10 s, where answers and alarms lie, all. */
static const unsigned char shown[] = { 1, 3, 5, 7, 8, 9, 10, 11, 12, 13, FLOW_STAT_BOUNDS - 1 };

#define SHOWN (sizeof(shown) / sizeof(shown[0]))

static void
put_durations(struct metric_page *page, const char *name, const struct metric_label *labels,
    unsigned label_count, const struct flow_histogram *h)
{
	uint64_t counts[SHOWN + 1] = { 0 };
	double bounds[SHOWN];
	unsigned i = 0;

	for (unsigned at = 0; at < SHOWN; at++) {
		bounds[at] = flow_stat_bounds_us[shown[at]] / MICROSECONDS;
		for (; i <= shown[at]; i++)
			counts[at] += h->counts[i];
	}
	counts[SHOWN] = h->counts[FLOW_STAT_BOUNDS];
	metric_histogram(page, name, labels, label_count, bounds, SHOWN, counts,
	    (double)h->sum_us / MICROSECONDS);
}

static void
put_flow_kinds(struct metric_page *page, const struct flow_sums *sums)
{
	metric_family(page, "tenantgate_flow_duration_seconds", METRIC_HISTOGRAM,
	    "From the start to the end of flows, by kind; of a request until its response has "
	    "ended.");
	for (unsigned i = 0; i < sums->count; i++) {
		struct metric_label kind = { "flow", slice_str(sums->kinds[i].kind->name) };

		put_durations(page, "tenantgate_flow_duration_seconds", &kind, 1,
		    &sums->kinds[i].total);
	}
	metric_family(page, "tenantgate_flow_failures_total", METRIC_COUNTER,
	    "Flows that ended with an error, by kind.");
	for (unsigned i = 0; i < sums->count; i++) {
		struct metric_label kind = { "flow", slice_str(sums->kinds[i].kind->name) };

		metric_sample(page, "tenantgate_flow_failures_total", &kind, 1,
		    (double)sums->kinds[i].failed);
	}
}

/* Of requests alone: what goes on behind them waits for others. */
static void
put_overhead(struct metric_page *page, const struct flow_sums *sums)
{
	metric_family(page, "tenantgate_overhead_seconds", METRIC_HISTOGRAM,
	    "What requests took of our own: their time less what models, databases, Redis and the "
	    "client took, by route.");
	for (unsigned i = 0; i < sums->count; i++) {
		struct metric_label route = { "route", slice_str(sums->kinds[i].kind->name) };

		if (sums->kinds[i].results[0].code != 0)
			put_durations(page, "tenantgate_overhead_seconds", &route, 1,
			    &sums->kinds[i].own);
	}
}

static void
put_steps(struct metric_page *page, const struct flow_sums *sums)
{
	metric_family(page, "tenantgate_step_duration_seconds", METRIC_HISTOGRAM,
	    "How long flows were at each step, waits included.");
	for (unsigned i = 0; i < sums->count; i++)
		for (unsigned s = 0; s < FLOW_STEPS_MAX; s++) {
			const struct flow_stat *k = &sums->kinds[i];
			struct metric_label labels[2] = { { "flow", slice_str(k->kind->name) } };

			if (flow_histogram_count(&k->steps[s]) == 0)
				continue;
			labels[1] =
			    (struct metric_label){ "step", slice_str(k->kind->steps[s].name) };
			put_durations(page, "tenantgate_step_duration_seconds", labels, 2,
			    &k->steps[s]);
		}
}

static void
put_requests(struct metric_page *page, const struct flow_sums *sums)
{
	metric_family(page, "tenantgate_requests_total", METRIC_COUNTER,
	    "Requests by route and status; 499: the client left before the response.");
	for (unsigned i = 0; i < sums->count; i++)
		for (unsigned r = 0; r < FLOW_RESULTS_MAX; r++) {
			const struct flow_stat *k = &sums->kinds[i];
			struct metric_label labels[2] = { { "route", slice_str(k->kind->name) } };
			char code[16];

			if (k->results[r].code == 0)
				continue;
			(void)snprintf(code, sizeof(code), "%u", k->results[r].code);
			labels[1] = (struct metric_label){ "code", slice_str(code) };
			metric_sample(page, "tenantgate_requests_total", labels, 2,
			    (double)k->results[r].count);
		}
}

void
metrics_put_flows(struct metric_page *page, const struct admin_context *ctx)
{
	struct flow_sums sums;

	if (!flow_sums_gather(&sums, ctx)) {
		page->out->failed = true;
		return;
	}
	put_requests(page, &sums);
	put_flow_kinds(page, &sums);
	put_overhead(page, &sums);
	put_steps(page, &sums);
	flow_sums_free(&sums);
}
