/* SPDX-License-Identifier: MIT */
/*
 * text_statement: see the header. Each part is a table of its own (MATERIALIZED), and what is read
 * of text_posting is read in the order of its index with a LIMIT: so that there is one way to do
 * it, with statistics and without.
 */
#include "retrieval/text_statement.h"

#include "retrieval/text_store.h"
#include "tenantgate/wire/pg_sql.h"

#define SEGMENTS_MAX "4000"  /* looked at for the number of chunks and their length */
#define WORDS_MAX    "32"    /* of a question */
#define ROWS_MAX     "1000"  /* of a word that are counted */
#define ROWS_OF_ALL  "8000"  /* ... of all words */
#define LOOKED_MAX   "4000"  /* of a word, for those of many wanted documents */
#define LOOKED_IN    "16000" /* ... of all words */
#define POSTINGS     "4000"  /* of rare words that are read, about */
#define RARE_MIN     "100"   /* ... at least, by how many words it takes: the most that is wanted */
#define READ_MAX     "6000"  /* ... at most, of one word that is in most chunks */
#define READ_OF_FEW  "16000" /* ... of few chunks by all words, the rarest first */
#define BEST	     "200"   /* chunks that are looked at once more */
#define MORE_MAX     "30000" /* postings of common words that are read for them, about */
#define LOOK_UP	     "20"    /* ... that take as long as it takes to find a segment's */
#define FEW_CHUNKS   "2000"  /* of wanted documents: all is read of them */
#define FEW_SEGMENTS "300"
#define WIDER_MAX    "10" /* times POSTINGS, among documents that have a part of all chunks */

/* BM25's k1 and b, as k1 + 1, k1 * (1 - b) and k1 * b. Chunks are of about the same size, and so
 * length counts less (b = 0.3) than in documents as they come (0.75). */
#define K1_PLUS_1    "2.2"
#define K1_FIXED     "0.84"
#define K1_BY_LENGTH "0.36"

#define OVER   " OPERATOR(pg_catalog./) "
#define DOUBLE "::double precision"

/* What a part of a range of numbers has is taken for as dense as the whole. */
#define STRETCH(first, last, end) \
	"((" end PG_MINUS first PG_PLUS "1)" DOUBLE OVER "(" last PG_MINUS first PG_PLUS "1))"

/* SQL is laid out as SQL. */
/* clang-format off */
#define TEXT_SIZE \
	"text_size AS MATERIALIZED (SELECT h.first, e.last," \
	"  h.length" OVER "h.chunks AS length," \
	"  h.chunks" OVER "greatest(h.segments, 1)" DOUBLE " AS in_segment," \
	"  h.chunks" PG_TIMES "CASE WHEN h.segments" PG_BELOW SEGMENTS_MAX " THEN 1" \
	"   ELSE " STRETCH("h.first", "h.last", "e.last") " END AS chunks" \
	" FROM (SELECT pg_catalog.count(*) AS segments," \
	"  pg_catalog.sum(chunks)" DOUBLE " AS chunks," \
	"  greatest(pg_catalog.sum(length), 1)" DOUBLE " AS length," \
	"  pg_catalog.min(id) AS first, pg_catalog.max(id) AS last" \
	"  FROM (SELECT id, chunks, length FROM public.text_segment" \
	"   ORDER BY id LIMIT " SEGMENTS_MAX ") s) h" \
	" CROSS JOIN (SELECT pg_catalog.max(id) AS last FROM public.text_segment) e)"

/* The same of the documents that are wanted: counted, not guessed. */
#define TEXT_SIZE_OF_PART \
	", text_size AS MATERIALIZED (SELECT first, last, chunks," \
	"  greatest(words, 1)" OVER "chunks AS length," \
	"  chunks" OVER "greatest(segments, 1)" DOUBLE " AS in_segment" \
	" FROM (SELECT pg_catalog.count(*) AS segments," \
	"  pg_catalog.sum(chunks)" DOUBLE " AS chunks," \
	"  pg_catalog.sum(length)" DOUBLE " AS words," \
	"  pg_catalog.min(id) AS first, pg_catalog.max(id) AS last FROM text_part) h)"

