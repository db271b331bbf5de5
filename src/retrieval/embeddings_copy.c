/* SPDX-License-Identifier: MIT */
#include "retrieval/embeddings_copy.h"

#include "retrieval/embeddings_schema.h"
#include "retrieval/index_statement.h"

#define BATCH "500"
/* Ids looked at for some that are not written down; few, for as many are looked at by each batch
 * of a first pass as by one that finds nothing. */
#define LOOKED_AT "2000"

/* Where an app goes on writing, and where a transaction under way is waited for. */
#define NEXT_PASS "interval '10 minutes'"
#define NEXT_TRY  "interval '5 seconds'"

/*
 * held: the row is locked, so that of two that take each other for dead one goes first, and the
 * other finds where that has ended.
 * begun: documents of which a batch before had rows. Where such a one is not there any more it was
 * deleted meanwhile, and its rest is left out; an INSERT would bring that back.
 * An ON CONFLICT that changes nothing leaves out a document that was stored with us: only what was
 * copied has no digest. Words that somebody has kept of what there was are not all of them
 * (text_fill.c).
 * Each OFFSET 0 keeps one look-up for each row: no join would read all rows for a batch.
 */
#define NAMED "metadata OPERATOR(pg_catalog.->>) 'documentId'"
#define IDS_FROM_HERE \
	"SELECT e.id FROM public.embeddings e" \
	" WHERE e.id" PG_AT_LEAST "(SELECT embeddings_from FROM held) ORDER BY e.id"
#define BEHIND_THEM "(SELECT id FROM edge)"
#define IS_LAST \
	"((SELECT pg_catalog.count(*) FROM part)" PG_BELOW BATCH " AND " BEHIND_THEM " IS NULL)"
#define SOMEBODY_WRITES \
	"EXISTS (SELECT FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database b" \
	" ON b.oid" PG_EQUALS "l.database WHERE b.datname" PG_EQUALS \
	"pg_catalog.current_database() AND l.relation" PG_EQUALS \
	"pg_catalog.to_regclass('public.embeddings')::pg_catalog.oid" \
	" AND l.mode" PG_EQUALS "'RowExclusiveLock' AND l.granted)"
const char embeddings_copy_sql[] =
    "WITH held AS MATERIALIZED (SELECT embeddings_from, embeddings_phase FROM public.retrieval"
    "  WHERE one AND merger" PG_EQUALS "$1 FOR UPDATE),"
    " next AS MATERIALIZED (SELECT w.id FROM (" IDS_FROM_HERE " LIMIT " LOOKED_AT ") w"
    "  WHERE NOT EXISTS (SELECT FROM public.embeddings_copied c WHERE c.id" PG_EQUALS "w.id"
    "   OFFSET 0) ORDER BY w.id LIMIT " BATCH "),"
    " edge AS MATERIALIZED (" IDS_FROM_HERE " OFFSET " LOOKED_AT " LIMIT 1),"
    " part AS MATERIALIZED (SELECT n.id, e.* FROM next n CROSS JOIN LATERAL"
    "  (SELECT content, " NAMED " AS document_id, embedding FROM public.embeddings"
    "   WHERE id" PG_EQUALS "n.id OFFSET 0) e),"
    " good AS MATERIALIZED (SELECT id, content, document_id, embedding,"
    "  pg_catalog.row_number() OVER (PARTITION BY document_id ORDER BY id) AS place,"
    "  pg_catalog.count(*) OVER (PARTITION BY document_id) AS places"
    "  FROM part WHERE embedding IS NOT NULL AND content" PG_DIFFERS "''"
    "  AND document_id" PG_DIFFERS "'' AND pg_catalog.octet_length(document_id)" PG_AT_MOST "128"
    "  AND document_id OPERATOR(pg_catalog.!~) '[[:cntrl:]]'),"
    " begun AS MATERIALIZED (SELECT document_id AS id FROM good g WHERE place" PG_EQUALS "1"
    "  AND EXISTS (SELECT FROM public.embeddings_copied c"
    "   WHERE c.document_id" PG_EQUALS "g.document_id OFFSET 0)),"
    " written AS (INSERT INTO public.embeddings_copied (id, document_id)"
    "  SELECT p.id, g.document_id FROM part p"
    "  LEFT JOIN good g ON g.id" PG_EQUALS "p.id AND g.place" PG_EQUALS "1),"
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
    "  ORDER BY g.id RETURNING 1),"
    " pass AS MATERIALIZED (SELECT " IS_LAST " AS ends, CASE WHEN NOT " IS_LAST
    "  THEN embeddings_phase WHEN embeddings_phase" PG_AT_LEAST "1 THEN 2"
    "  WHEN " SOMEBODY_WRITES " THEN 0 ELSE 1 END AS phase FROM held)"
    " UPDATE public.retrieval r SET merger_until = " INDEX_LEASE ","
    "  embeddings_phase = pass.phase,"
    "  embeddings_from = CASE WHEN pass.ends THEN " EMBEDDINGS_FIRST
    "   WHEN (SELECT pg_catalog.count(*) FROM part)" PG_EQUALS BATCH
    "   THEN (SELECT pg_catalog.max(id) FROM part) ELSE " BEHIND_THEM " END,"
    "  embeddings_due = CASE WHEN NOT pass.ends OR pass.phase" PG_EQUALS "1 THEN " PG_NOW
    "   WHEN pass.phase" PG_EQUALS "2 THEN " PG_NOW PG_PLUS NEXT_PASS
    "   ELSE " PG_NOW PG_PLUS NEXT_TRY " END,"
    "  not_copied = not_copied" PG_PLUS "(SELECT pg_catalog.count(*) FROM part)" PG_MINUS
    "   (SELECT pg_catalog.count(*) FROM added),"
    "  embedding_model = coalesce(embedding_model, '" EMBEDDINGS_MODEL "'),"
    "  embedding_dimensions = coalesce(embedding_dimensions, (SELECT atttypmod"
    "   FROM pg_catalog.pg_attribute WHERE attrelid" PG_EQUALS
    "'public.chunk'::pg_catalog.regclass::pg_catalog.oid AND attname" PG_EQUALS "'embedding'))"
    " FROM pass WHERE one AND merger" PG_EQUALS "$1 RETURNING not_copied,"
    " pass.phase" PG_EQUALS "2 AND (SELECT embeddings_phase FROM held)" PG_BELOW "2";
