/* SPDX-License-Identifier: MIT */
/*
 * document_describe: a new title, file name, type, metadata or expiry of a document that is stored
 * already: one statement, which may be repeated. The chunks and their vectors stay.
 */
#include "retrieval/document_owner.h"

#define DESCRIBE(changes, condition, expiry) \
	"UPDATE public.document AS row SET title = $3, file_name = $4, mime_type = $5," \
	" metadata = $6" changes " WHERE id" PG_EQUALS "$1 AND sha256" PG_EQUALS "$2" condition \
	" RETURNING " expiry

struct document_describe {
	struct flow flow;
	struct pool_lease *lease;  /* borrowed */
	int schema_version;	   /* of the tenant's database */
	const char *owner;	   /* borrowed; NULL: whoever's */
	struct document *document; /* borrowed: its stored_expires_at is filled */
	bool *found;		   /* borrowed: filled */
	struct pg_result result;   /* owned */
};

static flow_step_fn document_describe_query, document_describe_read;

static const struct flow_step document_describe_steps[] = {
	{ "document_describe_query", document_describe_query },
	{ "document_describe_read", document_describe_read },
	{ NULL, NULL },
};

static const struct flow_kind document_describe_kind = { .name = "describe",
	.steps = document_describe_steps };

static void
document_describe_clear(void *arg)
{
	pg_clear(&((struct document_describe *)arg)->result);
}

/* The digest is asked for too: other bytes may have come under this id meanwhile, and have names of
 * their own. */
static enum flow_rc
document_describe_query(struct flow *f)
{
	struct document_describe *s = FLOW_OF(f, struct document_describe, &document_describe_kind);
	const struct document *d = s->document;
	struct pg_query q = {
		.sql = DESCRIBE("", "", "NULL"),
		.params = { PG_TEXT(d->id), PG_TEXT(d->sha256), PG_TEXT(d->title),
		    PG_TEXT(d->file_name), PG_TEXT(d->mime_type), PG_TEXT(d->metadata) },
		.param_count = 6,
	};

	if (document_has_owner(s->schema_version)) {
		q.sql = DESCRIBE(", expires_at = " EXPIRY_GIVEN_OR_KEPT("$7", "row."),
		    " AND ($8::pg_catalog.text IS NULL OR owner_id" PG_EQUALS "$8)",
		    EXPIRY_STORED(""));
		q.params[q.param_count++] = PG_TEXT(d->expires_at);
		q.params[q.param_count++] = PG_TEXT(s->owner);
	}
	flow_defer(f, document_describe_clear, s);
	return pool_read(f, s->lease, &q, &s->result);
}

static enum flow_rc
document_describe_read(struct flow *f)
{
	struct document_describe *s = FLOW_OF(f, struct document_describe, &document_describe_kind);
	enum flow_rc rc = pg_check(f, &s->result, ERR_NONE, "describe the document");

	if (rc != FLOW_NEXT)
		return rc;
	*s->found = pg_rows(&s->result) > 0;
	if (*s->found && pg_value(&s->result, 0, 0).p != NULL)
		s->document->stored_expires_at = arena_strdup(f->arena, pg_text(&s->result, 0, 0));
	return FLOW_NEXT;
}

enum flow_rc
store_describe(struct flow *f, struct pool_lease *lease, int schema_version, const char *owner,
    struct document *d, bool *found)
{
	struct document_describe *s = arena_alloc(f->arena, sizeof(*s));

	*found = false;
	if (s == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the document's row");
	s->lease = lease;
	s->schema_version = schema_version;
	s->owner = owner;
	s->document = d;
	s->found = found;
	return flow_call(f, &s->flow, &document_describe_kind);
}