/* In each language that there is: which one a question is in nobody knows. */
#define TEXT_LANGUAGES "public.text_language"
#define TEXT_LANGUAGES_OF_PART \
	"(SELECT DISTINCT text_language AS name FROM wanted WHERE text_language IS NOT NULL)"
#define TEXT_WORD(languages) \
	", text_spoken AS MATERIALIZED (SELECT l.name AS language," \
	"  u.lexeme COLLATE pg_catalog.\"C\" AS lexeme, u.positions[1] AS place" \
	" FROM " languages " l" \
	" CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.to_tsvector(" \
	"  ('pg_catalog.' OPERATOR(pg_catalog.||) l.name)::pg_catalog.regconfig," \
	"  $%u::pg_catalog.text)) u)" \
	", text_word AS MATERIALIZED (SELECT lexeme FROM text_spoken GROUP BY lexeme" \
	" ORDER BY pg_catalog.min(place), lexeme LIMIT " WORDS_MAX ")"

/* Of documents that are not whole yet: their words are there before them. */
#define TEXT_HIDDEN \
	", text_hidden AS MATERIALIZED (SELECT segment FROM public.text_staged)"
#define IS_SEEN(row) \
	" AND NOT (" row ".segment" PG_EQUALS "ANY (SELECT segment FROM text_hidden))"

/* A word's rows from a segment to another. Written as a range, for which only the index of words
 * has the order: with "=" for the word, that of segments alone has it too, and would be read
 * through where statistics say that there are few words. */
#define IN_STRETCH(row, first, last) \
	"ROW(" row ".lexeme, " row ".segment)" PG_AT_LEAST "ROW(w.lexeme, " first ")" \
	" AND ROW(" row ".lexeme, " row ".segment)" PG_AT_MOST "ROW(w.lexeme, " last ")"
#define FIRST_SEGMENT "0::bigint"
#define LAST_SEGMENT  "9223372036854775807::bigint"

/* The more words, the fewer rows of each are looked at. */
#define ROWS_OF_EACH(of_one, of_all) \
	"(SELECT least(" of_one ", " of_all OVER "greatest(pg_catalog.count(*), 1)) FROM text_word)"
#define TEXT_COUNT(rows, of_each) \
	", text_count AS MATERIALIZED (SELECT w.lexeme," \
	"  c.chunks" PG_TIMES "CASE WHEN c.segments" PG_BELOW of_each " THEN 1" \
	"   ELSE " STRETCH("s.first", "c.last", "s.last") " END AS chunks" \
	" FROM text_word w CROSS JOIN text_size s" \
	" CROSS JOIN LATERAL (SELECT pg_catalog.count(*) AS segments," \
	"  coalesce(pg_catalog.sum(chunks), 0)" DOUBLE " AS chunks," \
	"  pg_catalog.max(segment) AS last" \
	"  FROM (" rows ") r) c)"
#define COUNTED(first, last, where, limit) \
	"SELECT chunks, segment FROM public.text_posting p" \
	" WHERE " IN_STRETCH("p", first, last) where \
	" ORDER BY lexeme, segment LIMIT " limit
#define OF_EACH		ROWS_OF_EACH(ROWS_MAX, ROWS_OF_ALL)
#define COUNTED_OF_ALL(where) \
	"SELECT * FROM (" COUNTED(FIRST_SEGMENT, LAST_SEGMENT, where, ROWS_MAX) ") m LIMIT " OF_EACH

