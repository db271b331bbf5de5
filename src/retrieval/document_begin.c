/* SPDX-License-Identifier: MIT */
/*
 * document_begin: the intent to store a document, in the catalog's list, where that is allowed.
 *
 * What always holds:
 *  - A tenant's intents that have terms (a quota, or bytes that must be new) are decided one after
 *    another: public.documents_admit_timely() takes a lock of the transaction, which is this
 *    statement, and only then looks at the rows, by a snapshot of its own. So it is exact for any
 *    number of uploads and replicas, and holds behind a pooler of transactions.
 *  - The row of the document's own id counts as the new document, not beside it: the statement may
 *    be repeated, and a replaced document counts once.
 *  - What may be stored counts: of a row that is 'ingesting', the larger of what was there and what
 *    is on its way (attempt_bytes), for nobody knows yet which of them stays.
 *  - Without terms there is neither lock nor count.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "retrieval/document_listing.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/wire/pg_sql.h"

#define NUMBER_MAX 24 /* a uint64_t in decimal */

struct intent {
	struct flow flow;
	struct catalog *catalog;      /* borrowed */
	const char *tenant;	      /* borrowed */
	struct document *d;	      /* borrowed: its owner is filled */
	const char *attempt;	      /* borrowed */
	struct document_terms *terms; /* borrowed; NULL: none */
	struct pg_result result;      /* owned */
	char bytes[NUMBER_MAX], max_documents[NUMBER_MAX], max_bytes[NUMBER_MAX];
};

static flow_step_fn intent_query, intent_check;
static flow_release_fn intent_release;

static const struct flow_step intent_steps[] = {
	{ "documents_query", intent_query },
	{ "documents_check", intent_check },
	{ NULL, NULL },
};

static const struct flow_kind intent_kind = { .name = "documents_begin",
	.steps = intent_steps,
	.release = intent_release };

/* Whose it is, when it is stored again: who replaces a document does not take it from whoever it
 * is. A row of none that is stored is no document yet, or no more. */
#define OWNER_KEPT \
	" owner_id = CASE WHEN row.status" PG_EQUALS \
	"'failed' THEN excluded.owner_id ELSE row.owner_id END,"

/* Of two attempts under way either may be the one that stays. */
#define ATTEMPT_BYTES \
	" attempt_bytes = CASE WHEN row.status" PG_EQUALS "'ingesting'" \
	" THEN greatest(row.attempt_bytes, excluded.attempt_bytes)" \
	" ELSE excluded.attempt_bytes END,"

#define BEGUN(source) \
	"INSERT INTO public.documents AS row (user_id, document_id, title, file_name, mime_type," \
	" attempt, owner_id, attempt_bytes, attempt_sha256, expires_at, status) " source \
	" ON CONFLICT (user_id, document_id) DO UPDATE SET" OWNER_KEPT ATTEMPT_BYTES \
	" attempt_sha256 = excluded.attempt_sha256, status = 'ingesting'," \
	" attempt = excluded.attempt, reason = NULL, updated_at = " PG_NOW \
	" WHERE row.status" PG_DIFFERS "'deleting'" \
	" AND (NOT $11::pg_catalog.text::boolean OR row.owner_id" PG_EQUALS "$7)" \
	" RETURNING status, owner_id"

#define ROW \
	"$1, $2, $3, $4, $5, $6, CASE WHEN $7" PG_DIFFERS "'' THEN $7 END, $8::bigint, $9," \
	" CASE WHEN $10" PG_DIFFERS \
	"'' THEN $10::pg_catalog.text::pg_catalog.timestamptz END, 'ingesting'"

static const char begin_plainly[] = BEGUN("VALUES (" ROW ")");

static const char begin_on_terms[] =
    "WITH gate AS MATERIALIZED (SELECT public.documents_admit_timely($1, $2, $7, $8::bigint, $9,"
    " $12::bigint, $13::bigint, $14::pg_catalog.text::boolean) AS verdict),"
    " begun AS (" BEGUN(
	"SELECT " ROW " FROM gate WHERE verdict" PG_EQUALS
	"'admitted'") ")"
		      " SELECT coalesce((SELECT status FROM begun), CASE WHEN verdict" PG_EQUALS
		      "'admitted' THEN 'deleting' ELSE verdict END),"
		      " (SELECT owner_id FROM begun) FROM gate";

static bool
has_terms(const struct document_terms *t)
{
	return t != NULL && (t->quota.max_documents > 0 || t->quota.max_bytes > 0 || t->if_new);
}

