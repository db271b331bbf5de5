/* SPDX-License-Identifier: MIT */
/*
 * document_find: one document's row in the tenant's database, copied into the flow's arena: to know
 * the same bytes again before they are embedded, and to reconcile the catalog's list.
 */
#include <stdlib.h>

#include "retrieval/document_owner.h"

#define FIND(columns) \
	"SELECT id, title, file_name, mime_type, metadata, sha256, " PG_RFC3339( \
	    "created_at") ", bytes, pages, chunks" columns \
			  " FROM public.document WHERE id" PG_EQUALS "$1"

struct document_find {
	struct flow flow;
	struct pool_lease *lease;  /* borrowed */
	int schema_version;	   /* of the tenant's database */
	const char *id;		   /* borrowed */
	struct document *document; /* borrowed: filled */
	bool *found;		   /* borrowed: filled */
	struct pg_result result;   /* owned */
};

static flow_step_fn document_find_query, document_find_read;

static const struct flow_step document_find_steps[] = {
	{ "document_find_query", document_find_query },
	{ "document_find_read", document_find_read },
	{ NULL, NULL },
};

static const struct flow_kind document_find_kind = { .name = "find", .steps = document_find_steps };

static void
document_find_clear(void *arg)
{
	pg_clear(&((struct document_find *)arg)->result);
}

static enum flow_rc
document_find_query(struct flow *f)
{
	struct document_find *s = FLOW_OF(f, struct document_find, &document_find_kind);
	const struct pg_query q = {
		.sql = document_has_owner(s->schema_version)
		    ? FIND(", " OWNER_STORED("") ", " EXPIRY_STORED(""))
		    : FIND(", NULL, NULL"),
		.params = { PG_TEXT(s->id) },
		.param_count = 1,
	};

	flow_defer(f, document_find_clear, s);
	return pool_read(f, s->lease, &q, &s->result);
}

/* In the order of the columns. The result is freed with the flow, the copies live on. */
static bool
copy_document(struct arena *a, const struct pg_result *r, struct document *d)
{
	const char **texts[] = { &d->id, &d->title, &d->file_name, &d->mime_type, &d->metadata,
		&d->sha256, &d->created_at, NULL, NULL, NULL, &d->owner, &d->stored_expires_at };

	*d = (struct document){ 0 };
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i] == NULL || pg_value(r, 0, i).p == NULL)
			continue;
		*texts[i] = arena_strdup(a, pg_text(r, 0, i));
		if (*texts[i] == NULL)
			return false;
	}
	d->bytes = strtoull(pg_text(r, 0, 7), NULL, 10);
	d->pages = (unsigned)strtoul(pg_text(r, 0, 8), NULL, 10);
	d->chunks = (unsigned)strtoul(pg_text(r, 0, 9), NULL, 10);
	return true;
}

static enum flow_rc
document_find_read(struct flow *f)
{
	struct document_find *s = FLOW_OF(f, struct document_find, &document_find_kind);
	enum flow_rc rc = pg_check(f, &s->result, ERR_NONE, "find the document");

	if (rc != FLOW_NEXT)
		return rc;
	*s->found = pg_rows(&s->result) > 0;
	if (*s->found && !copy_document(f->arena, &s->result, s->document))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the document's row");
	return FLOW_NEXT;
}

enum flow_rc
store_find(struct flow *f, struct pool_lease *lease, int schema_version, const char *id,
    struct document *out, bool *found)
{
	struct document_find *s = arena_alloc(f->arena, sizeof(*s));

	*found = false;
	if (s == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the document's row");
	s->lease = lease;
	s->schema_version = schema_version;
	s->id = id;
	s->document = out;
	s->found = found;
	return flow_call(f, &s->flow, &document_find_kind);
}
