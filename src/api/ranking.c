/* SPDX-License-Identifier: MIT */
/*
 * ranking: see the header.
 */
#include "api/ranking.h"

#include <math.h>

#include "api/request_retrieval.h"

#define CANDIDATES_EACH 4 /* for each that is wanted */

_Static_assert(SEARCH_K_MAX <= MODEL_RERANK_MAX, "one call ranks all candidates");

unsigned
ranking_candidates(const struct request *req, const struct chat_input *input, struct ranking *r)
{
	r->is_wanted = input->says_rerank ? input->rerank : req->tenant.limits->rerank != 0;
	r->is_wanted = r->is_wanted && model_reranks(req->ctx->model);
	r->candidates = input->top_k * (r->is_wanted ? CANDIDATES_EACH : 1);
	if (r->candidates > SEARCH_K_MAX)
		r->candidates = SEARCH_K_MAX;
	return r->candidates;
}

enum flow_rc
ranking_find(struct request *req, struct ranking *r, const struct chat_input *input,
    const struct hits *hits)
{
	struct model_asker asker = request_asker(req);

	pool_return(&req->lease, POOL_CLEAN);
	request_retrieval_note(req, input, r->candidates, hits);
	if (!r->is_wanted || hits->count == 0)
		return FLOW_NEXT;
	r->texts = arena_array(req->flow.arena, hits->count, sizeof(*r->texts));
	if (r->texts == NULL)
		return FLOW_NEXT;
	for (unsigned i = 0; i < hits->count; i++)
		r->texts[i] = hits->items[i].content;
	return model_rerank(&req->flow, req->ctx->model, &asker, input->question, r->texts,
	    hits->count, input->top_k, &r->found);
}

void
ranking_apply(const struct ranking *r, unsigned top_k, struct hits *hits)
{
	struct hit kept[SEARCH_K_MAX];

	if (hits->count > top_k)
		hits->count = top_k;
	if (!r->found.ranked)
		return;
	for (unsigned i = 0; i < hits->count; i++)
		kept[i] = hits->items[r->found.order[i]];
	memcpy(hits->items, kept, hits->count * sizeof(kept[0]));
}

double
ranking_score(const struct ranking *r, unsigned hit)
{
	return r->found.ranked ? (double)r->found.scores[hit] : NAN;
}
