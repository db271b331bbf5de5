/* SPDX-License-Identifier: MIT */
/*
 * documents: the catalog's list of every tenant's documents, so that a list can be read without
 * waking a sleeping database.
 *
 *	(none) --begin--> [ingesting] --ready--> [ready]
 *	                    |     ^                |
 *	[failed] <----------+-----+-----begin------+
 *	                   undo
 *
 * (document_begin.c has the way in, document_delete.c the way out.) What always holds:
 *  - The row keeps what the last 'ready' wrote until the next one: a row without a digest was never
 *    ready, so undo makes it 'failed'; another goes back to 'ready' as it was.
 *  - A row is made 'ready' by the attempt that began it, and only if nobody has taken it since.
 *    Where somebody has, or there is no row, it is 'ingesting': in doubt, until it is reconciled.
 *  - A row that is 'deleting' is left alone, but for another version than the one that is to go.
 *  - Every statement may be repeated: catalog_run() sends one again when its connection had died.
 */
#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "retrieval/document_listing.h"
#include "retrieval/document_owner.h"
#include "tenantgate/base/log.h"

#define UNDO_TIMEOUT_US	      (10 * 1000000ull)
#define UNDO_ARENA	      4096	  /* bytes: the struct, a tenant's id and a document's */
#define NUMBER_SIZE	      24	  /* a uint64_t in decimal */
#define LISTING_MAGIC	      0x4c495354u /* "LIST" */
#define FOREIGN_KEY_VIOLATION "23503"

/* One statement about one row: a child of the caller's flow, or (undo) a flow of its own. */
struct listing {
	struct flow flow;
	unsigned magic;
	struct catalog *catalog; /* borrowed */
	const char *tenant;	 /* borrowed, as the query's texts */
	const char *what;	 /* static: what it does, for the log and the failure */
	struct pg_query query;	 /* its texts are borrowed, as catalog_run() says */
	struct pg_result result; /* owned */
	bool *in_doubt;		 /* borrowed, NULL but for documents_ready() */
	struct document *listed; /* the same */
	bool is_stored_before;	 /* no attempt of its own: the version was found there */
	bool spares_deleting;	 /* no row comes back: it is being deleted */
	char numbers[3][NUMBER_SIZE];
};

static flow_step_fn listing_query, listing_check;
static flow_end_fn undo_end;
static flow_release_fn listing_release, undo_release;

static const struct flow_step listing_steps[] = {
	{ "documents_query", listing_query },
	{ "documents_check", listing_check },
	{ NULL, NULL },
};

static const struct flow_kind undo_kind = { .name = "documents_undo",
	.steps = listing_steps,
	.end = undo_end,
	.release = undo_release };

static const struct flow_kind listing_kind = { .name = "documents",
	.steps = listing_steps,
	.release = listing_release };

/* Of either kind; any other flow aborts the process. */
static struct listing *
listing_of(struct flow *f)
{
	struct listing *l = (struct listing *)(void *)f;

	_Static_assert(offsetof(struct listing, flow) == 0, "a flow comes first");
	assert(f->magic == FLOW_MAGIC && l->magic == LISTING_MAGIC);
	return l;
}

static enum flow_rc
listing_query(struct flow *f)
{
	struct listing *l = listing_of(f);

	return catalog_run(f, l->catalog, CATALOG_DOCUMENTS, slice_str(l->tenant), &l->query,
	    &l->result);
}

/* The tenant's row of users, which every document refers to, is gone: whoever has the tenant in a
 * cache has to look it up again (request_end). */
static enum flow_rc
tenant_is_gone(struct flow *f)
{
	struct err err = { .retry_after = 1 };

	err_set(&err, ERR_PROVISIONING,
	    "The tenant is not in the main database any more, and is looked up again. Try again in "
	    "a second.");
	return flow_fail_err(f, &err);
}

/* An owner that there is no memory for is only missing from the response. */
static void
listing_read_owner(struct listing *l)
{
	bool is_owned = pg_value(&l->result, 0, 1).p != NULL;

	l->listed->owner = is_owned ? arena_strdup(l->flow.arena, pg_text(&l->result, 0, 1)) : NULL;
}

/* The version was found in the tenant's database, and then the row of nobody, or none: a deletion
 * may have ended in between. The row is in doubt, and the next request sees what is so. */
static bool
version_may_be_gone(const struct listing *l)
{
	return l->is_stored_before && strcmp(pg_text(&l->result, 0, 3), "t") == 0;
}

/* What the deletion is to take must not be said to be stored (document_delete.c). */
enum flow_rc
document_is_going(struct flow *f)
{
	struct err err = { .retry_after = 2 };

	err_set(&err, ERR_CONFLICT,
	    "The document of this id is being deleted, or was just now. Try again in two seconds.");
	return flow_fail_err(f, &err);
}