/* The rarer a word is, the more it counts (idf), and never less than nothing. */
#define TEXT_WEIGHT(limit) \
	", text_weight AS MATERIALIZED (SELECT lexeme, chunks," \
	"  pg_catalog.ln(1" PG_PLUS "((greatest(in_all, chunks)" PG_MINUS "chunks" PG_PLUS "0.5)" \
	"   " OVER "(chunks" PG_PLUS "0.5))) AS weight," \
	"  before" PG_BELOW RARE_MIN " OR (before" PG_PLUS "chunks)" PG_AT_MOST limit \
	"   AS is_rare" \
	" FROM (SELECT c.lexeme, c.chunks, s.chunks AS in_all," \
	"  coalesce(pg_catalog.sum(c.chunks) OVER (ORDER BY c.chunks, c.lexeme" \
	"   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before" \
	"  FROM text_count c CROSS JOIN text_size s) o)"

/* x: postings of a word each; s: text_size. */
#define TIMES  "(x.posting OPERATOR(pg_catalog.&) " TEXT_TIMES_MAX ")" DOUBLE
#define LENGTH "((x.posting OPERATOR(pg_catalog.>>) 10)" \
	       " OPERATOR(pg_catalog.&) " TEXT_LENGTH_MAX ")" DOUBLE
#define CHUNK  "(x.posting OPERATOR(pg_catalog.>>) 24)"
#define SCORE \
	"((x.weight" PG_TIMES K1_PLUS_1 DOUBLE PG_TIMES TIMES ")" OVER \
	"(" TIMES PG_PLUS K1_FIXED DOUBLE PG_PLUS \
	" (" K1_BY_LENGTH DOUBLE PG_TIMES LENGTH OVER "s.length)))"

/* Newest first, where not all are read. */
#define ROWS_OF_WORD " FROM public.text_posting t WHERE t.lexeme" PG_EQUALS "w.lexeme"
#define READ_OF_WORD(first, last, where) \
	"SELECT segment, postings FROM public.text_posting t" \
	" WHERE " IN_STRETCH("t", first, last) where \
	" ORDER BY lexeme DESC, segment DESC LIMIT " READ_MAX

#define TEXT_FOUND(rows, words, limit) \
	", text_found AS MATERIALIZED (SELECT " CHUNK " AS id," \
	"  pg_catalog.max(x.segment) AS segment, pg_catalog.sum(" SCORE ") AS score" \
	" FROM (SELECT p.segment, w.weight, pg_catalog.unnest(p.postings) AS posting" \
	"  FROM text_weight w CROSS JOIN LATERAL (" rows ") p WHERE " words \
	"  LIMIT " limit ") x CROSS JOIN text_size s" \
	" GROUP BY 1 ORDER BY 3 DESC, 1 LIMIT " BEST ")"

/* The commonest say least, and cost most: of many words these are left out. */
#define TEXT_MORE(words) \
	", text_near AS MATERIALIZED (SELECT DISTINCT segment FROM text_found)" \
	", text_common AS MATERIALIZED (SELECT lexeme, weight FROM (SELECT w.lexeme, w.weight," \
	"  pg_catalog.sum(" LOOK_UP DOUBLE PG_PLUS "(s.in_segment" PG_TIMES \
	"   least(1, w.chunks" OVER "s.chunks))) OVER (ORDER BY w.chunks, w.lexeme) AS postings" \
	"  FROM text_weight w CROSS JOIN text_size s WHERE NOT w.is_rare" words ") c" \
	" WHERE postings" PG_TIMES "(SELECT pg_catalog.count(*) FROM text_near)" DOUBLE \
	PG_AT_MOST MORE_MAX DOUBLE ")" \
	", text_more AS (SELECT f.id, " SCORE " AS score" \
	" FROM (SELECT w.weight, pg_catalog.unnest(p.postings) AS posting FROM text_common w" \
	"  CROSS JOIN text_near d" \
	"  CROSS JOIN LATERAL (SELECT postings" ROWS_OF_WORD \
	"   AND t.segment" PG_EQUALS "d.segment LIMIT 1) p) x" \
	" CROSS JOIN text_size s JOIN text_found f ON f.id" PG_EQUALS CHUNK ")"

