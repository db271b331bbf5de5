/* SPDX-License-Identifier: MIT */
/*
 * document_delete: a document goes, as a request or reconcile.c wants it.
 *
 *	(any) --mark--> [deleting] --(tenant's database)--> erased --drop--> (none)
 *	                    |                                  |
 *	                    +--- an ingest of the same id: in doubt, reconciled
 *
 * What always holds:
 *  - The intent is in the list before the tenant's database is written, so whoever comes next goes
 *    on with what a killed process has left.
 *  - Every statement may be repeated.
 *  - The mark takes the attempt of an ingest under way, which then cannot list its document as
 *    ready (documents.c); and the drop takes that of one that began after the mark. Such a row has
 *    no digest and no attempt: it goes when the tenant's database has no document, and becomes what
 *    that holds when it has.
 */
#include "retrieval/document_listing.h"
#include "tenantgate/wire/pg_sql.h"

#define THE_ROW " WHERE user_id" PG_EQUALS "$1 AND document_id" PG_EQUALS "$2"

static enum flow_rc
run_on_row(struct flow *f, struct catalog *c, const char *sql, const char *tenant, const char *id,
    struct pg_result *out)
{
	const struct pg_query q = {
		.sql = sql,
		.params = { PG_TEXT(tenant), PG_TEXT(id) },
		.param_count = 2,
	};

	return catalog_run(f, c, CATALOG_DOCUMENTS, slice_str(tenant), &q, out);
}

enum flow_rc
documents_mark(struct flow *f, struct catalog *c, const char *tenant, const char *id,
    struct pg_result *out)
{
	return run_on_row(f, c,
	    "UPDATE public.documents SET status = 'deleting', attempt = NULL, reason = NULL,"
	    " updated_at = " PG_NOW THE_ROW,
	    tenant, id, out);
}

enum flow_rc
store_delete(struct flow *f, struct pool_lease *lease, const char *id, struct pg_result *out)
{
	const struct pg_query q = {
		.sql = "DELETE FROM public.document WHERE id" PG_EQUALS "$1",
		.params = { PG_TEXT(id) },
		.param_count = 1,
	};

	return pool_read(f, lease, &q, out);
}

enum flow_rc
documents_drop(struct flow *f, struct catalog *c, const char *tenant, const char *id,
    struct pg_result *out)
{
	return run_on_row(f, c,
	    "WITH gone AS (DELETE FROM public.documents" THE_ROW " AND status" PG_EQUALS
	    "'deleting')"
	    " UPDATE public.documents SET status = 'ingesting', attempt = NULL, sha256 = NULL,"
	    " updated_at = " PG_NOW THE_ROW " AND status" PG_DIFFERS "'deleting'",
	    tenant, id, out);
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
