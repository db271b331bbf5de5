/* SPDX-License-Identifier: MIT */
/*
 * document_listing: what those who write the catalog's list share; and what reconcile.c alone does
 * with its rows, which others may move at the same time: a row is changed only when it is still as
 * it was seen. `seen` is its updated_at as text, in the database's own form. As catalog_run() in
 * all else.
 */
#ifndef RETRIEVAL_DOCUMENT_LISTING_H
#define RETRIEVAL_DOCUMENT_LISTING_H

#include "tenantgate/retrieval.h"
#include "tenantgate/wire/pg_sql.h"

/*
 * Before a statement that makes a failed document ($2 of the tenant $1): those of more than a day
 * ago go, and the oldest of more than DOCUMENTS_FAILED_MAX, for each upload that is refused may
 * have an id of its own, and the list is in the main database, which is everybody's. Rows that
 * another statement has locked are left to it: two that delete and write the same rows in another
 * order would wait for each other.
 */
#define DOCUMENTS_FAILED_MAX "100"
#define OLD_ONES_GO \
	"WITH old AS (DELETE FROM public.documents WHERE user_id" PG_EQUALS "$1" \
	" AND status" PG_EQUALS "'failed' AND document_id" PG_EQUALS "ANY (ARRAY(" \
	"SELECT d.document_id FROM (SELECT document_id, updated_at, pg_catalog.row_number()" \
	" OVER (ORDER BY updated_at DESC) AS place FROM public.documents WHERE user_id" PG_EQUALS \
	"$1 AND document_id" PG_DIFFERS "$2 AND status" PG_EQUALS "'failed') AS f" \
	" JOIN public.documents AS d ON d.user_id" PG_EQUALS "$1 AND d.document_id" PG_EQUALS \
	"f.document_id WHERE f.place" PG_AT_LEAST DOCUMENTS_FAILED_MAX \
	" OR f.updated_at" PG_BELOW "(" PG_NOW PG_MINUS "interval '1 day')" \
	" FOR UPDATE OF d SKIP LOCKED))) "

/* What writes a row: FLOW_NEXT for PG_OK; ERR_PROVISIONING when the tenant's row is gone; else as
 * catalog_check(). */
enum flow_rc	documents_written(struct flow *, const struct pg_result *, const char *what)
		    __attribute__((warn_unused_result));
/* Fails with ERR_CONFLICT: the row is 'deleting', and left alone. */
enum flow_rc	document_is_going(struct flow *) __attribute__((warn_unused_result));

/* An unfinished row of a document that the tenant's database has not: 'failed', or gone when it was
 * in doubt because of a deletion. */
enum flow_rc	documents_lose(struct flow *, struct catalog *, const char *tenant, const char *id,
		    const char *seen, struct pg_result *out) __attribute__((warn_unused_result));

/* An unfinished row becomes 'ready', as the tenant's database has the document. Fails as
 * documents_ready(). */
enum flow_rc	documents_settle(struct flow *, struct catalog *, const char *tenant,
		    const struct document *, const char *seen) __attribute__((warn_unused_result));

#endif