/* A time that there is no memory for is only missing from the response. */
static void
listing_read_expiry(struct listing *l)
{
	const char *copy = arena_strdup(l->flow.arena, pg_text(&l->result, 0, 2));

	l->listed->expires_at = copy == NULL ? "" : copy;
}

enum flow_rc
documents_written(struct flow *f, const struct pg_result *r, const char *what)
{
	if (r->status == PG_SQL_ERROR && strcmp(r->failure.sqlstate, FOREIGN_KEY_VIOLATION) == 0)
		return tenant_is_gone(f);
	return catalog_check(f, r, what);
}

static enum flow_rc
listing_check(struct flow *f)
{
	struct listing *l = listing_of(f);

	if (l->spares_deleting && l->result.status == PG_OK &&
	    (pg_rows(&l->result) == 0 || version_may_be_gone(l)))
		return document_is_going(f);
	if (l->in_doubt != NULL && l->result.status == PG_OK) {
		*l->in_doubt = strcmp(pg_text(&l->result, 0, 0), "ready") != 0;
		listing_read_owner(l);
		listing_read_expiry(l);
	}
	return documents_written(f, &l->result, l->what);
}

static void
listing_release(struct flow *f)
{
	pg_clear(&listing_of(f)->result);
}

static struct listing *
listing_new(struct flow *f, struct catalog *c, const char *tenant, const char *what)
{
	struct listing *l = arena_alloc(f->arena, sizeof(*l));

	if (l != NULL) {
		l->magic = LISTING_MAGIC;
		l->catalog = c;
		l->tenant = tenant;
		l->what = what;
	}
	return l;
}

static enum flow_rc
no_memory(struct flow *f)
{
	return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the list of documents");
}

/* What is said of the time, or else what is so. */
#define EXPIRY(unsaid) \
	"CASE WHEN $14::pg_catalog.text IS NOT NULL THEN " LIST_TIME("$14") " ELSE " unsaid " END"

/* A time that is over is none: whoever stores a document once more wants to have it. */
#define KEPT "CASE WHEN row.expires_at" PG_ABOVE PG_NOW " THEN row.expires_at END"

#define WRITTEN \
	" title = excluded.title, file_name = excluded.file_name, mime_type = excluded.mime_type," \
	" metadata = excluded.metadata, created_at = excluded.created_at," \
	" bytes = excluded.bytes, pages = excluded.pages, chunks = excluded.chunks," \
	" reason = NULL, updated_at = " PG_NOW "," \
	" owner_id = " LIST_OWNER("$13") ", expires_at = " EXPIRY( \
	    LIST_EXPIRY("$15", KEPT)) "," \
				      " stored_expires_at = " LIST_STORED_EXPIRY("$15")

/* A row that is not there was deleted: a new one has no digest, as document_delete.c says. */
#define INSERTED \
	"INSERT INTO public.documents AS row (user_id, document_id, title, file_name, mime_type," \
	" metadata, created_at, bytes, pages, chunks, owner_id, expires_at," \
	" stored_expires_at, status) VALUES ($1, $2, $3, $4, $5, $7, $8, $9, $10, $11," \
	" CASE WHEN $13" PG_DIFFERS \
	"'' THEN $13::pg_catalog.text END, " EXPIRY(LIST_TIME("$15")) ", " EXPIRY_GIVEN( \
	    "$15") ", 'ingesting')" \
		   " ON CONFLICT (user_id, document_id) DO UPDATE SET" WRITTEN

#define IS_OURS \
	"(row.status" PG_EQUALS "'ingesting' AND row.attempt" PG_EQUALS \
	"$12 OR row.status" PG_EQUALS "'ready' AND coalesce(row.attempt, '')" PG_EQUALS "$12)"

/* The last parameter but three is what the two statements differ in. */
static void
written_query(struct listing *l, const char *sql, const struct document *d, const char *last)
{
	snprintf(l->numbers[0], NUMBER_SIZE, "%" PRIu64, d->bytes);
	snprintf(l->numbers[1], NUMBER_SIZE, "%u", d->pages);
	snprintf(l->numbers[2], NUMBER_SIZE, "%u", d->chunks);
	l->query = (struct pg_query){
		.sql = sql,
		.params = { PG_TEXT(l->tenant), PG_TEXT(d->id), PG_TEXT(d->title),
		    PG_TEXT(d->file_name), PG_TEXT(d->mime_type), PG_TEXT(d->sha256),
		    PG_TEXT(d->metadata), PG_TEXT(d->created_at), PG_TEXT(l->numbers[0]),
		    PG_TEXT(l->numbers[1]), PG_TEXT(l->numbers[2]), PG_TEXT(last),
		    PG_TEXT(d->owner), PG_TEXT(d->expires_at), PG_TEXT(d->stored_expires_at) },
		.param_count = 15,
	};
}

