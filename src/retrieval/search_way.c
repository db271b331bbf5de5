/* SPDX-License-Identifier: MIT */
#include "retrieval/search_way.h"

#include "tenantgate/retrieval.h"

#define ANY_NUMBER INT64_MAX

static bool
is_of_some(const struct search_request *r)
{
	return r->document_count > 0 || r->owner != NULL || r->filter != NULL;
}

struct search_way
search_way_first(const struct search_request *r, const struct vector_index *index)
{
	struct search_way w = { .bound = SOME_EXACT_MAX };
	bool some = is_of_some(r);

	if (r->schema_version < RETRIEVAL_SCHEMA_TAIL)
		w.way = some ? WAY_BEFORE_SOME : WAY_BEFORE_ALL;
	else if (r->mode == SEARCH_TEXT)
		w.way = some ? WAY_TEXT_SOME : WAY_TEXT;
	else if (some)
		w.way = WAY_EXACT_SOME;
	else
		w.way = index->indexed_to > 0 ? WAY_INDEX : WAY_EXACT;
	return w;
}

bool
search_way_next(struct search_way *w, const struct vector_index *index, int64_t matching,
    int64_t in_all)
{
	if (w->way != WAY_EXACT_SOME || matching <= w->bound)
		return false;
	w->bound = ANY_NUMBER;
	if (index->indexed_to > 0 && matching >= in_all / 2)
		w->way = WAY_INDEX_SOME;
	return true;
}