/* Over the most that all words of one language could give, were they there again and again: of that
 * language whose words are known best, for a word that no document has weighs most. */
#define TEXT_HIT(name) \
	", text_most AS MATERIALIZED (SELECT" \
	"  greatest(pg_catalog.min(weight)" PG_TIMES K1_PLUS_1 DOUBLE ", 0.001) AS most" \
	" FROM (SELECT pg_catalog.sum(w.weight) AS weight FROM text_spoken q" \
	"  JOIN text_weight w ON w.lexeme" PG_EQUALS "q.lexeme GROUP BY q.language) l)" \
	", " name " AS MATERIALIZED (SELECT id, least(1, pg_catalog.sum(score)" OVER \
	"  (SELECT most FROM text_most)) AS score" \
	" FROM (SELECT id, score FROM text_found UNION ALL SELECT id, score FROM text_more) a" \
	" GROUP BY id ORDER BY 2 DESC, 1 LIMIT 100)"

/* From the places of chunks to their ids, of no more than are wanted. Where the document was
 * replaced by a build that knows no places, they are of the version before, and nobody's. */
#define PLACE "(b.id" PG_PLUS TEXT_PLACES ")"
#define TEXT_HIT_OF_PLACES \
	", text_hit AS MATERIALIZED (SELECT coalesce(p.id, b.id) AS id, b.score" \
	" FROM (SELECT id, score FROM text_best ORDER BY score DESC, id LIMIT $2) b" \
	" LEFT JOIN LATERAL (SELECT (SELECT c.id FROM public.chunk c" \
	"   WHERE c.document_id" PG_EQUALS "s.document_id AND c.chunk_index" PG_EQUALS \
	"    (s.first_index" PG_PLUS "(" PLACE " OPERATOR(pg_catalog.&) " \
	"     (" TEXT_SEGMENT_CHUNKS PG_MINUS "1))::int) LIMIT 1) AS id" \
	"  FROM (SELECT document_id, first_index FROM public.text_segment" \
	"   WHERE id" PG_EQUALS "(" PLACE " OPERATOR(pg_catalog.>>) " TEXT_SEGMENT_BITS ")" \
	"   LIMIT 1) s CROSS JOIN LATERAL (SELECT FROM public.document d" \
	"   WHERE d.id" PG_EQUALS "s.document_id AND d.text_placed_at" PG_EQUALS "d.created_at" \
	"   LIMIT 1) e WHERE b.id" PG_BELOW "0 LIMIT 1) p ON true" \
	" WHERE b.id" PG_AT_LEAST "0 OR p.id IS NOT NULL)"

/* ---- among some documents ---- */

#define TEXT_PART \
	"text_part AS MATERIALIZED (SELECT s.id, s.chunks, s.length FROM wanted w" \
	" JOIN public.text_segment s ON s.document_id" PG_EQUALS "w.id)" \
	", text_scope AS MATERIALIZED (SELECT" \
	"  pg_catalog.count(*)" PG_AT_MOST FEW_SEGMENTS \
	"   AND pg_catalog.sum(chunks)" PG_AT_MOST FEW_CHUNKS " AS is_few," \
	"  greatest(pg_catalog.sum(chunks), 1)" DOUBLE " AS chunks FROM text_part)"

#define LIMIT_WIDER \
	"(SELECT " POSTINGS PG_TIMES "least(" WIDER_MAX ", greatest(1, in_all" OVER "chunks))" \
	" FROM text_scope)"
#define IS_FEW "(SELECT is_few FROM text_scope)"
/* Of few, a look-up for each segment: an order or a list would read all rows of the word. */
#define OF_FEW(columns) \
	"SELECT " columns " FROM text_part f CROSS JOIN LATERAL (SELECT segment, chunks, postings" \
	ROWS_OF_WORD " AND t.segment" PG_EQUALS "f.id LIMIT 1) p WHERE " IS_FEW
