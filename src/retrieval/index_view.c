/* SPDX-License-Identifier: MIT */
/*
 * index_view: see the header. What is counted is the tail, by its own index, and not the table.
 */
#include "tenantgate/retrieval/index_view.h"

#include <stdio.h>
#include <stdlib.h>

#include "tenantgate/wire/pg_sql.h"

#define TEXT_OF_NUMBER(n) #n
#define TEXT_OF(n)	  TEXT_OF_NUMBER(n)

static const char index_view_sql[] =
    "SELECT r.index_name, (SELECT coalesce(pg_catalog.sum(chunks), 0)::bigint FROM "
    "public.document),"
    " (SELECT pg_catalog.count(*) FROM (SELECT FROM public.chunk t WHERE t.tail AND t.id" PG_ABOVE
    "r.indexed_to LIMIT " TEXT_OF(
	INDEX_VIEW_BEHIND_MAX) ") AS behind),"
			       " r.embedding_model, r.embedding_dimensions"
			       " FROM public.retrieval r WHERE r.one";

enum index_view_column { VIEW_NAME, VIEW_CHUNKS, VIEW_BEHIND, VIEW_MODEL, VIEW_DIMENSIONS };

enum flow_rc
index_view_read(struct flow *f, struct pool_lease *lease, struct pg_result *out)
{
	struct pg_query q = { .sql = index_view_sql };

	return pool_read(f, lease, &q, out);
}

bool
index_view_parse(const struct pg_result *r, struct index_view *out)
{
	*out = (struct index_view){ .chunks = 0 };
	if (r->status != PG_OK || pg_rows(r) != 1)
		return false;
	(void)snprintf(out->name, sizeof(out->name), "%s", pg_text(r, 0, VIEW_NAME));
	(void)snprintf(out->model, sizeof(out->model), "%s", pg_text(r, 0, VIEW_MODEL));
	out->chunks = strtol(pg_text(r, 0, VIEW_CHUNKS), NULL, 10);
	out->behind = strtol(pg_text(r, 0, VIEW_BEHIND), NULL, 10);
	out->dimensions = strtol(pg_text(r, 0, VIEW_DIMENSIONS), NULL, 10);
	return true;
}
