/* SPDX-License-Identifier: MIT */
/*
 * sketch_statement: see sketch.h.
 *
 * Ids are given out in order, but not committed in order. So the table is locked against writers
 * first: who has taken an id holds that lock, or has ended, and each statement here sees what was
 * committed before it. Nothing of the tail up to the greatest id can come later.
 */
#include <inttypes.h>

#include "retrieval/index.h"
#include "retrieval/sketch.h"

bool
sketch_serves(const struct vector_column *c)
{
	return c->version >= SKETCH_FROM && c->dimensions >= SKETCH_DIMENSIONS_MIN;
}

/* Those of another index stop to count before they go, also for whoever still searches by that
 * index; and only while the one that is meant is still the newest: whoever comes late, after a
 * stall, takes none away. */
static const char lock_and_clear[] =
    "SET LOCAL lock_timeout = " SKETCH_TIMEOUT_MS
    "; SET LOCAL statement_timeout = " SKETCH_TIMEOUT_MS ";"
    " LOCK TABLE public.chunk IN SHARE ROW EXCLUSIVE MODE NOWAIT;"
    " UPDATE public.retrieval SET sketched_of = 0 WHERE one AND indexed_to" PG_EQUALS "%" PRId64
    "  AND sketched_of" PG_DIFFERS "0 AND sketched_of" PG_DIFFERS "%" PRId64 ";"
    " DELETE FROM public.chunk_sketch WHERE (SELECT sketched_of" PG_EQUALS
    "0 AND indexed_to" PG_EQUALS "%" PRId64 " FROM public.retrieval WHERE one);";

/* done: sketched_to, where it is this index's. fit: up to where it is after this; of numbers around
 * zero about half are above it. */
static const char batch[] =
    " WITH done AS MATERIALIZED (SELECT indexed_to, greatest(indexed_to,"
    "  CASE WHEN sketched_of" PG_EQUALS "indexed_to THEN sketched_to END) AS last"
    "  FROM public.retrieval WHERE one AND indexed_to" PG_EQUALS "%" PRId64 "),"
    " batch AS MATERIALIZED (SELECT id, %s.binary_quantize(embedding) AS sketch"
    "  FROM public.chunk WHERE tail AND id" PG_ABOVE "(SELECT last FROM done)"
    "  ORDER BY id LIMIT " SKETCH_ROWS_MAX "),";
static const char add[] =
    " fit AS MATERIALIZED (SELECT CASE WHEN pg_catalog.count(*)" PG_BELOW SKETCH_ROWS_MAX
    "   THEN (SELECT pg_catalog.max(id) FROM public.chunk) ELSE pg_catalog.max(id) END AS last"
    "  FROM batch HAVING pg_catalog.count(*)" PG_EQUALS "0"
    "  OR pg_catalog.avg(pg_catalog.bit_count(sketch))" PG_ABOVE "%u"
    "  AND pg_catalog.avg(pg_catalog.bit_count(sketch))" PG_BELOW "%u),"
    " kept AS (UPDATE public.retrieval r SET sketched_of = d.indexed_to,"
    "  sketched_to = greatest(d.last, f.last) FROM done d, fit f WHERE r.one"
    "  AND r.indexed_to" PG_EQUALS "d.indexed_to RETURNING 1)"
    " INSERT INTO public.chunk_sketch (id, sketch)"
    " SELECT id, sketch FROM batch WHERE EXISTS (SELECT FROM kept)";

void
sketch_statement_write(struct buf *b, const struct vector_column *c, int64_t indexed_to)
{
	unsigned quarter = c->dimensions / 4;

	buf_printf(b, lock_and_clear, indexed_to, indexed_to, indexed_to);
	buf_printf(b, batch, indexed_to, c->schema);
	buf_printf(b, add, quarter, 3 * quarter);
}
