/* SPDX-License-Identifier: MIT */
/*
 * ranking: a model that reads question and chunk puts in order what a search has found
 * (rerank_model), where the request, or else the tenant's plan, says so. The search then finds
 * candidates, four times as many as are wanted, of which the best are kept.
 *
 * It never fails a request: without a ranking the best are those of the search.
 */
#ifndef API_RANKING_H
#define API_RANKING_H

#include "api/chat_body.h"
#include "api/request.h"

/* A member of the handler's struct, zeroed. */
struct ranking {
	bool			 is_wanted;	/* and there is a model for it */
	unsigned		 candidates;	/* chunks that the search finds at most */
	struct slice		*texts;		/* arena: of the candidates */
	struct model_ranking	 found;
};

/* How many chunks the search is to find, by which the ranking knows whether it is wanted. Before
 * the search. */
unsigned	 ranking_candidates(const struct request *, const struct chat_input *,
		    struct ranking *);
/* An operation of the request's flow behind the search; at once where it is not wanted. Returns the
 * lease first: none is held while a model is asked. */
enum flow_rc	 ranking_find(struct request *, struct ranking *, const struct chat_input *,
		    const struct hits *) __attribute__((warn_unused_result));
/* Then: the best top_k alone are left of the hits, the best first. */
void		 ranking_apply(const struct ranking *, unsigned top_k, struct hits *);
/* The model's score of a hit that is left; NAN: none. */
double		 ranking_score(const struct ranking *, unsigned hit);

#endif
