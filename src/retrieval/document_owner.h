/* SPDX-License-Identifier: MIT */
/*
 * document_owner: whose a document is and when it goes, as parts of SQL: in the tenant's table
 * `document`, which has both columns from RETRIEVAL_SCHEMA_OWNERS on, and in the catalog's list,
 * which takes them from there.
 *
 * In the tenant's database NULL is not "none": it says that nobody has written the column, for the
 * document was stored before, and that the list alone knows. So none is written, too: '' is
 * nobody's, 'infinity' never.
 *
 * Where the two differ the tenant's database is right, for the list may have been set back in time.
 * But for one case: builds of before write a new time into the list alone. They do not know its
 * stored_expires_at, which is what the tenant's database had when the list was last written; so
 * where that is not the list's own time, the list is ahead, and the tenant's database is told
 * (sweep_mend.c).
 */
#ifndef RETRIEVAL_DOCUMENT_OWNER_H
#define RETRIEVAL_DOCUMENT_OWNER_H

#include "retrieval/pg_binary.h"
#include "tenantgate/retrieval.h"
#include "tenantgate/wire/pg_sql.h"

static inline bool
document_has_owner(int schema_version)
{
	return schema_version >= RETRIEVAL_SCHEMA_OWNERS;
}

/* ---- the tenant's `document`; `row` is its alias with a dot, or "" ---- */

/* As in struct document. What others have written there may be longer than an id of ours, and a
 * time that no list could show is none. */
#define OWNER_STORED(row) "pg_catalog.left(" row "owner_id, 128)"
#define EXPIRY_STORED(row) \
	"CASE WHEN " row "expires_at" PG_ABOVE "'1970-01-01Z'::pg_catalog.timestamptz" \
	" AND " row "expires_at" PG_BELOW "'10000-01-01Z'::pg_catalog.timestamptz" \
	" THEN " PG_RFC3339(row "expires_at") " WHEN " row "expires_at IS NOT NULL THEN '' END"

/* Of texts as in struct document. */
#define OWNER_GIVEN(text) "coalesce(" text ", '')"
#define EXPIRY_GIVEN(text) \
	"CASE WHEN " text PG_EQUALS "'' THEN 'infinity'::pg_catalog.timestamptz" \
	" ELSE " text "::pg_catalog.text::pg_catalog.timestamptz END"

/* Where it is not said anew (the text is NULL) it stays, but for a time that is over: who stores a
 * document once more wants to have it. */
#define EXPIRY_GIVEN_OR_KEPT(text, row) \
	"CASE WHEN " text "::pg_catalog.text IS NOT NULL THEN " EXPIRY_GIVEN(text) \
	" WHEN " row "expires_at" PG_AT_MOST PG_NOW " THEN 'infinity'::pg_catalog.timestamptz" \
	" ELSE " row "expires_at END"

/* ---- the catalog's `documents AS row`; `text` is what the tenant's database has, as above ---- */

#define LIST_TIME(text) \
	"CASE WHEN " text PG_DIFFERS "'' THEN " text "::pg_catalog.text::pg_catalog.timestamptz END"
#define LIST_IS_AHEAD \
	"row.stored_expires_at" PG_DIFFERS \
	"coalesce(row.expires_at, 'infinity'::pg_catalog.timestamptz)"

/* What the columns are to be. `kept`: the row's own time, where that holds. */
#define LIST_OWNER(text) \
	"CASE WHEN " text "::pg_catalog.text IS NULL THEN row.owner_id" \
	" WHEN " text PG_DIFFERS "'' THEN " text "::pg_catalog.text END"
#define LIST_EXPIRY(text, kept) \
	"CASE WHEN " text "::pg_catalog.text IS NULL OR " LIST_IS_AHEAD " THEN " kept \
	" ELSE " LIST_TIME(text) " END"
#define LIST_STORED_EXPIRY(text) "coalesce(" EXPIRY_GIVEN(text) ", row.stored_expires_at)"

#endif
