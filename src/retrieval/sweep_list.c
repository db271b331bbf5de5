/* SPDX-License-Identifier: MIT */
/*
 * sweep_list: what a sweep asks of the catalog's list, but for the mending (sweep_mend.c); and
 * which documents there are in the tenant's database.
 */
#include "retrieval/staging_forget.h"
#include "retrieval/sweep_mend.h"
#include "retrieval/text_store.h"
#include "tenantgate/base/mutation.h"

enum flow_rc
sweep_list_claim(struct flow *f, struct catalog *c, const char *tenant, const char *interval_us,
    struct pg_result *out)
{
	const struct pg_query q = {
		.sql = "UPDATE public.tenants SET documents_swept_at = " PG_NOW
		       " WHERE tenant_id" PG_EQUALS "$1 AND (documents_swept_at IS NULL"
		       " OR documents_swept_at" PG_AT_MOST "(" PG_NOW PG_MINUS
		       "($2::bigint" PG_TIMES "interval '1 microsecond')))"
		       " RETURNING adopted_at IS NOT NULL",
		.params = { PG_TEXT(mutated(MUTATION_SWEEP_CLAIM, tenant)), PG_TEXT(interval_us) },
		.param_count = 2,
	};

	return catalog_run(f, c, CATALOG_DOCUMENTS, slice_str(tenant), &q, out);
}

/* A row that says 'failed' of a document that is stored is wrong, too. */
enum flow_rc
sweep_list_add(struct flow *f, struct catalog *c, const char *tenant, const char *ids,
    struct pg_result *out)
{
	const struct pg_query q = {
		.sql = "INSERT INTO public.documents AS row (user_id, document_id, title,"
		       " file_name, status) SELECT $1, i.id, '', '', 'ingesting'"
		       " FROM pg_catalog.unnest($2::pg_catalog.text[]) AS i(id)"
		       " ON CONFLICT (user_id, document_id) DO UPDATE SET status = 'ingesting',"
		       " attempt = NULL, sha256 = NULL, reason = NULL, updated_at = " PG_NOW
		       " WHERE row.status" PG_EQUALS "'failed'",
		.params = { PG_TEXT(tenant), PG_TEXT(ids) },
		.param_count = 2,
	};

	return catalog_run(f, c, CATALOG_DOCUMENTS, slice_str(tenant), &q, out);
}

enum flow_rc
sweep_list_page(struct flow *f, struct catalog *c, const char *tenant, const char *cursor,
    struct pg_result *out)
{
	const struct pg_query q = {
		.sql = "SELECT document_id, updated_at::pg_catalog.text FROM public.documents"
		       " WHERE user_id" PG_EQUALS "$1 AND document_id" PG_ABOVE "$2"
		       " AND (status" PG_EQUALS "'ready' OR (status" PG_EQUALS "'ingesting'"
		       " AND attempt IS NULL AND sha256 IS NULL))"
		       " ORDER BY document_id LIMIT 100",
		.params = { PG_TEXT(mutated(MUTATION_SWEEP_ROWS, tenant)), PG_TEXT(cursor) },
		.param_count = 2,
	};

	_Static_assert(SWEEP_ROWS_PAGE == 100, "the statement's number");
	return catalog_run(f, c, CATALOG_DOCUMENTS, slice_str(tenant), &q, out);
}

/* Ids that are none of ours are passed over: the list could not hold them. */
#define STORED_IDS \
	"SELECT id FROM public.document WHERE id" PG_ABOVE "$1" \
	" AND pg_catalog.octet_length(id)" PG_AT_MOST "128 ORDER BY id LIMIT 500"

/* With the first page what dead attempts have staged goes, too (retrieval/staging.h): none lives
 * longer than ingest_timeout, which is a day at the most. */
#define A_DAY_OLD     "staged_at" PG_AT_MOST "(" PG_NOW PG_MINUS "interval '25 hours')"
#define OLD_CHUNKS_GO "dead AS (" STAGED_CHUNKS_GO(A_DAY_OLD) ") "

enum flow_rc
sweep_stored_page(struct flow *f, struct pool_lease *lease, int schema_version, const char *cursor,
    struct pg_result *out)
{
	struct pg_query q = {
		.sql = STORED_IDS,
		.params = { PG_TEXT(cursor) },
		.param_count = 1,
	};

	if (cursor[0] == '\0' && text_has_places(schema_version))
		q.sql = STAGED_WORDS_GO(A_DAY_OLD) ", " OLD_CHUNKS_GO STORED_IDS;
	else if (cursor[0] == '\0' && schema_version >= RETRIEVAL_SCHEMA_TAIL)
		q.sql = "WITH " OLD_CHUNKS_GO STORED_IDS;
	return pool_read(f, lease, &q, out);
}
