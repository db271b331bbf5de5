/* SPDX-License-Identifier: MIT */
/*
 * document_undo: a document has failed: its row of the list (documents.c) goes back to what it was,
 * or says so. A flow of its own, which nobody waits for, with copies of all it needs.
 */
#include <inttypes.h>

#include "retrieval/document_listing.h"
#include "tenantgate/base/log.h"
#include "tenantgate/wire/pg_sql.h"

#define UNDO_TIMEOUT_US (10 * 1000000ull)
#define UNDO_ARENA	4096 /* bytes: the struct, a tenant's id and a document's */

struct document_undo {
	struct flow flow;
	struct catalog *catalog; /* borrowed */
	const char *tenant;	 /* arena, as the query's texts */
	struct pg_query query;
	struct pg_result result; /* owned */
};

static flow_step_fn undo_query, undo_check;
static flow_end_fn undo_end;
static flow_release_fn undo_release;

static const struct flow_step undo_steps[] = {
	{ "undo_query", undo_query },
	{ "undo_check", undo_check },
	{ NULL, NULL },
};

static const struct flow_kind undo_kind = { .name = "documents_undo",
	.steps = undo_steps,
	.end = undo_end,
	.release = undo_release };

static enum flow_rc
undo_query(struct flow *f)
{
	struct document_undo *u = FLOW_OF(f, struct document_undo, &undo_kind);

	return catalog_run(f, u->catalog, CATALOG_DOCUMENTS, slice_str(u->tenant), &u->query,
	    &u->result);
}

static enum flow_rc
undo_check(struct flow *f)
{
	return documents_written(f, &FLOW_OF(f, struct document_undo, &undo_kind)->result,
	    "note that the document has failed");
}

/* Not retried: a later request of the tenant reconciles the row. */
static void
undo_end(struct flow *f, const struct err *err)
{
	if (err_is(err))
		log_event(LOG_WARNING, "documents.undo_failed", NULL,
		    "A document stays 'ingesting' in the catalog until it is reconciled: %s",
		    err->detail);
	(void)f;
}

/* The flow itself lies in the arena: nothing of it is touched afterwards. */
static void
undo_release(struct flow *f)
{
	struct arena *arena = f->arena;

	pg_clear(&FLOW_OF(f, struct document_undo, &undo_kind)->result);
	arena_free(arena);
}

#define UNFINISHED \
	" WHERE user_id" PG_EQUALS "$1 AND document_id" PG_EQUALS "$2" \
	" AND status" PG_EQUALS "'ingesting' AND coalesce(attempt, '')" PG_EQUALS "$3"

/* Starts it with the query, whose texts are in the arena; without memory for one of them it is only
 * logged. */
static void
undo_start(struct worker *w, struct catalog *c, struct arena *arena, struct document_undo *u,
    const struct pg_query *q)
{
	for (unsigned i = 0; i < q->param_count; i++)
		if (q->params[i].data == NULL) {
			log_event(LOG_WARNING, "documents.undo_failed", NULL,
			    "There is no memory to note that a document has failed; its row is "
			    "reconciled later.");
			arena_free(arena);
			return;
		}
	u->catalog = c;
	u->tenant = q->params[0].data;
	u->query = *q;
	flow_start(&u->flow, &undo_kind, w, arena);
	flow_deadline(&u->flow, UNDO_TIMEOUT_US);
}

#define UNDO_TEXT(text) PG_TEXT(arena_strdup(arena, text))

void
documents_failed(struct worker *w, struct catalog *c, const char *tenant, const struct document *d,
    const char *reason, bool own_only)
{
	struct arena *arena = arena_new(UNDO_ARENA);
	struct document_undo *u = arena_first(arena, sizeof(*u));
	const struct pg_query q = {
		.sql = OLD_ONES_GO
		"INSERT INTO public.documents AS row (user_id, document_id, title, file_name,"
		" mime_type, bytes, status, reason, owner_id)"
		" VALUES ($1, $2, $3, $4, $5, $6, 'failed', $7,"
		" CASE WHEN $8::pg_catalog.text" PG_DIFFERS "'' THEN $8 END)"
		" ON CONFLICT (user_id, document_id) DO UPDATE SET title = excluded.title,"
		" file_name = excluded.file_name, mime_type = excluded.mime_type,"
		" bytes = excluded.bytes, reason = excluded.reason,"
		" owner_id = excluded.owner_id, updated_at = " PG_NOW " WHERE row.status" PG_EQUALS
		"'failed' AND (NOT $9::pg_catalog.text::boolean OR row.owner_id" PG_EQUALS "$8)",
		.params = { UNDO_TEXT(tenant), UNDO_TEXT(d->id), UNDO_TEXT(d->title),
		    UNDO_TEXT(d->file_name), UNDO_TEXT(d->mime_type),
		    PG_TEXT(arena_printf(arena, "%" PRIu64, d->bytes)), UNDO_TEXT(reason),
		    UNDO_TEXT(d->owner != NULL ? d->owner : ""),
		    UNDO_TEXT(own_only ? "true" : "false") },
		.param_count = 9,
	};

	undo_start(w, c, arena, u, &q);
}

void
documents_undo(struct worker *w, struct catalog *c, const char *tenant, const char *document_id,
    const char *attempt, const char *reason)
{
	struct arena *arena = arena_new(UNDO_ARENA);
	struct document_undo *u = arena_first(arena, sizeof(*u));
	const struct pg_query q = {
		.sql = OLD_ONES_GO
		"UPDATE public.documents SET attempt = NULL, updated_at = " PG_NOW ","
		" status = CASE WHEN sha256 IS NULL THEN 'failed' ELSE 'ready' END,"
		" reason = CASE WHEN sha256 IS NULL THEN $4 END" UNFINISHED,
		.params = { UNDO_TEXT(tenant), UNDO_TEXT(document_id), UNDO_TEXT(attempt),
		    UNDO_TEXT(reason) },
		.param_count = 4,
	};

	undo_start(w, c, arena, u, &q);
}
