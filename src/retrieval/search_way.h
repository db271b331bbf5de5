/* SPDX-License-Identifier: MIT */
/*
 * search_way: which way a search goes, and which it goes next where the documents in question turn
 * out to have too many chunks for it. Pure; any thread.
 *
 * Of some documents: exactly, over those documents' chunks alone. An HNSW index finds the nearest
 * of all chunks first and filters them afterwards, and so silently returns too few rows, or none.
 * Only past SOME_EXACT_MAX chunks, and where these are half of all, does the index answer.
 *
 * Of all: exactly while there is no index, which is made past some thousand chunks; then by the
 * index for what it covers, and exactly for the tail behind it (vector_statement.c).
 */
#ifndef RETRIEVAL_SEARCH_WAY_H
#define RETRIEVAL_SEARCH_WAY_H

#include "retrieval/vector_statement.h"

/* Up to so many chunks of the documents in question their distances are computed: 2 microseconds
 * each at 1536 dimensions. */
#define SOME_EXACT_MAX 10000

struct search_way {
	enum vector_way way;
	int64_t bound; /* of WAY_EXACT_SOME: more chunks than that are not looked at */
};

struct search_way search_way_first(const struct search_request *, const struct vector_index *);
/* False: it is as before. matching: the documents' chunks; in_all: all chunks, which are not known
 * unless matching is past the bound. */
bool search_way_next(struct search_way *, const struct vector_index *, int64_t matching,
    int64_t in_all);

#endif
