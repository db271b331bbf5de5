/* SPDX-License-Identifier: MIT */
/*
 * document_owner: whose a document is and when it goes, in the tenant's table `document`, which has
 * both columns from RETRIEVAL_SCHEMA_OWNERS on. Parts of SQL, for those statements alone.
 *
 * NULL is not "none": it says that nobody has written the column, for the document was stored
 * before, and that the catalog's list alone knows. So none is written, too: '' is nobody's,
 * 'infinity' never.
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

/* As in struct document. What others have written there may be longer than an id of ours, and a
 * time that no list could show is none. */
#define OWNER_STORED "pg_catalog.left(owner_id, 128)"
#define EXPIRY_STORED \
	"CASE WHEN expires_at" PG_ABOVE "'1970-01-01Z'::pg_catalog.timestamptz" \
	" AND expires_at" PG_BELOW "'10000-01-01Z'::pg_catalog.timestamptz" \
	" THEN " PG_RFC3339("expires_at") " WHEN expires_at IS NOT NULL THEN '' END"

/* Of parameters as in struct document. */
#define OWNER_GIVEN(parameter) "coalesce(" parameter ", '')"
#define EXPIRY_GIVEN(parameter) \
	"CASE WHEN " parameter PG_EQUALS "'' THEN 'infinity'::pg_catalog.timestamptz" \
	" ELSE " parameter "::pg_catalog.text::pg_catalog.timestamptz END"

/* Where it is not said anew (the parameter is NULL) it stays, but for a time that is over: who
 * stores a document once more wants to have it. */
#define EXPIRY_GIVEN_OR_KEPT(parameter, row) \
	"CASE WHEN " parameter "::pg_catalog.text IS NOT NULL THEN " EXPIRY_GIVEN(parameter) \
	" WHEN " row ".expires_at" PG_AT_MOST PG_NOW " THEN 'infinity'::pg_catalog.timestamptz" \
	" ELSE " row ".expires_at END"

#endif
