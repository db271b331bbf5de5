/* SPDX-License-Identifier: MIT */
/*
 * expire: a tenant's documents whose time is over go, as by a deletion (document_delete.c): the
 * version that the list has is marked, erased from the tenant's database, and its row dropped.
 *
 *	[mark] --> [marked] --> none is over: done
 *	  ^            v
 *	  |        [erase] --> [drop] --+
 *	  +-----------------------------+
 *
 * A page at a time. Where another version is stored than the list has, the row stays 'deleting' and
 * is reconciled.
 */
#include <stdlib.h>

#include "retrieval/pg_binary.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/retrieval.h"
#include "tenantgate/retrieval/upkeep.h"
#include "tenantgate/wire/pg_sql.h"

#define EXPIRE_PAGE	 50
#define EXPIRE_ARRAY_MAX (64u << 10)
#define EXPIRE_PAGES_MAX 100 /* in one request; the rest goes at the next */

struct expiry {
	struct flow flow;
	struct catalog *catalog; /* borrowed, as all here */
	struct pools *pools;
	const struct pool_target *target;
	const char *tenant;
	uint64_t *next_us;
	unsigned pages;
	struct pool_lease lease;
	struct buf columns[3];	 /* owned: ids, digests and times as text[] */
	struct pg_result rows;	 /* owned: the page, then what of it is erased */
	struct pg_result result; /* owned */
};

static flow_step_fn expire_mark, expire_marked, expire_erase, expire_drop, expire_dropped;
static flow_end_fn expire_end;
static flow_release_fn expire_release;

static const struct flow_step expire_steps[] = {
	{ "expire_mark", expire_mark },
	{ "expire_marked", expire_marked },
	{ "expire_erase", expire_erase },
	{ "expire_drop", expire_drop },
	{ "expire_dropped", expire_dropped },
	{ NULL, NULL },
};

static const struct flow_kind expire_kind = { .name = "documents_expire",
	.steps = expire_steps,
	.end = expire_end,
	.release = expire_release };

static struct expiry *
expiry_of(struct flow *f)
{
	return FLOW_OF(f, struct expiry, &expire_kind);
}

/* What was marked and not dropped is marked again. One row more than there are documents says when
 * the next one's time is over. */
static const char mark_due[] =
    "WITH due AS (SELECT document_id FROM public.documents WHERE user_id" PG_EQUALS "$1"
    " AND expires_at" PG_AT_MOST PG_NOW " AND (status" PG_EQUALS "'ready' OR status" PG_EQUALS
    "'deleting') ORDER BY expires_at LIMIT 50),"
    " marked AS (UPDATE public.documents AS row SET status = 'deleting', attempt = NULL,"
    " reason = NULL, updated_at = " PG_NOW " FROM due WHERE row.user_id" PG_EQUALS "$1"
    " AND row.document_id" PG_EQUALS "due.document_id AND (row.status" PG_EQUALS "'ready'"
    " OR row.status" PG_EQUALS "'deleting') RETURNING row.document_id, row.sha256, " PG_RFC3339(
	"row.created_at") " AS created_text)"
			  " SELECT m.document_id, coalesce(m.sha256, ''), m.created_text,"
			  " (extract(epoch FROM (n.next" PG_MINUS PG_NOW "))" PG_TIMES
			  "1000000)::bigint FROM (SELECT pg_catalog.min(expires_at) AS next"
			  " FROM public.documents WHERE user_id" PG_EQUALS
			  "$1 AND expires_at" PG_ABOVE PG_NOW
			  ") AS n LEFT JOIN marked AS m ON true";

static enum flow_rc
expire_mark(struct flow *f)
{
	struct expiry *e = expiry_of(f);
	const struct pg_query q = {
		.sql = mark_due,
		.params = { PG_TEXT(mutated(MUTATION_EXPIRED_ROWS, e->tenant)) },
		.param_count = 1,
	};

	_Static_assert(EXPIRE_PAGE == 50, "the statement's number");
	return catalog_run(f, e->catalog, CATALOG_DOCUMENTS, slice_str(e->tenant), &q, &e->rows);
}

/* The rows' three columns as arrays. */
static bool
expire_columns(struct expiry *e)
{
	unsigned rows = pg_rows(&e->rows);
	const char *texts[EXPIRE_PAGE];

	for (unsigned column = 0; column < 3; column++) {
		for (unsigned i = 0; i < rows; i++)
			texts[i] = pg_text(&e->rows, i, column);
		buf_reset(&e->columns[column]);
		if (!pg_text_array(&e->columns[column], texts, rows))
			return false;
	}
	return true;
}

static enum flow_rc
expire_no_memory(struct flow *f)
{
	return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the documents whose time is over");
}

