/* SPDX-License-Identifier: MIT */
#include "retrieval/vector_settings.h"

#include <stdio.h>

/* Candidates of an index scan, which must be more than the rows wanted: four times as many find 95
 * of 100 of the true nearest. */
#define EF_SEARCH      100
#define EF_SEARCH_K    25 /* rows at most for which so many do */
#define EF_SEARCH_MOST 400
#define TEXT_OF(x)     #x
#define TEXT(x)	       TEXT_OF(x)

/* What has no way but one is costed so high without enable_seqscan that it would be compiled (JIT),
 * which takes longer than to run it. Each statement has one good plan, whatever its values: left to
 * choose, the server makes it anew for each search (.9 ms) where the two look alike to it. */
const char *
search_settings(void)
{
	return "-c enable_seqscan=off -c jit=off -c plan_cache_mode=force_generic_plan"
	       " -c hnsw.ef_search=" TEXT(EF_SEARCH) " -c hnsw.iterative_scan=strict_order";
}

#define BEGIN_WITHOUT_JIT "BEGIN READ ONLY; SET LOCAL jit = off"

/* Among some documents' chunks the scan goes on behind other documents' rows, in an order that is
 * nearly the right one; and the exact way, which is a sort, is closed. */
static void
index_settings(bool some, unsigned k, char out[VECTOR_SETTINGS_SIZE])
{
	unsigned ef = some ? EF_SEARCH_MOST : 4 * k;

	snprintf(out, VECTOR_SETTINGS_SIZE,
	    BEGIN_WITHOUT_JIT "; SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = %s;"
			      " SET LOCAL hnsw.ef_search = %u; SET LOCAL hnsw.iterative_scan = %s",
	    some ? "off" : "on", ef < EF_SEARCH ? EF_SEARCH : ef,
	    some ? "relaxed_order" : "strict_order");
}

/* What goes without an index is compiled too, where there are a hundred thousand chunks: that takes
 * longer than to compare them. */
bool
vector_settings(enum vector_way way, unsigned k, bool has_session, char out[VECTOR_SETTINGS_SIZE])
{
	bool some = way == WAY_INDEX_SOME, by_index = some || way == WAY_INDEX;

	if (has_session && !some && (way != WAY_INDEX || k <= EF_SEARCH_K))
		return false;
	if (by_index)
		index_settings(some, k, out);
	else
		snprintf(out, VECTOR_SETTINGS_SIZE, BEGIN_WITHOUT_JIT);
	return true;
}
