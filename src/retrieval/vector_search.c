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
 * Every name and operator has its schema, for a role's search path may lead anywhere (ALTER ROLE
 * ... SET search_path). pgvector's is public, where we make it; where somebody has moved it, the
 * server says once that there is no such operator, is asked for the schema, and the connection
 * keeps the answer:
 *
 *	[query] --> [read] --> done
 *	   ^          | no such operator
 *	   +----- [located] <-- [locate]
 *
 * Never with a bound on the distance inside the index scan: where nothing is so near, an iterative
 * scan walks the whole graph, which took seconds: anybody could keep a database busy with it.
 */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "retrieval/pg_binary.h"
#include "tenantgate/retrieval/search.h"
#include "tenantgate/wire/pg_sql.h"

#define COLUMNS \
	"b.document_id, d.title, d.file_name, d.mime_type, b.page, b.chunk_index, b.content," \
	" b.distance"

/* Up to so many chunks all distances are computed: about 7 microseconds each at 1536 dimensions. */
#define EXACT_MAX "2500"
#define EXACT_END "2501"

#define SCHEMA_USUAL "public"
#define SQL_MAX	     4096
/* @ is pgvector's schema. */
#define DISTANCE "embedding OPERATOR(@.<=>) $1"

/* Counting stops one past the bound. One of the two branches runs: the other's condition is known
 * to be false before its scan starts. The "+ 0" keeps the index out of the exact one, for an index
 * serves only the bare operator; the id makes the order of equal distances the same every time. */
static const char among_all[] =
    "WITH size AS MATERIALIZED (SELECT pg_catalog.count(*) AS chunks FROM"
    "  (SELECT FROM public.chunk LIMIT " EXACT_END ") counted),"
    " b AS (("
    " SELECT document_id, page, chunk_index, content, " DISTANCE " AS distance"
    " FROM public.chunk WHERE (SELECT chunks FROM size) OPERATOR(pg_catalog.>) " EXACT_MAX
    " ORDER BY " DISTANCE " LIMIT $2"
    ") UNION ALL ("
    " SELECT document_id, page, chunk_index, content, " DISTANCE " AS distance"
    " FROM public.chunk WHERE (SELECT chunks FROM size) OPERATOR(pg_catalog.<=) " EXACT_MAX
    " ORDER BY (" DISTANCE ") OPERATOR(pg_catalog.+) 0, id LIMIT $2"
    ")) SELECT " COLUMNS " FROM b JOIN public.document d ON d.id" PG_EQUALS "b.document_id"
    " ORDER BY b.distance, b.document_id, b.chunk_index";

/* $3: the documents' ids, by the index chunk_document. Distances first, and the contents of the
 * best alone. */
static const char among_some[] =
    "WITH f AS MATERIALIZED (SELECT id, " DISTANCE " AS distance FROM public.chunk"
    " WHERE document_id" PG_EQUALS "ANY ($3)),"
    " best AS MATERIALIZED (SELECT id, distance FROM f ORDER BY distance, id LIMIT $2)"
    " SELECT " COLUMNS " FROM (SELECT c.document_id, c.page, c.chunk_index, c.content, n.distance"
    " FROM best n JOIN public.chunk c ON c.id" PG_EQUALS "n.id) b"
    " JOIN public.document d ON d.id" PG_EQUALS "b.document_id"
    " ORDER BY b.distance, b.document_id, b.chunk_index";

static const char locate_vector[] =
    "SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e"
    " JOIN pg_catalog.pg_namespace n ON n.oid" PG_EQUALS "e.extnamespace"
    " WHERE e.extname" PG_EQUALS "'vector'";

struct vector_search {
	struct flow flow;
	struct pool_lease *lease; /* borrowed */
	struct hits *hits;	  /* borrowed: filled */
	bool filtered;		 /* among the given documents alone */
	bool located;		 /* the schema was asked for: once at most */
	char limit[12];		 /* $2, as text */
	struct buf sql;		 /* owned: with the schema in it */
	struct buf vector;	 /* owned: $1, binary */
	struct buf ids;		 /* owned: $3, an array as text */
	struct pg_result result; /* owned */
};

static flow_step_fn vector_search_query, vector_search_read, vector_search_locate,
    vector_search_located;
static flow_release_fn vector_search_release;

static const struct flow_step vector_search_steps[] = {
	{ "vector_search_query", vector_search_query },
	{ "vector_search_read", vector_search_read },
	{ "vector_search_locate", vector_search_locate },
	{ "vector_search_located", vector_search_located },
	{ NULL, NULL },
};

