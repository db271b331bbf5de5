/* SPDX-License-Identifier: MIT */
/*
 * document_equal: whether a tenant has the same bytes already, under whatever id. The catalog's
 * list is asked, which wakes no sleeping database.
 */
#include <stdlib.h>

#include "retrieval/document_listing.h"
#include "retrieval/pg_binary.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/wire/pg_sql.h"

struct equal_search {
	struct flow flow;
	struct catalog *catalog;       /* borrowed */
	const char *tenant;	       /* borrowed */
	const struct document *wanted; /* borrowed */
	struct document *found;	       /* borrowed: filled */
	bool *is_found;		       /* borrowed: filled */
	struct pg_result result;       /* owned */
};

static flow_step_fn equal_query, equal_read;
static flow_release_fn equal_release;

static const struct flow_step equal_steps[] = {
	{ "equal_query", equal_query },
	{ "equal_read", equal_read },
	{ NULL, NULL },
};

static const struct flow_kind equal_kind = { .name = "equal",
	.steps = equal_steps,
	.release = equal_release };

#define TIMES PG_RFC3339("created_at") ", " PG_RFC3339("expires_at")

/* The one of the same id before others, then the oldest. One whose time is over is nobody's. */
static const char find_equal[] =
    "SELECT document_id, title, file_name, mime_type, metadata, sha256, " TIMES ", owner_id,"
    " bytes, pages, chunks FROM public.documents WHERE user_id" PG_EQUALS "$1"
    " AND sha256" PG_EQUALS "$2 AND status" PG_EQUALS "'ready'"
    " AND (expires_at IS NULL OR expires_at" PG_ABOVE PG_NOW ")"
    " AND coalesce(owner_id, '')" PG_EQUALS "$3"
    " ORDER BY (document_id" PG_EQUALS "$4) DESC, created_at LIMIT 1";

static enum flow_rc
equal_query(struct flow *f)
{
	struct equal_search *s = FLOW_OF(f, struct equal_search, &equal_kind);
	const struct document *d = s->wanted;
	const struct pg_query q = {
		.sql = find_equal,
		.params = { PG_TEXT(mutated(MUTATION_DOCUMENT_EQUAL, s->tenant)),
		    PG_TEXT(d->sha256), PG_TEXT(d->owner == NULL ? "" : d->owner), PG_TEXT(d->id) },
		.param_count = 4,
	};

	return catalog_run(f, s->catalog, CATALOG_DOCUMENTS, slice_str(s->tenant), &q, &s->result);
}

/* In the order of the columns. The result is freed with the flow, the copies live on. */
static bool
copy_listed(struct arena *a, const struct pg_result *r, struct document *d)
{
	const char **texts[] = { &d->id, &d->title, &d->file_name, &d->mime_type, &d->metadata,
		&d->sha256, &d->created_at, &d->expires_at, &d->owner };

	*d = (struct document){ 0 };
	for (unsigned i = 0; i < 9; i++) {
		if (pg_value(r, 0, i).p == NULL)
			continue; /* never, nobody's */
		*texts[i] = arena_strdup(a, pg_text(r, 0, i));
		if (*texts[i] == NULL)
			return false;
	}
	d->bytes = strtoull(pg_text(r, 0, 9), NULL, 10);
	d->pages = (unsigned)strtoul(pg_text(r, 0, 10), NULL, 10);
	d->chunks = (unsigned)strtoul(pg_text(r, 0, 11), NULL, 10);
	return true;
}

static enum flow_rc
equal_read(struct flow *f)
{
	struct equal_search *s = FLOW_OF(f, struct equal_search, &equal_kind);
	enum flow_rc rc = catalog_check(f, &s->result, "look for the same bytes");

	if (rc != FLOW_NEXT)
		return rc;
	*s->is_found = pg_rows(&s->result) > 0;
	if (*s->is_found && !copy_listed(f->arena, &s->result, s->found))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the document's row");
	return FLOW_NEXT;
}

static void
equal_release(struct flow *f)
{
	pg_clear(&FLOW_OF(f, struct equal_search, &equal_kind)->result);
}

enum flow_rc
documents_find_equal(struct flow *f, struct catalog *c, const char *tenant,
    const struct document *wanted, struct document *found, bool *is_found)
{
	struct equal_search *s = arena_alloc(f->arena, sizeof(*s));

	if (s == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the document's row");
	s->catalog = c;
	s->tenant = tenant;
	s->wanted = wanted;
	s->found = found;
	s->is_found = is_found;
	return flow_call(f, &s->flow, &equal_kind);
}
