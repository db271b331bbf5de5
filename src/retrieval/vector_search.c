/* SPDX-License-Identifier: MIT */
/*
 * vector_search: the chunks nearest to a query, by cosine distance (pgvector's <=>).
 *
 * Of some documents: exactly, over those documents' chunks alone. An HNSW index finds the nearest
 * of all chunks first and filters them afterwards, and so silently returns too few rows, or none;
 * so the filter is a materialized CTE of its own, which the planner cannot merge with the order.
 *
 * Of all: exactly too while the tenant has EXACT_MAX chunks at most, where the index saves nothing
 * and may miss a row; else by the index, whose settings the database keeps (retrieval_schema.c), or
 * by a sequential scan where the planner thinks that cheaper: it counts neither the vectors out of
 * line (TOAST) nor, by as much as it should, how few pages an index scan reads.
 *
 * Never with a bound on the distance inside the index scan: where nothing is so near, an iterative
 * scan walks the whole graph, which took seconds: anybody could keep a database busy with it.
 */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "retrieval/pg_binary.h"
#include "tenantgate/retrieval.h"

#define COLUMNS \
	"b.document_id, d.title, d.file_name, d.mime_type, b.page, b.chunk_index, b.content," \
	" b.distance"

/* Up to so many chunks all distances are computed: about 7 microseconds each at 1536 dimensions. */
#define EXACT_MAX "2500"

/* Counting stops one past the bound. One of the two branches runs: the other's condition is known
 * to be false before its scan starts. The "+ 0" keeps the index out of the exact one, for an index
 * serves only the bare operator; the id makes the order of equal distances the same every time. */
static const char among_all[] =
    "WITH size AS MATERIALIZED (SELECT count(*) AS chunks FROM"
    "  (SELECT FROM public.chunk LIMIT " EXACT_MAX " + 1) counted),"
    " b AS (("
    " SELECT document_id, page, chunk_index, content, embedding <=> $1 AS distance"
    " FROM public.chunk WHERE (SELECT chunks FROM size) > " EXACT_MAX
    " ORDER BY embedding <=> $1 LIMIT $2"
    ") UNION ALL ("
    " SELECT document_id, page, chunk_index, content, embedding <=> $1 AS distance"
    " FROM public.chunk WHERE (SELECT chunks FROM size) <= " EXACT_MAX
    " ORDER BY (embedding <=> $1) + 0, id LIMIT $2"
    ")) SELECT " COLUMNS " FROM b JOIN public.document d ON d.id = b.document_id"
    " ORDER BY b.distance, b.document_id, b.chunk_index";

/* $3: the documents' ids, by the index chunk_document. Distances first, and the contents of the
 * best alone. */
static const char among_some[] =
    "WITH f AS MATERIALIZED (SELECT id, embedding <=> $1 AS distance FROM public.chunk"
    " WHERE document_id = ANY ($3)),"
    " best AS MATERIALIZED (SELECT id, distance FROM f ORDER BY distance, id LIMIT $2)"
    " SELECT " COLUMNS " FROM (SELECT c.document_id, c.page, c.chunk_index, c.content, n.distance"
    " FROM best n JOIN public.chunk c ON c.id = n.id) b"
    " JOIN public.document d ON d.id = b.document_id"
    " ORDER BY b.distance, b.document_id, b.chunk_index";

struct vector_search {
	struct flow flow;
	struct pool_lease *lease; /* borrowed */
	struct hits *hits;	  /* borrowed: filled */
	bool filtered;		 /* among the given documents alone */
	char limit[12];		 /* $2, as text */
	struct buf vector;	 /* owned: $1, binary */
	struct buf ids;		 /* owned: $3, an array as text */
	struct pg_result result; /* owned */
};

static flow_step_fn vector_search_query, vector_search_read;
static flow_release_fn vector_search_release;

static const struct flow_step vector_search_steps[] = {
	{ "vector_search_query", vector_search_query },
	{ "vector_search_read", vector_search_read },
	{ NULL, NULL },
};

