/* SPDX-License-Identifier: MIT */
/*
 * vector_statement: see the header. The forms rest on measurements of plans, with statistics and
 * without, with a plan for these values and with one for any:
 *
 *  - Where the planner may choose between the index and all rows, it takes the index for dearer
 *    than it is from some thousand chunks to some ten thousand. So a form has one way only: the
 *    session's enable_seqscan is off, and in the exact forms an OFFSET 0 keeps the order apart from
 *    the distances, which are then computed once a row, too.
 *  - LIMIT $2 in a plan for any value is taken for a tenth of all rows, and what is joined to them
 *    is read whole. So the greatest limit stands in the text, and $2 around it.
 *  - The index's condition stands in the text too: with a parameter the planner cannot prove that
 *    the index has the rows. A newer index, of a higher bound, serves the older condition.
 */
#include "retrieval/vector_statement.h"

#include <inttypes.h>
#include <string.h>

#include "retrieval/hybrid_statement.h"
#include "retrieval/sketch.h"
#include "retrieval/vector_parts.h"
#include "tenantgate/retrieval.h"
#include "tenantgate/retrieval/search_filter.h"

/* By how many bits a sketch differs from the question's. */
#define BITS " OPERATOR(@.<~>) (SELECT @.binary_quantize($1::@.vector))"

#define SQL_MAX ((16u << 10) + SEARCH_FILTER_SQL_MAX)

/* ---- before RETRIEVAL_SCHEMA_TAIL ---- */

/* One of the two branches runs: the other's condition is known to be false before its scan starts.
 * The "+ 0" keeps the index out of the exact one, for an index serves only the bare operator. */
#define BEFORE_EXACT_MAX "2500"
static const char before_all[] =
    "WITH size AS MATERIALIZED (SELECT pg_catalog.count(*) AS chunks FROM"
    "  (SELECT FROM public.chunk LIMIT 2501) counted),"
    " b AS ((" CHUNK_DISTANCES "  WHERE (SELECT chunks FROM size)" PG_ABOVE BEFORE_EXACT_MAX
    " ORDER BY " DISTANCE "  LIMIT $2) UNION ALL (" CHUNK_DISTANCES
    "  WHERE (SELECT chunks FROM size)" PG_AT_MOST BEFORE_EXACT_MAX " ORDER BY (" DISTANCE
    ")" PG_PLUS "0, id LIMIT $2)) " HITS " FROM b" JOIN_DOCUMENT IN_ORDER;

static const char before_some[] =
    "WITH f AS MATERIALIZED (SELECT id, " DISTANCE " AS distance FROM public.chunk"
    " WHERE document_id" PG_EQUALS "ANY ($3)),"
    " best AS MATERIALIZED (SELECT id, distance FROM f ORDER BY distance, id LIMIT $2) " HITS
    " FROM (SELECT c.document_id, c.page, c.chunk_index, c.content, n.distance"
    " FROM best n JOIN public.chunk c ON c.id" PG_EQUALS "n.id) b" JOIN_DOCUMENT IN_ORDER;

/* ---- of all ---- */

static const char exact[] = HITS INDEX_NAME
    " FROM (" CHUNKS_OF("SELECT * FROM (SELECT * FROM (" ID_DISTANCES
			" OFFSET 0) x ORDER BY distance, id" LIMIT_BOTH) ") b" JOIN_LIVING IN_ORDER;

/* ---- the index ---- */

/* As the index's expression: else it would not be used. The order is computed for each row found,
 * too, and so would be the question's rounded vector, 5 us of it, if it were no subselect. */
static void
index_distance_write(struct buf *b, const struct vector_index *index, unsigned dimensions)
{
	if (index->is_halfvec)
		buf_printf(b,
		    "embedding::@.halfvec(%u) OPERATOR(@.<=>)"
		    " (SELECT $1::@.vector::@.halfvec(%u))",
		    dimensions, dimensions);
	else
		buf_puts(b, DISTANCE);
}

