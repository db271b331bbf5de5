/* SPDX-License-Identifier: MIT */
#include "retrieval/search_name.h"

#include <stdio.h>
#include <string.h>

#include "retrieval/text_store.h"
#include "tenantgate/base/digest.h"
#include "tenantgate/retrieval/search_filter.h"

/* Of the names that a connection has room for; the rest is for searches without a filter. */
#define FILTERS_MAX 6

/* Of the condition's text, which has nothing but the filter's shape. A client chooses the shape, so
 * it must not find two of one digest. False without memory. */
static bool
shape_digest(const struct search_filter *filter, char out[SEARCH_SHAPE_SIZE])
{
	char hex[SHA256_HEX_SIZE];
	struct buf sql;
	bool ok;

	buf_init(&sql, SEARCH_FILTER_SQL_MAX);
	ok = search_filter_condition(filter, 1, &sql);
	if (ok) {
		sha256_hex(buf_view(&sql), hex);
		memcpy(out, hex, SEARCH_SHAPE_SIZE - 1);
		out[SEARCH_SHAPE_SIZE - 1] = '\0';
	}
	buf_free(&sql);
	return ok;
}

/* A tenant's database may get places while the connection lasts. */
static const char *
kind_of(const struct search_request *r)
{
	if (r->mode != SEARCH_HYBRID)
		return "search";
	return text_has_places(r->schema_version) ? "hybrid" : "hybrid3";
}

/* Two statements: a score of the user's own says nothing of others' words. */
static int
of_owner(const struct search_request *r)
{
	return r->own_only ? 2 : r->owner != NULL;
}

/* An application has a few shapes, which come again and again, and each saves half a millisecond of
 * planning; one that differs each time would only fill the connection. So a shape gets a name when
 * it comes twice in a row, and only some do. */
static void
filtered_name(const struct search_request *r, const struct pg_conn *c, struct search_note *n,
    char out[PG_PREPARED_NAME_MAX + 1])
{
	char shape[SEARCH_SHAPE_SIZE];

	if (!shape_digest(r->filter, shape))
		return;
	snprintf(out, PG_PREPARED_NAME_MAX + 1, "%s_some_%d%d_%u_%s", kind_of(r),
	    r->document_count > 0, of_owner(r), n->generation, shape);
	if (pg_is_prepared(c, out))
		return;
	if (strcmp(n->shape, shape) != 0 || n->filters == FILTERS_MAX || !pg_may_prepare(c))
		out[0] = '\0';
	else
		n->filters++;
	memcpy(n->shape, shape, sizeof(shape));
}

void
search_name(enum vector_way way, const struct search_request *r, const struct pg_conn *c,
    struct search_note *n, char out[PG_PREPARED_NAME_MAX + 1])
{
	const size_t size = PG_PREPARED_NAME_MAX + 1;

	out[0] = '\0';
	if (way == WAY_EXACT)
		snprintf(out, size, "%s_exact_%u", kind_of(r), n->generation);
	else if (way == WAY_INDEX)
		snprintf(out, size, "%s_%s_%u%s", kind_of(r), n->index.name, n->generation,
		    vector_by_sketches(&n->index, r) ? "s" : "");
	else if (way == WAY_TEXT)
		snprintf(out, size, "search_text%s_%u",
		    text_has_places(r->schema_version) ? "" : "3", n->generation);
	else if (way == WAY_EXACT_SOME && r->filter != NULL)
		filtered_name(r, c, n, out);
	else if (way == WAY_EXACT_SOME)
		snprintf(out, size, "%s_some_%d%d_%u", kind_of(r), r->document_count > 0,
		    of_owner(r), n->generation);
}
