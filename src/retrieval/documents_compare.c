/* SPDX-License-Identifier: MIT */
/*
 * documents_compare: which of a tenant's documents are in one place only, the catalog's list or the
 * tenant's database: what a sweep would mend (sweep.c), looked at and left as it is.
 *
 *	[borrow] --> [ids] --> [unlisted] --> [noted] -- more --> [borrow]
 *	    --> [listed] --> [lend] --> [unstored] --> [told] -- more --> [listed]
 *
 * What is stored or deleted between the two looks may be among them: a sweep would not be wrong.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "retrieval/pg_binary.h"
#include "retrieval/sweep_mend.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/id.h"
#include "tenantgate/retrieval/upkeep.h"
#include "tenantgate/wire/pg_sql.h"

#define COMPARE_PAGE  500
#define COMPARE_ARRAY (512u << 10)

struct comparison {
	struct flow flow;
	struct catalog *catalog; /* borrowed, as all to out */
	struct pools *pools;
	const struct pool_target *target;
	const char *tenant;
	struct documents_difference *out;
	struct pool_lease lease;
	char cursor[DOCUMENT_ID_MAX + 1];
	bool is_last;
	struct buf ids;		       /* owned: text[] */
	struct pg_result page, result; /* owned */
};

static flow_step_fn compare_borrow, compare_ids, compare_unlisted, compare_noted, compare_listed,
    compare_lend, compare_unstored, compare_told;
static flow_end_fn compare_end;
static flow_release_fn compare_release;

static const struct flow_step compare_steps[] = {
	{ "borrow", compare_borrow },
	{ "ids", compare_ids },
	{ "unlisted", compare_unlisted },
	{ "noted", compare_noted },
	{ "listed", compare_listed },
	{ "lend", compare_lend },
	{ "unstored", compare_unstored },
	{ "told", compare_told },
	{ NULL, NULL },
};

static const struct flow_kind compare_kind = { .name = "documents_compare",
	.steps = compare_steps,
	.end = compare_end,
	.release = compare_release };

static struct comparison *
comparison_of(struct flow *f)
{
	return FLOW_OF(f, struct comparison, &compare_kind);
}

/* The page's ids as an array, and the cursor behind them. */
static bool
compare_read(struct comparison *c, unsigned page_rows)
{
	unsigned rows = pg_rows(&c->page);
	const char *ids[COMPARE_PAGE];

	for (unsigned i = 0; i < rows && i < COMPARE_PAGE; i++)
		ids[i] = pg_text(&c->page, i, 0);
	c->is_last = rows < page_rows;
	if (rows > 0)
		snprintf(c->cursor, sizeof(c->cursor), "%s", ids[rows - 1]);
	buf_reset(&c->ids);
	return pg_text_array(&c->ids, ids, rows);
}

/* No more are shown than there is room for; all are counted. */
static void
compare_take(const struct pg_result *r, unsigned *count, json_t *list)
{
	for (unsigned i = 0; i < pg_rows(r); i++, (*count)++)
		if (json_array_size(list) < DOCUMENTS_SHOWN)
			json_array_append_new(list, json_string(pg_text(r, i, 0)));
}

/* ---- stored, and not listed ---- */

static enum flow_rc
compare_borrow(struct flow *f)
{
	struct comparison *c = comparison_of(f);

	return pool_borrow(f, c->pools, c->target, &c->lease);
}

static enum flow_rc
compare_ids(struct flow *f)
{
	struct comparison *c = comparison_of(f);
	const struct pg_query q = {
		.sql = "SELECT id FROM public.document WHERE id" PG_ABOVE "$1"
		       " AND pg_catalog.octet_length(id)" PG_AT_MOST "128 ORDER BY id LIMIT 500",
		.params = { PG_TEXT(c->cursor) },
		.param_count = 1,
	};

	_Static_assert(COMPARE_PAGE == 500 && DOCUMENT_ID_MAX == 128, "the statement's numbers");
	return pool_read(f, &c->lease, &q, &c->page);
}

