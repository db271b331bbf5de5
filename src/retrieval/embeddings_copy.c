/* SPDX-License-Identifier: MIT */
#include "retrieval/embeddings_copy.h"

#include <string.h>

#include "retrieval/index_statement.h"
#include "tenantgate/base/log.h"

#define BATCH "500"

/*
 * held: the row is locked, so that of two that take each other for dead one goes first, and the
 * other finds where that has ended.
 * begun: documents of which a batch before had rows. Where such a one is not there any more it was
 * deleted meanwhile, and its rest is left out; an INSERT would bring that back.
 * An ON CONFLICT that changes nothing leaves out a document that was stored with us: only what was
 * copied has no digest. Words that somebody has kept of what there was are not all of them
 * (text_fill.c).
 */
#define NAMED "metadata OPERATOR(pg_catalog.->>) 'documentId'"
const char embeddings_copy_sql[] =
    "WITH held AS MATERIALIZED (SELECT copied_to FROM public.retrieval"
    "  WHERE one AND merger" PG_EQUALS "$1 FOR UPDATE),"
    " part AS MATERIALIZED (SELECT e.id, e.content, e." NAMED " AS document_id, e.embedding"
    "  FROM public.embeddings e WHERE e.id" PG_ABOVE "(SELECT copied_to FROM held)"
    "  ORDER BY e.id LIMIT " BATCH "),"
    " good AS MATERIALIZED (SELECT id, content, document_id, embedding,"
    "  pg_catalog.row_number() OVER (PARTITION BY document_id ORDER BY id) AS place,"
    "  pg_catalog.count(*) OVER (PARTITION BY document_id) AS places"
    "  FROM part WHERE embedding IS NOT NULL AND content" PG_DIFFERS "''"
    "  AND document_id" PG_DIFFERS "'' AND pg_catalog.octet_length(document_id)" PG_AT_MOST "128"
    "  AND document_id OPERATOR(pg_catalog.!~) '[[:cntrl:]]'),"
    " begun AS MATERIALIZED (SELECT DISTINCT e." NAMED " AS id FROM public.embeddings e"
    "  WHERE e.id" PG_AT_MOST "(SELECT copied_to FROM held)"
    "  AND e." NAMED PG_EQUALS "ANY (ARRAY(SELECT DISTINCT document_id FROM good))"
    "  AND e.embedding IS NOT NULL AND e.content" PG_DIFFERS "''),"
    " grown AS (UPDATE public.document d SET chunks = d.chunks" PG_PLUS "g.places,"
    "  text_at = NULL FROM good g JOIN begun ON begun.id" PG_EQUALS "g.document_id"
    "  WHERE g.place" PG_EQUALS "1 AND d.id" PG_EQUALS "g.document_id AND d.sha256" PG_EQUALS "''"
    "  RETURNING d.id, d.chunks),"
    " made AS (INSERT INTO public.document AS row (id, title, file_name, mime_type, metadata,"
    "   sha256, bytes, pages, chunks)"
    "  SELECT document_id, document_id, '', 'application/pdf', '{}', '', 0, 0, places"
    "   FROM good WHERE place" PG_EQUALS "1"
    "   AND NOT EXISTS (SELECT FROM begun WHERE begun.id" PG_EQUALS "document_id)"
    "  ON CONFLICT (id) DO UPDATE SET chunks = row.chunks" PG_PLUS "excluded.chunks,"
    "   text_at = NULL WHERE row.sha256" PG_EQUALS "'' RETURNING id, chunks),"
    " documents AS (SELECT id, chunks FROM grown UNION ALL SELECT id, chunks FROM made),"
    " added AS (INSERT INTO public.chunk (document_id, chunk_index, content, embedding)"
    "  SELECT g.document_id, d.chunks" PG_MINUS "g.places" PG_PLUS "g.place" PG_MINUS "1,"
    "  g.content, g.embedding FROM good g JOIN documents d ON d.id" PG_EQUALS "g.document_id"
    "  ORDER BY g.id RETURNING 1)"
    " UPDATE public.retrieval SET merger_until = " INDEX_LEASE ","
    "  copied_to = CASE WHEN (SELECT pg_catalog.count(*) FROM part)" PG_BELOW BATCH
    "   THEN -1 ELSE (SELECT pg_catalog.max(id) FROM part) END,"
    "  not_copied = not_copied" PG_PLUS "(SELECT pg_catalog.count(*) FROM part)" PG_MINUS
    "   (SELECT pg_catalog.count(*) FROM added),"
    "  embedding_model = coalesce(embedding_model, '" EMBEDDINGS_MODEL "'),"
    "  embedding_dimensions = coalesce(embedding_dimensions, (SELECT atttypmod"
    "   FROM pg_catalog.pg_attribute WHERE attrelid" PG_EQUALS
    "'public.chunk'::pg_catalog.regclass::pg_catalog.oid AND attname" PG_EQUALS "'embedding'))"
    " WHERE one AND merger" PG_EQUALS "$1 RETURNING copied_to, not_copied";

void
embeddings_copy_log(const char *tenant, const struct pg_result *r)
{
	if (pg_rows(r) == 0 || strcmp(pg_text(r, 0, 0), "-1") != 0)
		return;
	log_event(LOG_NOTICE, "embeddings.copied", NULL,
	    "Tenant %s's table public.embeddings was copied; %s of its rows have no vector, no "
	    "document that could be named, or one that was stored here, and were left out.",
	    tenant, pg_text(r, 0, 1));
}
