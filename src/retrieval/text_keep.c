/* SPDX-License-Identifier: MIT */
#include "retrieval/text_store.h"

#include "tenantgate/wire/pg_sql.h"

/* What nobody types is no word: and a row of the index must fit its page. */
#define LEXEME_MAX "128"

/*
 * $1 is the configuration, behind "wanted AS (SELECT id ...)", the documents.
 *
 *	terms	each chunk's lexemes with their places; parsed once, and counted
 *	segment	numbered here, so that the rows of both tables can be made of one parse
 */
#define KEEP \
	" old AS (DELETE FROM public.text_segment s USING wanted" \
	"  WHERE s.document_id" PG_EQUALS "wanted.id)," \
	" terms AS MATERIALIZED (SELECT id, document_id, part, lexemes," \
	"  (SELECT coalesce(pg_catalog.sum(pg_catalog.cardinality(u.positions)), 0)" \
	"   FROM pg_catalog.unnest(lexemes) u) AS length" \
	"  FROM (SELECT c.id, c.document_id," \
	"   c.chunk_index OPERATOR(pg_catalog./) " TEXT_SEGMENT_CHUNKS " AS part," \
	"   pg_catalog.to_tsvector(wanted.language, c.content) AS lexemes" \
	"   FROM wanted JOIN public.chunk c ON c.document_id" PG_EQUALS \
	"wanted.id OFFSET 0) parsed)," \
	" segment AS MATERIALIZED (SELECT" \
	"  pg_catalog.nextval('public.text_segment_id_seq'::pg_catalog.regclass) AS id," \
	"  document_id, part, chunks, length FROM (SELECT document_id, part," \
	"   pg_catalog.count(*) AS chunks, pg_catalog.sum(length) AS length" \
	"   FROM terms GROUP BY document_id, part) counted)," \
	" segments AS (INSERT INTO public.text_segment (id, document_id, chunks, length)" \
	"  SELECT id, document_id, chunks, length FROM segment)," \
	" languages AS (INSERT INTO public.text_language (name) SELECT DISTINCT name FROM wanted" \
	"  ON CONFLICT DO NOTHING)," \
	" done AS (UPDATE public.document d SET text_at = d.created_at, text_language = " \
	"wanted.name" \
	"  FROM wanted WHERE d.id" PG_EQUALS "wanted.id)," \
	" postings AS (INSERT INTO public.text_posting (lexeme, segment, chunks, postings)" \
	"  SELECT w.lexeme, s.id, pg_catalog.count(*), pg_catalog.array_agg(w.posting)" \
	"  FROM (SELECT t.document_id, t.part, u.lexeme COLLATE pg_catalog.\"C\" AS lexeme," \
	"    (t.id OPERATOR(pg_catalog.<<) 24)" \
	"    OPERATOR(pg_catalog.|) (least(t.length, " TEXT_LENGTH_MAX ")::bigint" \
	"     OPERATOR(pg_catalog.<<) 10)" \
	"    OPERATOR(pg_catalog.|) least(pg_catalog.cardinality(u.positions), " TEXT_TIMES_MAX \
	"     )::bigint AS posting" \
	"   FROM terms t CROSS JOIN LATERAL pg_catalog.unnest(t.lexemes) u" \
	"   WHERE pg_catalog.octet_length(u.lexeme)" PG_AT_MOST LEXEME_MAX ") w" \
	"  JOIN segment s ON s.document_id" PG_EQUALS "w.document_id AND s.part" PG_EQUALS \
	"w.part" \
	"  GROUP BY w.lexeme, s.id)" \
	" SELECT pg_catalog.count(*) FROM wanted"

/* A configuration's name, as one of Postgres's own. */
#define CONFIGURATION(name) \
	"(('pg_catalog.' OPERATOR(pg_catalog.||) " name ")::pg_catalog.regconfig)"

const char text_store_statement[] =
    "WITH wanted AS MATERIALIZED (SELECT $2::pg_catalog.text AS id,"
    " $1::pg_catalog.text AS name, " CONFIGURATION("$1::pg_catalog.text") " AS language)," KEEP;

/* So many documents, and about so many chunks at a time: a statement of a tenth of a second, or
 * one large document. A lock tells apart what is being stored anew at the moment: that keeps its
 * words itself. */
const char text_store_missing_statement[] =
    "WITH candidate AS MATERIALIZED (SELECT id, coalesce(text_language, $1::pg_catalog.text) AS "
    "name,"
    " chunks FROM public.document WHERE " TEXT_IS_MISSING
    " ORDER BY id LIMIT 50 FOR UPDATE SKIP LOCKED),"
    " wanted AS MATERIALIZED (SELECT id, name, " CONFIGURATION(
	"name") " AS language"
		"  FROM (SELECT id, name, pg_catalog.sum(chunks) OVER (ORDER BY id)" PG_MINUS
		"chunks AS before FROM candidate) c WHERE before" PG_BELOW "500)," KEEP;
