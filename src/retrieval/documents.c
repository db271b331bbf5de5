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
 * (document_begin.c has the way in, document_delete.c the way out, document_undo.c the failures.)
 * What always holds:
 *  - The row keeps what the last 'ready' wrote until the next one: a row without a digest was never
 *    ready, so undo makes it 'failed'; another goes back to 'ready' as it was.
 *  - A row is made 'ready' by the attempt that began it, and only if nobody has taken it since.
 *    Where somebody has it is 'ingesting': in doubt, until it is reconciled.
 *  - Who deletes a document wins over who was storing it: where the row of an attempt is 'deleting'
 *    by the time of its 'ready', or has gone, it is 'deleting' and names what the attempt stored.
 *  - Every statement may be repeated: catalog_run() sends one again when its connection had died.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "retrieval/document_listing.h"
#include "retrieval/document_owner.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/mutation.h"

#define NUMBER_SIZE	      24 /* a uint64_t in decimal */
#define FOREIGN_KEY_VIOLATION "23503"

/* One statement about one row: a child of the caller's flow. */
struct listing {
	struct flow flow;
	struct catalog *catalog;	 /* borrowed */
	const char *tenant;		 /* borrowed, as the query's texts */
	const char *what;		 /* static: what it does, for the log and the failure */
	struct pg_query query;		 /* its texts are borrowed, as catalog_run() says */
	struct pg_result result;	 /* owned */
	bool *in_doubt;			 /* borrowed, NULL but for documents_ready() */
	struct document *listed;	 /* the same */
	bool is_stored_before;		 /* no attempt of its own: the version was found there */
	bool spares_deleting;		 /* no row comes back: it is being deleted */
	struct document_version version; /* to be withdrawn: of *listed */
	char numbers[3][NUMBER_SIZE];
};

static flow_step_fn listing_query, listing_check, listing_withdraw, listing_withdrawn;
static flow_release_fn listing_release;

static const struct flow_step listing_steps[] = {
	{ "documents_query", listing_query },
	{ "documents_check", listing_check },
	{ "documents_withdraw", listing_withdraw },
	{ "documents_withdrawn", listing_withdrawn },
	{ NULL, NULL },
};

static const struct flow_kind listing_kind = { .name = "documents",
	.steps = listing_steps,
	.release = listing_release };

static struct listing *
listing_of(struct flow *f)
{
	return FLOW_OF(f, struct listing, &listing_kind);
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

static bool
is_going(const struct listing *l)
{
	return version_may_be_gone(l) || strcmp(pg_text(&l->result, 0, 0), "deleting") == 0;
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

/* The row of an attempt has gone: the document was deleted while it was stored. */
static bool
was_deleted_meanwhile(const struct listing *l)
{
	return !l->is_stored_before && strcmp(pg_text(&l->result, 0, 4), "t") == 0;
}

static enum flow_rc
listing_check(struct flow *f)
{
	struct listing *l = listing_of(f);
	bool is_ready_done = l->spares_deleting && l->result.status == PG_OK;
	enum flow_rc rc;

	if (is_ready_done && (pg_rows(&l->result) == 0 || is_going(l)))
		return document_is_going(f);
	if (is_ready_done && was_deleted_meanwhile(l))
		return FLOW_NEXT;
	if (is_ready_done) {
		*l->in_doubt = strcmp(pg_text(&l->result, 0, 0), "ready") != 0;
		listing_read_owner(l);
		listing_read_expiry(l);
	}
	rc = documents_written(f, &l->result, l->what);
	return rc == FLOW_NEXT ? FLOW_DONE : rc;
}

/* Who was told that it is deleted is not to find it later, nor is it to be one more than its
 * tenant may have: another may have been admitted in its place. */
static enum flow_rc
listing_withdraw(struct flow *f)
{
	struct listing *l = listing_of(f);

	l->version = (struct document_version){ l->listed->sha256, l->listed->created_at };
	return documents_mark(f, l->catalog, l->tenant, l->listed->id, NULL, &l->version,
	    &l->result);
}

static enum flow_rc
listing_withdrawn(struct flow *f)
{
	enum flow_rc rc = catalog_check(f, &listing_of(f)->result, "note the deletion");

	return rc == FLOW_NEXT ? document_is_going(f) : rc;
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

/* What an attempt has stored while the version before it was being deleted: it is named now. */
#define GOES_TOO "row.status" PG_EQUALS "'deleting' AND $12::pg_catalog.text" PG_DIFFERS "''"

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
	struct listing *l =
	    listing_new(f, c, mutated(MUTATION_DOCUMENT_READY, tenant), "list the document");

	if (l == NULL)
		return no_memory(f);
	l->in_doubt = in_doubt;
	l->listed = d;
	l->spares_deleting = true;
	l->is_stored_before = attempt[0] == '\0';
	written_query(l,
	    INSERTED ", status = CASE WHEN " IS_OURS " THEN 'ready'"
		     " WHEN " GOES_TOO " THEN 'deleting' ELSE 'ingesting' END,"
		     " attempt = CASE WHEN " IS_OURS " THEN NULL ELSE row.attempt END,"
		     " sha256 = CASE WHEN (" IS_OURS ") OR (" GOES_TOO
		     ") OR row.attempt IS NOT NULL THEN $6 END"
		     " WHERE row.status" PG_DIFFERS
		     "'deleting' OR coalesce(row.sha256, '')" PG_DIFFERS
		     "$6 OR row.created_at" PG_DIFFERS "$8::pg_catalog.text::pg_catalog.timestamptz"
		     " RETURNING status, owner_id, " PG_RFC3339(
			 "expires_at") ","
				       " status" PG_EQUALS "'ingesting' AND attempt IS NULL,"
				       " xmax" PG_EQUALS "0", /* the row is new */
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
