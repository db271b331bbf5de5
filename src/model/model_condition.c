/* SPDX-License-Identifier: MIT */
/*
 * model_condition: how the model's servers are, by the calls of all workers: what their breakers
 * have counted. And how their budgets are.
 */
#include "model/model_internal.h"
#include "tenantgate/base/clock.h"

void
model_condition(const struct model *m, struct condition *out)
{
	const struct model_servers *all = m->servers;

	for (unsigned i = 0; i < all->count; i++)
		for (unsigned kind = 0; kind < MODEL_KINDS; kind++)
			if (kind != MODEL_FORMER)
				model_breaker_condition(&all->servers[i]->breakers[kind], out,
				    clock_mono_us());
}

void
model_shares_condition(const struct model *m, struct condition *out)
{
	share_condition(m->shares->streams, out);
	share_condition(m->shares->embeddings, out);
	share_condition(m->shares->reranks, out);
}

struct share_budget *
model_share_budget(const struct model *m, enum model_share which)
{
	switch (which) {
	case SHARE_OF_STREAMS:
		return m->shares->streams;
	case SHARE_OF_EMBEDDINGS:
		return m->shares->embeddings;
	default:
		return m->shares->reranks;
	}
}

void
model_shares_stats(const struct model *m, struct share_stats *streams,
    struct share_stats *embeddings, struct share_stats *reranks)
{
	share_stats(m->shares->streams, streams);
	share_stats(m->shares->embeddings, embeddings);
	share_stats(m->shares->reranks, reranks);
}
