/* SPDX-License-Identifier: MIT */
#include "retrieval/staging_forget.h"
#include "retrieval/text_store.h"

/* What nobody types is no word: and a row of the index must fit its page. */
#define LEXEME_MAX "128"

/* SQL is laid out as SQL. */
/* clang-format off */

/* Behind "w (lexeme, segment, posting)". */
#define PUT_POSTINGS \
	"INSERT INTO public.text_posting (lexeme, segment, chunks, postings)" \
	"  SELECT w.lexeme, w.segment, pg_catalog.count(*), pg_catalog.array_agg(w.posting) FROM "
#define BY_WORD " GROUP BY w.lexeme, w.segment"

/* t: a chunk's terms; u: one of its lexemes. */
#define LENGTH_OF(lexemes) \
	" (SELECT coalesce(pg_catalog.sum(pg_catalog.cardinality(u.positions)), 0)" \
	"  FROM pg_catalog.unnest(" lexemes ") u) AS length"
#define POSTING(number) \
	" u.lexeme COLLATE pg_catalog.\"C\" AS lexeme," \
	" (" number " OPERATOR(pg_catalog.<<) 24)" \
	" OPERATOR(pg_catalog.|) (least(t.length, " TEXT_LENGTH_MAX ")::bigint" \
	"  OPERATOR(pg_catalog.<<) 10)" \
	" OPERATOR(pg_catalog.|) least(pg_catalog.cardinality(u.positions), " TEXT_TIMES_MAX \
	"  )::bigint AS posting"
#define EACH_LEXEME \
	" CROSS JOIN LATERAL pg_catalog.unnest(t.lexemes) u" \
	" WHERE pg_catalog.octet_length(u.lexeme)" PG_AT_MOST LEXEME_MAX
#define NEXT_SEGMENT \
	" pg_catalog.nextval('public.text_segment_id_seq'::pg_catalog.regclass) AS id"

/*
 * $1 is the configuration, behind "wanted AS (SELECT id ...)", the documents.
 *
 *	terms	each chunk's lexemes with their places; parsed once, and counted
 *	segment	numbered here, so that the rows of both tables can be made of one parse
 */
#define KEEP \
	" old AS (DELETE FROM public.text_segment s USING wanted" \
	"  WHERE s.document_id" PG_EQUALS "wanted.id)," \
	" terms AS MATERIALIZED (SELECT id, document_id, part, lexemes," LENGTH_OF("lexemes") \
	"  FROM (SELECT c.id, c.document_id," \
	"   c.chunk_index OPERATOR(pg_catalog./) " TEXT_SEGMENT_CHUNKS " AS part," \
	"   pg_catalog.to_tsvector(wanted.language, c.content) AS lexemes" \
	"   FROM wanted JOIN public.chunk c ON c.document_id" PG_EQUALS \
	"wanted.id OFFSET 0) parsed)," \
	" segment AS MATERIALIZED (SELECT" NEXT_SEGMENT "," \
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
	" postings AS (" PUT_POSTINGS "(SELECT s.id AS segment, p.lexeme, p.posting" \
	"   FROM (SELECT t.document_id, t.part," POSTING("t.id") " FROM terms t" EACH_LEXEME ") p" \
	"   JOIN segment s ON s.document_id" PG_EQUALS "p.document_id AND s.part" PG_EQUALS \
	"p.part) w" BY_WORD ")" \
	" SELECT pg_catalog.count(*) FROM wanted"

/* A configuration's name, as one of Postgres's own. */
#define CONFIGURATION(name) \
	"(('pg_catalog.' OPERATOR(pg_catalog.||) " name ")::pg_catalog.regconfig)"

const char text_store_statement[] =
    "WITH wanted AS MATERIALIZED (SELECT $2::pg_catalog.text AS id,"
    " $1::pg_catalog.text AS name, " CONFIGURATION("$1::pg_catalog.text") " AS language)," KEEP;

/* So many documents, and about so many chunks at a time: a statement of a tenth of a second, or
 * one large document. A lock tells apart what is being stored anew at the moment: that keeps its
 * words itself. What was changed between the statement's beginning and the lock is left for the
 * next one: the chunks that this one sees are those of before. */