static const struct flow_kind vector_search_kind = { .name = "search",
	.steps = vector_search_steps,
	.release = vector_search_release };

static void
vector_search_clear(void *arg)
{
	struct vector_search *s = arg;

	buf_free(&s->vector);
	buf_free(&s->ids);
	pg_clear(&s->result);
}

static enum flow_rc
vector_search_query(struct flow *f)
{
	struct vector_search *s = FLOW_OF(f, struct vector_search, &vector_search_kind);
	struct pg_query q = {
		.sql = s->filtered ? among_some : among_all,
		.params = { { s->vector.data, (int)s->vector.len, true }, PG_TEXT(s->limit) },
		.param_count = 2,
	};

	if (s->filtered)
		q.params[q.param_count++] = PG_TEXT(s->ids.data);
	return pool_read(f, s->lease, &q, &s->result);
}

/* The cosine similarity, 1 best. A stored vector of length zero has none (NaN), and 0 is shown. */
static double
score_of(const char *distance)
{
	double score = 1 - strtod(distance, NULL);

	return isfinite(score) ? score : 0;
}

/* In the order of COLUMNS, into the flow's arena. */
static bool
copy_hit(struct arena *a, const struct pg_result *r, unsigned row, struct hit *h)
{
	const char **texts[] = { &h->document_id, &h->title, &h->file_name, &h->mime_type };
	struct slice content = pg_value(r, row, 6);

	for (unsigned i = 0; i < 4; i++) {
		*texts[i] = arena_strdup(a, pg_text(r, row, i));
		if (*texts[i] == NULL)
			return false;
	}
	h->page = (unsigned)strtoul(pg_text(r, row, 4), NULL, 10);
	h->index = (unsigned)strtoul(pg_text(r, row, 5), NULL, 10);
	h->content = slice_of(arena_slice(a, content), content.len);
	h->score = score_of(pg_text(r, row, 7));
	return h->content.p != NULL;
}

static enum flow_rc
vector_search_read(struct flow *f)
{
	struct vector_search *s = FLOW_OF(f, struct vector_search, &vector_search_kind);
	enum flow_rc rc = pg_check(f, &s->result, ERR_NONE, "search");
	unsigned rows;

	if (rc != FLOW_NEXT)
		return rc;
	rows = pg_rows(&s->result);
	s->hits->items = arena_array(f->arena, (size_t)rows + 1, sizeof(*s->hits->items));
	for (unsigned i = 0; i < rows; i++) {
		if (s->hits->items == NULL ||
		    !copy_hit(f->arena, &s->result, i, &s->hits->items[i]))
			return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the chunks found");
	}
	s->hits->count = rows;
	return FLOW_NEXT;
}

static void
vector_search_release(struct flow *f)
{
	vector_search_clear(f);
}

enum flow_rc
search_chunks(struct flow *f, struct pool_lease *lease, const float *query, unsigned dimensions,
    const char *const *document_ids, unsigned document_count, unsigned k, struct hits *hits)
{
	struct vector_search *s = arena_alloc(f->arena, sizeof(*s));

	assert(k >= 1 && k <= SEARCH_K_MAX && document_count <= SEARCH_DOCUMENTS_MAX);
	*hits = (struct hits){ 0 };
	if (s == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the search");
	s->lease = lease;
	s->hits = hits;
	s->filtered = document_count > 0;
	snprintf(s->limit, sizeof(s->limit), "%u", k);
	buf_init(&s->vector, PG_BINARY_VECTOR_SIZE(dimensions));
	buf_init(&s->ids, (size_t)64 << 10);
	if (!pg_binary_vector(&s->vector, query, dimensions) ||
	    !pg_text_array(&s->ids, document_ids, document_count)) {
		vector_search_clear(s);
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the search");
	}
	return flow_call(f, &s->flow, &vector_search_kind);
}
