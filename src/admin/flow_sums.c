/* SPDX-License-Identifier: MIT */
/*
 * flow_sums: see the header.
 */
#include "admin/flow_sums.h"

#include <stdlib.h>

#define KINDS_MAX 256

static void
results_add(struct flow_result *sums, const struct flow_result *results)
{
	for (unsigned i = 0; i < FLOW_RESULTS_MAX && results[i].code != 0; i++) {
		unsigned k = 0;

		while (k < FLOW_RESULTS_MAX && sums[k].code != 0 && sums[k].code != results[i].code)
			k++;
		if (k == FLOW_RESULTS_MAX)
			continue;
		sums[k].code = results[i].code;
		sums[k].count += results[i].count;
	}
}

/* A flow_stat_fn. */
static void
flow_sums_add(const struct flow_stat *stat, void *arg)
{
	struct flow_sums *sums = arg;
	struct flow_stat *sum = NULL;

	for (unsigned i = 0; i < sums->count && sum == NULL; i++)
		if (sums->kinds[i].kind == stat->kind)
			sum = &sums->kinds[i];
	if (sum == NULL && sums->count < KINDS_MAX) {
		sum = &sums->kinds[sums->count++];
		sum->kind = stat->kind;
	}
	if (sum == NULL)
		return;
	sum->failed += stat->failed;
	results_add(sum->results, stat->results);
	flow_histogram_add(&sum->total, &stat->total);
	flow_histogram_add(&sum->own, &stat->own);
	for (unsigned i = 0; i < FLOW_STEPS_MAX; i++)
		flow_histogram_add(&sum->steps[i], &stat->steps[i]);
}

bool
flow_sums_gather(struct flow_sums *sums, const struct admin_context *ctx)
{
	unsigned workers = atomic_load(ctx->worker_count);

	*sums = (struct flow_sums){ .kinds = calloc(KINDS_MAX, sizeof(*sums->kinds)) };
	for (unsigned i = 0; i < workers && sums->kinds != NULL; i++)
		flow_stats_each(ctx->workers[i], flow_sums_add, sums);
	return sums->kinds != NULL;
}

void
flow_sums_free(struct flow_sums *sums)
{
	free(sums->kinds);
}