static enum flow_rc
expire_marked(struct flow *f)
{
	struct expiry *e = expiry_of(f);
	enum flow_rc rc = catalog_check(f, &e->rows, "look for documents whose time is over");

	if (rc != FLOW_NEXT)
		return rc;
	*e->next_us = pg_value(&e->rows, 0, 3).p == NULL
	    ? UINT64_MAX
	    : strtoull(pg_text(&e->rows, 0, 3), NULL, 10);
	if (pg_value(&e->rows, 0, 0).p == NULL || e->pages++ == EXPIRE_PAGES_MAX)
		return FLOW_DONE;
	if (!expire_columns(e))
		return expire_no_memory(f);
	flow_deadline(&e->flow,
	    0); /* what is marked is erased: the request's own time is the end */
	return pool_borrow(f, e->pools, e->target, &e->lease);
}

#define VERSIONS(first, second, third) \
	"ROWS FROM (pg_catalog.unnest(" first "::pg_catalog.text[])," \
	" pg_catalog.unnest(" second "::pg_catalog.text[])," \
	" pg_catalog.unnest(" third "::pg_catalog.text[])) AS v(id, sha256, created_text)"
#define IS_THAT \
	"d.sha256" PG_EQUALS "v.sha256 AND " PG_RFC3339("d.created_at") PG_EQUALS "v.created_text"

static enum flow_rc
expire_erase(struct flow *f)
{
	struct expiry *e = expiry_of(f);
	const struct pg_query q = {
		.sql = "WITH gone AS (DELETE FROM public.document AS d USING " VERSIONS("$1", "$2",
		    "$3") " WHERE d.id" PG_EQUALS "v.id AND " IS_THAT ")"
			  " SELECT v.id, v.sha256, v.created_text FROM " VERSIONS("$1", "$2",
			      "$3") " WHERE NOT EXISTS (SELECT 1 FROM"
				    " public.document AS d WHERE d.id" PG_EQUALS
				    "v.id AND NOT (" IS_THAT "))",
		.params = { PG_TEXT(e->columns[0].data), PG_TEXT(e->columns[1].data),
		    PG_TEXT(e->columns[2].data) },
		.param_count = 3,
	};

	return pool_read(f, &e->lease, &q, &e->rows);
}

static enum flow_rc
expire_drop(struct flow *f)
{
	struct expiry *e = expiry_of(f);
	enum flow_rc rc = pg_check(f, &e->rows, ERR_NONE, "delete what has expired");
	struct pg_query q = {
		.sql = "DELETE FROM public.documents AS d USING " VERSIONS("$2", "$3",
		    "$4") " WHERE d.user_id" PG_EQUALS "$1 AND d.document_id" PG_EQUALS "v.id"
			  " AND d.status" PG_EQUALS "'deleting' AND (" IS_THAT
			  " OR (d.sha256 IS NULL AND v.sha256" PG_EQUALS "''))",
		.params = { PG_TEXT(mutated(MUTATION_EXPIRED_ROWS, e->tenant)) },
		.param_count = 4,
	};

	if (rc != FLOW_NEXT)
		return rc;
	pool_return(&e->lease, POOL_CLEAN);
	if (!expire_columns(e))
		return expire_no_memory(f);
	for (unsigned i = 0; i < 3; i++)
		q.params[1 + i] = PG_TEXT(e->columns[i].data);
	return catalog_run(f, e->catalog, CATALOG_DOCUMENTS, slice_str(e->tenant), &q, &e->result);
}

/* Where none of a page went, its rows are left to the reconciliation. */
static enum flow_rc
expire_dropped(struct flow *f)
{
	struct expiry *e = expiry_of(f);
	enum flow_rc rc = catalog_check(f, &e->result, "take what has expired from the list");

	if (rc != FLOW_NEXT)
		return rc;
	return pg_changed(&e->result) > 0 ? flow_goto(f, expire_mark) : FLOW_DONE;
}

static void
expire_end(struct flow *f, const struct err *err)
{
	(void)err;
	pool_return(&expiry_of(f)->lease, POOL_DIRTY);
}

static void
expire_release(struct flow *f)
{
	struct expiry *e = expiry_of(f);

	for (unsigned i = 0; i < 3; i++)
		buf_free(&e->columns[i]);
	pg_clear(&e->rows);
	pg_clear(&e->result);
}

enum flow_rc
documents_expire(struct flow *f, struct catalog *c, struct pools *pools,
    const struct pool_target *target, const char *tenant, uint64_t look_us, uint64_t *next_us,
    struct err *why)
{
	struct expiry *e = arena_alloc(f->arena, sizeof(*e));
	enum flow_rc rc;

	if (e == NULL)
		return expire_no_memory(f);
	e->catalog = c;
	e->pools = pools;
	e->target = target;
	e->tenant = tenant;
	e->next_us = next_us;
	for (unsigned i = 0; i < 3; i++)
		buf_init(&e->columns[i], EXPIRE_ARRAY_MAX);
	rc = flow_try(f, &e->flow, &expire_kind, why);
	flow_deadline(&e->flow, look_us);
	return rc;
}