/* Of many, whichever of the word's rows are theirs, asked of one after another: a join would read
 * all rows of the word, and sort them. */
#define IS_OF_PART(segment) "(" segment PG_EQUALS "ANY (SELECT id FROM text_part))"
#define FIRST_OF_PART	    "(SELECT pg_catalog.min(id) FROM text_part)"
#define LAST_OF_PART	    "(SELECT pg_catalog.max(id) FROM text_part)"
#define READ_OF_SOME \
	"(" OF_FEW("p.segment, p.postings") ") UNION ALL (" \
	READ_OF_WORD(FIRST_OF_PART, LAST_OF_PART, \
	    " AND NOT " IS_FEW " AND " IS_OF_PART("t.segment") " IS TRUE") ")"
#define COUNTED_OF_SOME \
	"(" OF_FEW("p.chunks, p.segment") ") UNION ALL (" \
	"SELECT CASE WHEN " IS_OF_PART("m.segment") " THEN chunks ELSE 0 END, segment FROM (" \
	COUNTED(FIRST_OF_PART, LAST_OF_PART, " AND NOT " IS_FEW, LOOKED_MAX) ") m" \
	" LIMIT " LOOKED_OF_EACH ")"
#define LOOKED_OF_EACH ROWS_OF_EACH(LOOKED_MAX, LOOKED_IN)
#define READ_IN_ALL \
	"(SELECT CASE WHEN is_few THEN " READ_OF_FEW " ELSE " READ_MAX " END FROM text_scope)"
/* clang-format on */

static const char *const count_of_all = TEXT_COUNT(COUNTED_OF_ALL(""), OF_EACH);
static const char *const count_of_seen =
    TEXT_HIDDEN TEXT_COUNT(COUNTED_OF_ALL(IS_SEEN("p")), OF_EACH);
static const char *const found_of_all =
    TEXT_FOUND(READ_OF_WORD(FIRST_SEGMENT, LAST_SEGMENT, ""), "w.is_rare", READ_MAX);
static const char *const found_of_seen =
    TEXT_FOUND(READ_OF_WORD(FIRST_SEGMENT, LAST_SEGMENT, IS_SEEN("t")), "w.is_rare", READ_MAX);

/* How many there are of which words: in all documents, or in the wanted ones alone. */
static void
put_counts(struct buf *b, unsigned param, enum text_scope scope, bool has_places)
{
	if (scope == TEXT_OF_SOME_ALONE) {
		buf_puts(b, TEXT_PART TEXT_SIZE_OF_PART);
		buf_printf(b, TEXT_WORD(TEXT_LANGUAGES_OF_PART), param);
		buf_puts(b, TEXT_COUNT(COUNTED_OF_SOME, LOOKED_OF_EACH));
		return;
	}
	buf_puts(b, TEXT_SIZE);
	buf_printf(b, TEXT_WORD(TEXT_LANGUAGES), param);
	buf_puts(b, has_places ? count_of_seen : count_of_all);
	if (scope == TEXT_OF_SOME)
		buf_puts(b, ", " TEXT_PART);
}

bool
text_statement_tables(struct buf *b, unsigned param, enum text_scope scope, bool has_places)
{
	put_counts(b, param, scope, has_places);
	if (scope != TEXT_OF_ALL) {
		buf_puts(b, TEXT_WEIGHT(LIMIT_WIDER));
		buf_puts(b, TEXT_FOUND(READ_OF_SOME, "w.is_rare OR " IS_FEW, READ_IN_ALL));
		buf_puts(b, TEXT_MORE(" AND NOT " IS_FEW));
	} else {
		buf_puts(b, TEXT_WEIGHT(POSTINGS));
		buf_puts(b, has_places ? found_of_seen : found_of_all);
		buf_puts(b, TEXT_MORE(""));
	}
	return buf_puts(b,
	    has_places ? TEXT_HIT("text_best") TEXT_HIT_OF_PLACES : TEXT_HIT("text_hit"));
}