static enum flow_rc
compare_unlisted(struct flow *f)
{
	struct comparison *c = comparison_of(f);
	enum flow_rc rc = pg_check(f, &c->page, ERR_NONE, "look through the documents");
	struct pg_query q = {
		.sql = "SELECT i.id FROM pg_catalog.unnest($2::pg_catalog.text[]) AS i(id)"
		       " WHERE NOT EXISTS (SELECT FROM public.documents d WHERE d.user_id" PG_EQUALS
		       "$1 AND d.document_id" PG_EQUALS "i.id AND d.status" PG_DIFFERS "'failed')",
		.params = { PG_TEXT(c->tenant) },
		.param_count = 2,
	};

	if (rc != FLOW_NEXT)
		return rc;
	pool_return(&c->lease, POOL_CLEAN);
	if (!compare_read(c, COMPARE_PAGE))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the list of documents");
	q.params[1] = PG_TEXT(c->ids.data);
	return catalog_run(f, c->catalog, CATALOG_DOCUMENTS, slice_str(c->tenant), &q, &c->result);
}

static enum flow_rc
compare_noted(struct flow *f)
{
	struct comparison *c = comparison_of(f);
	enum flow_rc rc = catalog_check(f, &c->result, "compare the list of documents");

	if (rc != FLOW_NEXT)
		return rc;
	compare_take(&c->result, &c->out->unlisted_count, c->out->unlisted);
	if (!c->is_last)
		return flow_goto(f, compare_borrow);
	c->cursor[0] = '\0';
	return FLOW_NEXT;
}

/* ---- listed, and not stored ---- */

static enum flow_rc
compare_listed(struct flow *f)
{
	struct comparison *c = comparison_of(f);

	return sweep_list_page(f, c->catalog, c->tenant, c->cursor, &c->page);
}

static enum flow_rc
compare_lend(struct flow *f)
{
	struct comparison *c = comparison_of(f);
	enum flow_rc rc = catalog_check(f, &c->page, "look through the list of documents");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&c->page) == 0)
		return FLOW_DONE;
	if (!compare_read(c, SWEEP_ROWS_PAGE))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the list of documents");
	return pool_borrow(f, c->pools, c->target, &c->lease);
}

static enum flow_rc
compare_unstored(struct flow *f)
{
	struct comparison *c = comparison_of(f);
	const struct pg_query q = {
		.sql =
		    "SELECT i.id FROM pg_catalog.unnest($1::pg_catalog.text[]) AS i(id)"
		    " WHERE NOT EXISTS (SELECT FROM public.document d WHERE d.id" PG_EQUALS "i.id)",
		.params = { PG_TEXT(c->ids.data) },
		.param_count = 1,
	};

	return pool_read(f, &c->lease, &q, &c->result);
}

static enum flow_rc
compare_told(struct flow *f)
{
	struct comparison *c = comparison_of(f);
	enum flow_rc rc = pg_check(f, &c->result, ERR_NONE, "look through the documents");

	if (rc != FLOW_NEXT)
		return rc;
	pool_return(&c->lease, POOL_CLEAN);
	compare_take(&c->result, &c->out->unstored_count, c->out->unstored);
	return c->is_last ? FLOW_DONE : flow_goto(f, compare_listed);
}

static void
compare_end(struct flow *f, const struct err *err)
{
	struct comparison *c = comparison_of(f);

	(void)err;
	pool_return(&c->lease, POOL_DIRTY);
	pg_clear(&c->page);
	pg_clear(&c->result);
	buf_free(&c->ids);
}

static void
compare_release(struct flow *f)
{
	free(comparison_of(f));
}

enum flow_rc
documents_compare(struct flow *f, struct catalog *catalog, struct pools *pools,
    const struct pool_target *target, const char *tenant, struct documents_difference *out)
{
	struct comparison *c = xcalloc(1, sizeof(*c));

	c->catalog = catalog;
	c->pools = pools;
	c->target = target;
	c->tenant = tenant;
	c->out = out;
	buf_init(&c->ids, COMPARE_ARRAY);
	return flow_call(f, &c->flow, &compare_kind);
}
