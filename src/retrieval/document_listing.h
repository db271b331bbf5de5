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
