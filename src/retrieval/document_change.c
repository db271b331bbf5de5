/* SPDX-License-Identifier: MIT */
/*
 * document_change: a stored document gets another title, file name, metadata or expiry. As an
 * ingest does, a change claims the document's row of the list by an attempt, writes the tenant's
 * database, and lists the document as ready (documents.c); what is left half-way is reconciled.
 */
#include <assert.h>

#include "retrieval/document_owner.h"
#include "tenantgate/base/mutation.h"

#define IS_NOT_OVER " AND (expires_at IS NULL OR expires_at" PG_ABOVE PG_NOW ")"
#define IS_OWN	    " AND ($4::pg_catalog.text IS NULL OR owner_id" PG_EQUALS "$4)"

/* The row's status is that before the claim: all parts of a statement see the same state. The bytes
 * stay what they are: whoever stores the same meanwhile is told so (documents_begin.c). */
enum flow_rc
documents_claim(struct flow *f, struct catalog *c, const char *tenant, const char *id,
    const char *owner, const char *attempt, struct pg_result *out)
{
	const struct pg_query q = {
		.sql = "WITH claimed AS (UPDATE public.documents SET status = 'ingesting',"
		       " attempt = $3, attempt_bytes = NULL, attempt_sha256 = sha256,"
		       " updated_at = " PG_NOW " WHERE user_id" PG_EQUALS
		       "$1 AND document_id" PG_EQUALS "$2" IS_NOT_OVER IS_OWN
		       " AND (status" PG_EQUALS "'ready' OR attempt" PG_EQUALS "$3) RETURNING 1)"
		       " SELECT (SELECT pg_catalog.count(*) FROM claimed) FROM public.documents"
		       " WHERE user_id" PG_EQUALS "$1 AND document_id" PG_EQUALS
		       "$2" IS_NOT_OVER IS_OWN,
		.params = { PG_TEXT(mutated(MUTATION_DOCUMENT_CLAIM, tenant)), PG_TEXT(id),
		    PG_TEXT(attempt), PG_TEXT(owner) },
		.param_count = 4,
	};

	return catalog_run(f, c, CATALOG_DOCUMENTS, slice_str(tenant), &q, out);
}

enum document_claim
documents_claimed(const struct pg_result *r)
{
	if (pg_rows(r) == 0)
		return DOCUMENT_ABSENT;
	return strcmp(pg_text(r, 0, 0), "1") == 0 ? DOCUMENT_CLAIMED : DOCUMENT_BUSY;
}

#define CHANGE(expiry, condition) \
	"UPDATE public.document SET title = coalesce($2, title)," \
	" file_name = coalesce($3, file_name)," \
	" metadata = coalesce($4::pg_catalog.jsonb, metadata)" expiry " WHERE id" PG_EQUALS \
	"$1" condition

enum flow_rc
store_change(struct flow *f, struct pool_lease *lease, int schema_version, const char *id,
    const char *owner, const struct document_change *change, struct pg_result *out)
{
	struct pg_query q = {
		.sql = CHANGE("", ""),
		.params = { PG_TEXT(id), PG_TEXT(change->title), PG_TEXT(change->file_name),
		    PG_TEXT(change->metadata) },
		.param_count = 4,
	};

	assert(owner == NULL || document_has_owner(schema_version));
	if (document_has_owner(schema_version)) {
		q.sql = CHANGE(", expires_at = coalesce(" EXPIRY_GIVEN("$5") ", expires_at)",
		    " AND ($6::pg_catalog.text IS NULL OR owner_id IS NULL OR owner_id" PG_EQUALS
		    "$6)");
		q.params[q.param_count++] = PG_TEXT(change->expires_at);
		q.params[q.param_count++] = PG_TEXT(owner);
	}
	return pool_read(f, lease, &q, out);
}