bool
vector_by_sketches(const struct vector_index *index, const struct search_request *r)
{
	return sketch_is_kept(r->schema_version) && index->is_halfvec &&
	    r->dimensions >= SKETCH_DIMENSIONS_MIN;
}

/* From where on the tail has to be compared as it is. */
static void
bare_bound_write(struct buf *b, const struct vector_index *index, bool by_sketches)
{
	if (by_sketches)
		buf_printf(b,
		    "greatest(%" PRId64 ", (SELECT sketched_to FROM public.retrieval"
		    " WHERE one AND sketched_of" PG_EQUALS "%" PRId64 "))",
		    index->indexed_to, index->indexed_to);
	else
		buf_printf(b, "%" PRId64, index->indexed_to);
}

/* What the index finds, with how many bits its sketch differs by, and what has none; some: of the
 * table wanted. */
static void
index_and_bare_write(struct buf *b, const struct vector_index *index,
    const struct search_request *r, bool some, bool by_sketches)
{
	const char *where = some ? " AND " OF_DOCUMENTS : "";

	buf_puts(b, by_sketches ? "(WITH found AS MATERIALIZED (" : "(");
	buf_printf(b, "SELECT * FROM (SELECT " CHUNK_FIELDS ", " DISTANCE " AS distance%s",
	    by_sketches ? ", @.binary_quantize(embedding)" BITS " AS bits" : "");
	buf_printf(b,
	    " FROM public.chunk WHERE (NOT tail OR id" PG_AT_MOST "%" PRId64 ")%s ORDER BY ",
	    index->indexed_to, where);
	index_distance_write(b, index, r->dimensions);
	buf_printf(b, " LIMIT " TEXT(SEARCH_K_MAX) ") i%s LIMIT $2)",
	    some ? " ORDER BY distance, id" : "");
	if (by_sketches)
		buf_puts(b, " SELECT " CHUNK_FIELDS ", distance FROM found");
	buf_puts(b, " UNION ALL (SELECT * FROM (SELECT * FROM (" CHUNK_DISTANCES);
	buf_puts(b, " WHERE tail AND id" PG_ABOVE);
	bare_bound_write(b, index, by_sketches);
	buf_printf(b, "%s OFFSET 0) x ORDER BY distance, id" LIMIT_BOTH ")", where);
}

/* Of what has a sketch, the nearest by it; none that differs by so many bits more than all that the
 * index has found, that its vector is hardly nearer: four times the square root of what bits differ
 * by chance. They are read one after another: the table has a few pages. */
static void
sketched_write(struct buf *b, const struct vector_index *index, const struct search_request *r)
{
	unsigned margin = 0;

	while (margin * margin < 4 * r->dimensions)
		margin++;
	buf_puts(b, " UNION ALL (SELECT * FROM (SELECT * FROM (" CHUNK_DISTANCES);
	buf_printf(b,
	    " WHERE tail AND id" PG_ABOVE "%" PRId64 " AND id" PG_EQUALS
	    "ANY (ARRAY(SELECT id FROM (SELECT id, sketch" BITS " AS bits FROM public.chunk_sketch"
	    "  WHERE (SELECT sketched_of FROM public.retrieval WHERE one)" PG_EQUALS "%" PRId64
	    "  OFFSET 0) s WHERE bits" PG_AT_MOST "(SELECT CASE WHEN pg_catalog.count(*)" PG_BELOW
	    "$2::bigint THEN %u"
	    "  ELSE pg_catalog.max(bits)" PG_PLUS "%u END FROM found)"
	    "  ORDER BY bits, id LIMIT " SKETCH_CANDIDATES "))"
	    " OFFSET 0) x ORDER BY distance, id" LIMIT_BOTH "))",
	    index->indexed_to, index->indexed_to, r->dimensions, margin);
}

/* Two branches or three, of which every row is in exactly one. What the index finds comes nearest
 * first, but where it goes on behind other documents' rows (hnsw.iterative_scan = relaxed_order).
 */
void
vector_index_write(struct buf *b, const struct vector_index *index, const struct search_request *r,
    bool some)
{
	bool by_sketches = !some && vector_by_sketches(index, r);

	index_and_bare_write(b, index, r, some, by_sketches);
	if (by_sketches)
		sketched_write(b, index, r);
}

