/* SPDX-License-Identifier: MIT */
/*
 * search_hits: rows of enum hit_column as hits, in the flow's arena. They come best first: the
 * first below the score, or without a document, ends them.
 */
#ifndef RETRIEVAL_SEARCH_HITS_H
#define RETRIEVAL_SEARCH_HITS_H

#include "tenantgate/retrieval/search.h"
#include "tenantgate/wire/pg.h"

enum flow_rc	search_hits_read(struct flow *, const struct pg_result *, double min_score,
		    struct hits *) __attribute__((warn_unused_result));

#endif
