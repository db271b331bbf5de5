/* SPDX-License-Identifier: MIT */
/*
 * document_delete: a document goes, as a request or reconcile.c wants it.
 *
 *	(any) --mark--> [deleting] --(tenant's database)--> erased --drop--> (none)
 *	                    |                                  |
 *	                    +-- another is stored by now --> [ingesting], in doubt, reconciled
 *
 * What always holds:
 *  - The intent is in the list before the tenant's database is written, so whoever comes next goes
 *    on with what a killed process has left.
 *  - Every statement may be repeated, at any time.
 *  - The intent names the version that is to go, by its digest and time, as the tenant's database
 *    had it before the mark; only that is erased.
 *  - A version that is named does not come back: while its row is 'deleting' no ingest may begin,
 *    and none may list that version as stored, nor when the row has gone meanwhile (documents.c).
 *    The row ends being 'deleting' by the drop, after the version is erased. What an ingest that
 *    had begun before the mark has stored since is named in its turn when it would be listed.
 *  - A request that finds another in its place, while the row still names the version that it has
 *    erased, names that in its turn (documents_mark_next()): it had begun before the mark. Whoever
 *    goes on with what a killed request has left does not know that, and lets it be reconciled.
 *
 * So nobody was told that a version is stored after an intent had named it, and what is stored
 * later has a time of its own: however late a deletion goes on, it can take nothing else.
 */
#include "retrieval/document_listing.h"
#include "retrieval/pg_binary.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/wire/pg_sql.h"

#define THE_ROW " WHERE user_id" PG_EQUALS "$1 AND document_id" PG_EQUALS "$2"

/* The version that the row names; one without a digest names none. */
#define THE_VERSION \
	" coalesce(sha256, '')" PG_EQUALS "$3 AND ($3" PG_EQUALS "''" \
	" OR " PG_RFC3339("created_at") PG_EQUALS "$4)"

static enum flow_rc
run_on_row(struct flow *f, struct catalog *c, const char *sql, const char *tenant, const char *id,
    const struct document_version *v, struct pg_result *out)
{
	const struct pg_query q = {
		.sql = sql,
		.params = { PG_TEXT(mutated(MUTATION_DOCUMENT_MARK, tenant)), PG_TEXT(id),
		    PG_TEXT(v->sha256), PG_TEXT(v->created_at) },
		.param_count = 4,
	};

	return catalog_run(f, c, CATALOG_DOCUMENTS, slice_str(tenant), &q, out);
}

enum flow_rc
documents_mark(struct flow *f, struct catalog *c, const char *tenant, const char *id,
    const char *owner, const struct document_version *v, struct pg_result *out)
{
	const struct pg_query q = {
		.sql = "UPDATE public.documents SET status = 'deleting', attempt = NULL, reason = "
		       "NULL,"
		       " sha256 = CASE WHEN $3" PG_DIFFERS
		       "'' THEN $3 END, created_at = CASE WHEN $3" PG_DIFFERS
		       "'' THEN $4::pg_catalog.text::pg_catalog.timestamptz ELSE created_at END,"
		       " updated_at = " PG_NOW THE_ROW
		       " AND ($5::pg_catalog.text IS NULL OR owner_id" PG_EQUALS "$5)",
		.params = { PG_TEXT(mutated(MUTATION_DOCUMENT_DELETE, tenant)), PG_TEXT(id),
		    PG_TEXT(v->sha256), PG_TEXT(v->created_at), PG_TEXT(owner) },
		.param_count = 5,
	};

	return catalog_run(f, c, CATALOG_DOCUMENTS, slice_str(tenant), &q, out);
}

enum flow_rc
documents_mark_next(struct flow *f, struct catalog *c, const char *tenant, const char *id,
    const struct document_version *erased, const struct document_version *next,
    struct pg_result *out)
{
	const struct pg_query q = {
		.sql = "UPDATE public.documents SET sha256 = $5,"
		       " created_at = $6::pg_catalog.text::pg_catalog.timestamptz,"
		       " updated_at = " PG_NOW THE_ROW " AND status" PG_EQUALS
		       "'deleting' AND" THE_VERSION,
		.params = { PG_TEXT(tenant), PG_TEXT(id), PG_TEXT(erased->sha256),
		    PG_TEXT(erased->created_at), PG_TEXT(next->sha256), PG_TEXT(next->created_at) },
		.param_count = 6,
	};

	return catalog_run(f, c, CATALOG_DOCUMENTS, slice_str(tenant), &q, out);
}

/* In the tenant's database. */
#define IS_VERSION \
	" id" PG_EQUALS "$1 AND sha256" PG_EQUALS "$2" \
	" AND " PG_RFC3339("created_at") PG_EQUALS "$3"

enum flow_rc
store_delete(struct flow *f, struct pool_lease *lease, const char *id,
    const struct document_version *v, struct pg_result *out)
{
	const struct pg_query q = {
		.sql = "WITH gone AS (DELETE FROM public.document WHERE" IS_VERSION ")"
		       " SELECT pg_catalog.count(*) FROM public.document WHERE id" PG_EQUALS "$1"
		       " AND NOT (" IS_VERSION ")",
		.params = { PG_TEXT(id), PG_TEXT(v->sha256), PG_TEXT(v->created_at) },
		.param_count = 3,
	};

	return pool_read(f, lease, &q, out);
}

bool
store_has_another(const struct pg_result *r)
{
	return strcmp(pg_text(r, 0, 0), "0") != 0;
}

enum flow_rc
documents_drop(struct flow *f, struct catalog *c, const char *tenant, const char *id,
    const struct document_version *v, bool has_another, struct pg_result *out)
{
	static const char take[] = "DELETE FROM public.documents" THE_ROW " AND status" PG_EQUALS
				   "'deleting' AND" THE_VERSION;
	static const char doubt[] =
	    "UPDATE public.documents SET status = 'ingesting', attempt = NULL, sha256 = NULL,"
	    " updated_at = " PG_NOW THE_ROW " AND status" PG_EQUALS "'deleting' AND" THE_VERSION;

	return run_on_row(f, c, has_another ? doubt : take, tenant, id, v, out);
}

#define AS_SEEN \
	" AND status" PG_EQUALS "'ingesting' AND updated_at" PG_EQUALS \
	"$3::pg_catalog.text::pg_catalog.timestamptz"

enum flow_rc
documents_lose(struct flow *f, struct catalog *c, const char *tenant, const char *id,
    const char *seen, struct pg_result *out)
{
	const struct pg_query q = {
		.sql = "WITH gone AS (DELETE FROM public.documents" THE_ROW AS_SEEN
		       " AND sha256 IS NULL AND attempt IS NULL)"
		       " UPDATE public.documents SET status = 'failed', attempt = NULL, sha256 = "
		       "NULL, reason ="
		       " CASE WHEN sha256 IS NULL THEN $4 ELSE $5 END, updated_at = " PG_NOW THE_ROW
			   AS_SEEN " AND (sha256 IS NOT NULL OR attempt IS NOT NULL)",
		.params = { PG_TEXT(tenant), PG_TEXT(id), PG_TEXT(seen),
		    PG_TEXT("The server stopped before the document was stored. Send it again."),
		    PG_TEXT(
			"The document is not in the tenant's database any more. Send it again.") },
		.param_count = 5,
	};

	return catalog_run(f, c, CATALOG_DOCUMENTS, slice_str(tenant), &q, out);
}