static const struct flow_kind vector_search_kind = { .name = "search",
	.steps = vector_search_steps,
	.release = vector_search_release };

static void
vector_search_clear(void *arg)
{
	struct vector_search *s = arg;

	buf_free(&s->sql);
	buf_free(&s->vector);
	buf_free(&s->ids);
	pg_clear(&s->result);
}

/* The schema comes quoted from the server. */
static bool
vector_search_write(struct vector_search *s, const char *sql)
{
	const char *schema = pg_conn_note(s->lease->conn), *at;

	buf_reset(&s->sql);
	for (; (at = strchr(sql, '@')) != NULL; sql = at + 1) {
		buf_add(&s->sql, sql, (size_t)(at - sql));
		buf_puts(&s->sql, schema[0] != '\0' ? schema : SCHEMA_USUAL);
	}
	buf_puts(&s->sql, sql);
	return !s->sql.failed;
}

static enum flow_rc
vector_search_query(struct flow *f)
{
	struct vector_search *s = FLOW_OF(f, struct vector_search, &vector_search_kind);
	struct pg_query q = {
		.params = { { s->vector.data, (int)s->vector.len, true }, PG_TEXT(s->limit) },
		.param_count = 2,
	};

	if (!vector_search_write(s, s->filtered ? among_some : among_all))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the search");
	q.sql = s->sql.data;
	if (s->filtered)
		q.params[q.param_count++] = PG_TEXT(s->ids.data);
	pg_clear(&s->result);
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

/* No such function or operator, no such schema, or none that may be used. */
static bool
vector_is_elsewhere(const struct pg_result *r)
{
	return r->status == PG_SQL_ERROR &&
	    (strcmp(r->failure.sqlstate, "42883") == 0 ||
		strcmp(r->failure.sqlstate, "3F000") == 0 ||
		strcmp(r->failure.sqlstate, "42501") == 0);
}

static enum flow_rc
vector_search_read(struct flow *f)
{
	struct vector_search *s = FLOW_OF(f, struct vector_search, &vector_search_kind);
	enum flow_rc rc;
	unsigned rows;

	if (!s->located && vector_is_elsewhere(&s->result))
		return flow_goto(f, vector_search_locate);
	rc = pg_check(f, &s->result, ERR_NONE, "search");
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
	return FLOW_DONE;
}

static enum flow_rc
vector_search_locate(struct flow *f)
{
	struct vector_search *s = FLOW_OF(f, struct vector_search, &vector_search_kind);
	struct pg_query q = { .sql = locate_vector };

	s->located = true;
	pg_clear(&s->result);
	return pg_run(f, s->lease->conn, &q, &s->result);
}

/* Without pgvector the search fails again, with the server's reason. */
static enum flow_rc
vector_search_located(struct flow *f)
{
	struct vector_search *s = FLOW_OF(f, struct vector_search, &vector_search_kind);
	enum flow_rc rc = pg_check(f, &s->result, ERR_NONE, "search");

	if (rc != FLOW_NEXT)
		return rc;
	pg_conn_note_set(s->lease->conn, pg_rows(&s->result) > 0 ? pg_text(&s->result, 0, 0) : "");
	return flow_goto(f, vector_search_query);
}

static void
vector_search_release(struct flow *f)
{
	vector_search_clear(f);
}

enum flow_rc
search_chunks(struct flow *f, struct pool_lease *lease, const struct search_request *r,
    struct hits *hits)
{
	struct vector_search *s = arena_alloc(f->arena, sizeof(*s));

	assert(r->k >= 1 && r->k <= SEARCH_K_MAX && r->document_count <= SEARCH_DOCUMENTS_MAX);
	*hits = (struct hits){ 0 };
	if (s == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the search");
	s->lease = lease;
	s->hits = hits;
	s->filtered = r->document_count > 0;
	snprintf(s->limit, sizeof(s->limit), "%u", r->k);
	buf_init(&s->sql, SQL_MAX);
	buf_init(&s->vector, PG_BINARY_VECTOR_SIZE(r->dimensions));
	buf_init(&s->ids, (size_t)64 << 10);
	if (!pg_binary_vector(&s->vector, r->vector, r->dimensions) ||
	    !pg_text_array(&s->ids, r->document_ids, r->document_count)) {
		vector_search_clear(s);
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the search");
	}
	return flow_call(f, &s->flow, &vector_search_kind);
}