#define KEEP_SOME(condition) \
	"WITH candidate AS MATERIALIZED (SELECT id," \
	" coalesce(text_language, $1::pg_catalog.text) AS name," \
	" chunks, xmin AS version FROM public.document WHERE " condition \
	" ORDER BY id LIMIT 50 FOR UPDATE SKIP LOCKED)," \
	" wanted AS MATERIALIZED (SELECT id, name, " CONFIGURATION("name") " AS language" \
	"  FROM (SELECT c.id, c.name, pg_catalog.sum(c.chunks) OVER (ORDER BY c.id)" PG_MINUS \
	"c.chunks AS before FROM candidate c JOIN public.document d ON d.id" PG_EQUALS "c.id" \
	"   AND d.xmin" PG_EQUALS "c.version) w WHERE before" PG_BELOW "500)," KEEP

const char text_store_missing_statement[] = KEEP_SOME(TEXT_IS_MISSING);
const char text_store_owed_statement[] = KEEP_SOME(TEXT_IS_OWED);

/* One that is there already is not made again: its row has the key, and the others are of it. */
const char text_stage_statement[] =
    "WITH terms AS MATERIALIZED (SELECT place, lexemes," LENGTH_OF("lexemes")
    "  FROM (SELECT g.place" PG_MINUS "1 AS place, pg_catalog.to_tsvector("
    CONFIGURATION("$1::pg_catalog.text") ", g.content) AS lexemes"
    "   FROM pg_catalog.unnest($4::pg_catalog.text[]) WITH ORDINALITY AS g(content, place)"
    "   WHERE NOT EXISTS (SELECT FROM public.text_staged s WHERE s.attempt" PG_EQUALS
    "$2::pg_catalog.text AND s.first_index" PG_EQUALS "$3::int) OFFSET 0) parsed),"
    " segment AS MATERIALIZED (SELECT" NEXT_SEGMENT ", chunks, length"
    "  FROM (SELECT pg_catalog.count(*) AS chunks, pg_catalog.sum(length) AS length FROM terms"
    "   HAVING pg_catalog.count(*)" PG_ABOVE "0) counted),"
    " staged AS (INSERT INTO public.text_staged (segment, attempt, first_index, chunks, length)"
    "  SELECT id, $2::pg_catalog.text, $3::int, chunks, length FROM segment) "
    PUT_POSTINGS "(SELECT t.segment," POSTING("t.number") " FROM (SELECT s.id AS segment,"
    "  ((s.id OPERATOR(pg_catalog.<<) " TEXT_SEGMENT_BITS ")" PG_PLUS "place)" PG_MINUS
    TEXT_PLACES "  AS number, terms.length, lexemes FROM terms CROSS JOIN segment s) t"
    EACH_LEXEME ") w" BY_WORD;

/* Words of the version before are hidden by the attempt's name, under indexes that no chunk has,
 * and go as what it had staged would: to delete them takes longer than all else here. */
const char text_take_statement[] =
    "WITH old AS (DELETE FROM public.text_segment WHERE document_id" PG_EQUALS "$3"
    "  RETURNING id, chunks, length),"
    " hidden AS (INSERT INTO public.text_staged (segment, attempt, first_index, chunks, length)"
    "  SELECT id, $2, 0" PG_MINUS "pg_catalog.row_number() OVER (), chunks, length FROM old),"
    " taken AS (DELETE FROM public.text_staged WHERE attempt" PG_EQUALS "$2"
    "  RETURNING segment, first_index, chunks, length),"
    " segments AS (INSERT INTO public.text_segment"
    "  (id, document_id, first_index, chunks, length)"
    "  SELECT segment, $3, first_index, chunks, length FROM taken),"
    " languages AS (INSERT INTO public.text_language (name) VALUES ($1::pg_catalog.text)"
    "  ON CONFLICT DO NOTHING),"
    " done AS (UPDATE public.document SET text_placed_at = created_at,"
    "  text_language = $1::pg_catalog.text WHERE id" PG_EQUALS "$3)"
    " SELECT coalesce(pg_catalog.sum(chunks), 0) FROM taken";

#define BOTH_GO(condition) \
	STAGED_WORDS_GO(condition) \
	", chunks AS (" STAGED_CHUNKS_GO(condition) ") SELECT pg_catalog.count(*) FROM staged"

const char staging_forget_statement[] = BOTH_GO(STAGED_OF_ATTEMPT);
const char staging_forget_old_statement[] = BOTH_GO(STAGED_AGO);
/* clang-format on */
