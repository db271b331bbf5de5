/* SPDX-License-Identifier: MIT */
/*
 * documents_adopt: a page of an application's documents into the catalog's list. Their bytes and
 * digest are not known, and their chunks are in the application's own table until the tenant's
 * first contact (embeddings_copy.h), which is why the sweep leaves such rows alone (sweep_mend.c).
 */
#include "tenantgate/retrieval.h"
#include "tenantgate/retrieval/upkeep.h"
#include "tenantgate/wire/pg_sql.h"

static const char adopt_page[] =
    "WITH page AS MATERIALIZED (SELECT p.*, CASE"
    " WHEN p.document_id IS NULL OR p.document_id" PG_EQUALS "''"
    " OR pg_catalog.octet_length(p.document_id)" PG_ABOVE "128"
    " OR p.document_id OPERATOR(pg_catalog.~) '[[:cntrl:]]'"
    " THEN 'Its id is none that a document can have.'"
    " WHEN NOT EXISTS (SELECT FROM public.users u WHERE u.user_id" PG_EQUALS "p.user_id)"
    " THEN 'Its user is not here.'"
    " WHEN EXISTS (SELECT FROM public.tenants t WHERE t.tenant_id" PG_EQUALS "p.user_id"
    " AND t.deleted_at IS NOT NULL) THEN 'Its tenant was deleted here.'"
    " WHEN EXISTS (SELECT FROM public.documents d WHERE d.user_id" PG_EQUALS "p.user_id"
    " AND d.document_id" PG_EQUALS "p.document_id)"
    " OR pg_catalog.row_number() OVER (PARTITION BY p.user_id, p.document_id ORDER BY "
    "p.at)" PG_ABOVE "1"
    " THEN 'A document of this id is here already, and stays as it is.' END AS reason"
    " FROM ROWS FROM (pg_catalog.json_to_recordset($4::pg_catalog.json)"
    " AS (document_id pg_catalog.text, user_id pg_catalog.text, title pg_catalog.text,"
    " file_name pg_catalog.text, created_at pg_catalog.text)) WITH ORDINALITY"
    " AS p(document_id, user_id, title, file_name, created_at, at)),"
    " moved AS (UPDATE public.adoptions SET documents_to = $3::bigint,"
    " documents = documents" PG_PLUS "(SELECT pg_catalog.count(*) FROM page WHERE reason IS NULL)"
    " WHERE source" PG_EQUALS "$1 AND documents_to" PG_EQUALS "$2::bigint RETURNING 1),"
    " made AS (INSERT INTO public.documents (user_id, document_id, title, file_name, mime_type,"
    " sha256, status, is_adopted, created_at) SELECT user_id, document_id,"
    " coalesce(nullif(title, ''), document_id), coalesce(file_name, ''), 'application/pdf', '',"
    " 'ready', true, coalesce(created_at::pg_catalog.timestamptz, " PG_NOW ")"
    " FROM page CROSS JOIN moved WHERE reason IS NULL"
    " ON CONFLICT (user_id, document_id) DO NOTHING),"
    " left_out AS (INSERT INTO public.adoption_skips (source, kind, id, reason)"
    " SELECT DISTINCT ON (coalesce(document_id, '')) $1, 'document', coalesce(document_id, ''),"
    " reason FROM page CROSS JOIN moved"
    " WHERE reason IS NOT NULL ON CONFLICT (source, kind, id)"
    " DO UPDATE SET reason = excluded.reason)"
    " SELECT (SELECT pg_catalog.count(*) FROM moved),"
    " (SELECT pg_catalog.count(*) FROM page WHERE reason IS NULL),"
    " (SELECT pg_catalog.json_agg(s) FROM (SELECT 'document' AS kind, document_id AS id, reason"
    " FROM page WHERE reason IS NOT NULL) AS s)";

enum flow_rc
documents_adopt(struct flow *f, struct catalog *c, const struct documents_adoption *page,
    struct pg_result *out)
{
	const struct pg_query q = {
		.sql = adopt_page,
		.params = { PG_TEXT(page->source), PG_TEXT(page->from), PG_TEXT(page->to),
		    PG_TEXT(page->json) },
		.param_count = 4,
	};

	return catalog_run(f, c, CATALOG_DOCUMENTS, SLICE_LIT("adoption"), &q, out);
}