static enum flow_rc
intent_query(struct flow *f)
{
	struct intent *i = FLOW_OF(f, struct intent, &intent_kind);
	const struct document *d = i->d;
	const struct document_terms *t = i->terms;
	struct pg_query q = {
		.sql = begin_plainly,
		.params = { PG_TEXT(mutated(MUTATION_DOCUMENT_BEGIN, i->tenant)), PG_TEXT(d->id),
		    PG_TEXT(d->title), PG_TEXT(d->file_name), PG_TEXT(d->mime_type),
		    PG_TEXT(i->attempt), PG_TEXT(d->owner), PG_TEXT(i->bytes), PG_TEXT(d->sha256),
		    PG_TEXT(d->expires_at), PG_TEXT(t != NULL && t->own_only ? "true" : "false") },
		.param_count = 11,
	};

	snprintf(i->bytes, NUMBER_MAX, "%" PRIu64, d->bytes);
	if (has_terms(t)) {
		snprintf(i->max_documents, NUMBER_MAX, "%" PRIu64, t->quota.max_documents);
		snprintf(i->max_bytes, NUMBER_MAX, "%" PRIu64, t->quota.max_bytes);
		q.sql = begin_on_terms;
		q.params[q.param_count++] = PG_TEXT(i->max_documents);
		q.params[q.param_count++] = PG_TEXT(i->max_bytes);
		q.params[q.param_count++] = PG_TEXT(t->if_new ? "true" : "false");
	}
	return catalog_run(f, i->catalog, CATALOG_DOCUMENTS, slice_str(i->tenant), &q, &i->result);
}

/* As public.documents_admit_timely() names them. */
static enum document_admission
admission_of(const char *verdict)
{
	static const char *const verdicts[] = { [DOCUMENT_ADMITTED] = "ingesting",
		[DOCUMENT_TOO_MANY] = "too_many_documents",
		[DOCUMENT_STORAGE_FULL] = "storage_full",
		[DOCUMENT_IS_STORED] = "stored",
		[DOCUMENT_BEING_STORED] = "being_stored" };
	unsigned at = 0;

	while (at < DOCUMENT_BEING_STORED && strcmp(verdicts[at], verdict) != 0)
		at++;
	return (enum document_admission)at;
}

/* Whose it is, as the row has it now. */
static enum flow_rc
intent_owner(struct flow *f, struct intent *i)
{
	i->d->owner = arena_strdup(f->arena, pg_text(&i->result, 0, 1));
	if (i->d->owner == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the list of documents");
	return FLOW_NEXT;
}

/* The row is there, and not to be written. Who has own documents alone is not told which it is: one
 * that is being deleted, or another's. */
static enum flow_rc
intent_runs_into(struct flow *f, struct intent *i)
{
	if (i->terms == NULL || !i->terms->own_only)
		return document_is_going(f);
	i->terms->admission = DOCUMENT_ANOTHERS;
	return FLOW_NEXT;
}

static enum flow_rc
intent_check(struct flow *f)
{
	struct intent *i = FLOW_OF(f, struct intent, &intent_kind);
	enum flow_rc rc = documents_written(f, &i->result, "note the document");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&i->result) == 0 || strcmp(pg_text(&i->result, 0, 0), "deleting") == 0)
		return intent_runs_into(f, i);
	if (i->terms != NULL)
		i->terms->admission = admission_of(pg_text(&i->result, 0, 0));
	return i->terms == NULL || i->terms->admission == DOCUMENT_ADMITTED ? intent_owner(f, i)
									    : FLOW_NEXT;
}

static void
intent_release(struct flow *f)
{
	pg_clear(&FLOW_OF(f, struct intent, &intent_kind)->result);
}

enum flow_rc
documents_begin(struct flow *f, struct catalog *c, const char *tenant, struct document *d,
    const char *attempt, struct document_terms *terms)
{
	struct intent *i = arena_alloc(f->arena, sizeof(*i));

	if (i == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the list of documents");
	i->catalog = c;
	i->tenant = tenant;
	i->d = d;
	i->attempt = attempt;
	i->terms = terms;
	return flow_call(f, &i->flow, &intent_kind);
}

void
document_terms_refuse(const struct document_terms *t, struct err *err)
{
	if (t->admission == DOCUMENT_TOO_MANY)
		err_set(err, ERR_TOO_MANY_DOCUMENTS,
		    "At most %" PRIu64 " documents may be stored, and this would be one more. "
		    "Delete one, or ask for a higher limit.",
		    t->quota.max_documents);
	else if (t->admission == DOCUMENT_STORAGE_FULL)
		err_set(err, ERR_STORAGE_FULL,
		    "At most %" PRIu64 " bytes of documents may be stored, and with this one it "
		    "would be more. Delete some, or ask for a higher limit.",
		    t->quota.max_bytes);
	else if (t->admission == DOCUMENT_BEING_STORED) {
		err_set(err, ERR_CONFLICT,
		    "The same bytes are being stored by another request. Try again in two "
		    "seconds.");
		err->retry_after = 2;
	} else if (t->admission == DOCUMENT_ANOTHERS)
		err_set(err, ERR_CONFLICT,
		    "This document id cannot be used: it is not free for this user, or a document "
		    "of that id is being deleted. Take another id.");
}