enum flow_rc
documents_ready(struct flow *f, struct catalog *c, const char *tenant, struct document *d,
    const char *attempt, bool *in_doubt)
{
	struct listing *l = listing_new(f, c, tenant, "list the document");

	if (l == NULL)
		return no_memory(f);
	l->in_doubt = in_doubt;
	l->listed = d;
	l->spares_deleting = true;
	l->is_stored_before = attempt[0] == '\0';
	written_query(l,
	    INSERTED ", status = CASE WHEN " IS_OURS " THEN 'ready' ELSE 'ingesting' END,"
		     " attempt = CASE WHEN " IS_OURS " THEN NULL ELSE row.attempt END,"
		     " sha256 = CASE WHEN (" IS_OURS ") OR row.attempt IS NOT NULL THEN $6 END"
		     " WHERE row.status" PG_DIFFERS
		     "'deleting' OR coalesce(row.sha256, '')" PG_DIFFERS
		     "$6 OR row.created_at" PG_DIFFERS "$8::pg_catalog.text::pg_catalog.timestamptz"
		     " RETURNING status, owner_id, " PG_RFC3339(
			 "expires_at") ","
				       " status" PG_EQUALS "'ingesting' AND attempt IS NULL",
	    d, attempt);
	return flow_call(f, &l->flow, &listing_kind);
}

enum flow_rc
documents_settle(struct flow *f, struct catalog *c, const char *tenant, const struct document *d,
    const char *seen)
{
	struct listing *l = listing_new(f, c, tenant, "list the document");

	if (l == NULL)
		return no_memory(f);
	written_query(l,
	    INSERTED ", status = 'ready', attempt = NULL, sha256 = $6"
		     " WHERE row.status" PG_EQUALS "'ingesting' AND row.updated_at" PG_EQUALS
		     "$12::pg_catalog.text::pg_catalog.timestamptz",
	    d, seen);
	return flow_call(f, &l->flow, &listing_kind);
}

/* ---- undo: a flow of its own, which nobody waits for ---- */

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

	listing_release(f);
	arena_free(arena);
}

#define UNFINISHED \
	" WHERE user_id" PG_EQUALS "$1 AND document_id" PG_EQUALS "$2" \
	" AND status" PG_EQUALS "'ingesting' AND coalesce(attempt, '')" PG_EQUALS "$3"

/* Starts it with the query, whose texts are in the arena; without memory for one of them it is only
 * logged. */
static void
undo_start(struct worker *w, struct catalog *c, struct arena *arena, struct listing *l,
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
	l->magic = LISTING_MAGIC;
	l->catalog = c;
	l->tenant = q->params[0].data;
	l->what = "note that the document has failed";
	l->query = *q;
	flow_start(&l->flow, &undo_kind, w, arena);
	flow_deadline(&l->flow, UNDO_TIMEOUT_US);
}

#define UNDO_TEXT(text) PG_TEXT(arena_strdup(arena, text))

void
documents_failed(struct worker *w, struct catalog *c, const char *tenant, const struct document *d,
    const char *reason)
{
	struct arena *arena = arena_new(UNDO_ARENA);
	struct listing *l = arena_first(arena, sizeof(*l));
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
		"'failed'",
		.params = { UNDO_TEXT(tenant), UNDO_TEXT(d->id), UNDO_TEXT(d->title),
		    UNDO_TEXT(d->file_name), UNDO_TEXT(d->mime_type),
		    PG_TEXT(arena_printf(arena, "%" PRIu64, d->bytes)), UNDO_TEXT(reason),
		    UNDO_TEXT(d->owner != NULL ? d->owner : "") },
		.param_count = 8,
	};

	undo_start(w, c, arena, l, &q);
}

void
documents_undo(struct worker *w, struct catalog *c, const char *tenant, const char *document_id,
    const char *attempt, const char *reason)
{
	struct arena *arena = arena_new(UNDO_ARENA);
	struct listing *l = arena_first(arena, sizeof(*l));
	const struct pg_query q = {
		.sql = OLD_ONES_GO
		"UPDATE public.documents SET attempt = NULL, updated_at = " PG_NOW ","
		" status = CASE WHEN sha256 IS NULL THEN 'failed' ELSE 'ready' END,"
		" reason = CASE WHEN sha256 IS NULL THEN $4 END" UNFINISHED,
		.params = { UNDO_TEXT(tenant), UNDO_TEXT(document_id), UNDO_TEXT(attempt),
		    UNDO_TEXT(reason) },
		.param_count = 4,
	};

	undo_start(w, c, arena, l, &q);
}