static void
index_all_write(struct buf *b, const struct vector_index *index, const struct search_request *r)
{
	buf_puts(b, HITS INDEX_NAME " FROM (SELECT * FROM (");
	vector_index_write(b, index, r, false);
	buf_puts(b, ") u ORDER BY distance, id LIMIT $2) b" JOIN_LIVING IN_ORDER);
}

/* ---- of some documents ---- */

/* The parameters from `param` on, in this order; search_request's conditions. */
void
vector_wanted_write(struct buf *b, const struct search_request *r, unsigned param)
{
	buf_puts(b,
	    "WITH wanted AS MATERIALIZED (SELECT d.id, d.chunks, d.text_language"
	    " FROM public.document d"
	    " WHERE true");
	if (r->document_count > 0)
		buf_printf(b, " AND d.id" PG_EQUALS "ANY ($%u)", param++);
	if (r->owner != NULL)
		buf_printf(b, " AND d.owner_id" PG_EQUALS "$%u", param++);
	if (r->filter != NULL) {
		buf_puts(b, " AND ");
		search_filter_condition(r->filter, param, b);
	}
	buf_puts(b, ")");
}

/* A row says how many chunks the documents have, also where none was looked at. */
static void
exact_some_write(struct buf *b, const struct search_request *r)
{
	vector_wanted_write(b, r, 4);
	buf_puts(b,
	    MATCHING ", b AS (" CHUNKS_OF(
		"SELECT * FROM (SELECT * FROM (" ID_DISTANCES " WHERE " OF_DOCUMENTS
		"  AND (SELECT matching FROM size)" PG_AT_MOST "$3::bigint"
		"  OFFSET 0) x ORDER BY distance, id" LIMIT_BOTH) ") ");
	buf_puts(b,
	    HITS INDEX_NAME MATCHING_COLUMNS("$3") " FROM size s LEFT JOIN (b" JOIN_LIVING
						   ") ON true" IN_ORDER);
}

static void
index_some_write(struct buf *b, const struct vector_index *index, const struct search_request *r)
{
	vector_wanted_write(b, r, 3);
	buf_puts(b, " " HITS INDEX_NAME " FROM (SELECT * FROM (");
	vector_index_write(b, index, r, true);
	buf_puts(b, ") u ORDER BY distance, id LIMIT $2) b" JOIN_LIVING IN_ORDER);
}

/* ---- */

static void
way_write(struct buf *b, enum vector_way way, const struct vector_index *index,
    const struct search_request *r)
{
	if (r->mode == SEARCH_HYBRID) {
		hybrid_statement_write(b, way, index, r);
		return;
	}
	switch (way) {
	case WAY_EXACT:
		buf_puts(b, exact);
		break;
	case WAY_INDEX:
		index_all_write(b, index, r);
		break;
	case WAY_EXACT_SOME:
		exact_some_write(b, r);
		break;
	case WAY_INDEX_SOME:
		index_some_write(b, index, r);
		break;
	case WAY_TEXT:
	case WAY_TEXT_SOME:
		hybrid_text_write(b, way, r);
		break;
	case WAY_BEFORE_ALL:
		buf_puts(b, before_all);
		break;
	case WAY_BEFORE_SOME:
		buf_puts(b, before_some);
		break;
	}
}

bool
vector_statement(struct buf *out, enum vector_way way, const char *schema,
    const struct vector_index *index, const struct search_request *r)
{
	struct buf b;
	const char *rest, *at;

	buf_init(&b, SQL_MAX);
	way_write(&b, way, index, r);
	if (b.failed || !buf_putc(&b, '\0')) {
		buf_free(&b);
		return false;
	}
	for (rest = b.data; (at = strstr(rest, "@.")) != NULL; rest = at + 1) {
		buf_add(out, rest, (size_t)(at - rest));
		buf_puts(out, schema);
	}
	buf_puts(out, rest);
	buf_free(&b);
	return !out->failed;
}
