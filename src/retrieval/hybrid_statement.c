/* SPDX-License-Identifier: MIT */
#include "retrieval/hybrid_statement.h"

#include "retrieval/text_statement.h"
#include "retrieval/text_store.h"
#include "retrieval/vector_parts.h"

/*
 * A chunk's share by one of the two kinds is 1 / (1 + its rank): the first by words, or by vectors,
 * counts twice as much as the third. Words have text_weight of 100 parts, where a chunk has the
 * question's rare words; less where the best has under three tenths of what all of them could give:
 * a question in another language, or in other words, is answered by its vector. 85 parts are the
 * middle of what is no worse than words alone on either of two public sets of questions with hashed
 * vectors (README, "Searching"); at 80 a deep place or two of the smaller one are lost.
 *
 * The score is 1 for the first by both.
 */
#define FULL_AT	       "3.3"
#define SHARES_MAX     "50" /* 100 parts of a half, which the first has */
#define SHARE_OF(rank) "(1::double precision OPERATOR(pg_catalog./) (1" PG_PLUS rank "))"

/* clang-format off */
#define WORDS_SHARES \
	", words AS MATERIALIZED (SELECT h.id, w.weight" PG_TIMES SHARE_OF("h.rank") " AS share" \
	" FROM (SELECT id, pg_catalog.row_number() OVER (ORDER BY score DESC, id) AS rank" \
	"  FROM text_hit ORDER BY 2 LIMIT $2) h" \
	" CROSS JOIN (SELECT least(1, " FULL_AT PG_TIMES "pg_catalog.max(score))" PG_TIMES \
	"  %u AS weight FROM text_hit) w)"
#define FUSED \
	", fused AS MATERIALIZED (SELECT id," \
	"  pg_catalog.sum(share) OPERATOR(pg_catalog./) " SHARES_MAX " AS score" \
	"  FROM (SELECT id, share FROM words UNION ALL" \
	"  SELECT n.id, " SHARE_OF("n.rank") PG_TIMES "%u FROM (SELECT id," \
	"   pg_catalog.row_number() OVER (ORDER BY distance, id) AS rank FROM nearest) n) a" \
	"  GROUP BY id ORDER BY 2 DESC, 1 LIMIT " TEXT(SEARCH_K_MAX) ")"

/* What the rest of a statement takes for chunks found by their distance. */
#define BEST_OF(table, limit) \
	"(SELECT c.id, c.document_id, c.page, c.chunk_index, c.content," \
	" 1" PG_MINUS "r.score AS distance FROM (SELECT id, score FROM " table \
	" ORDER BY score DESC, id LIMIT " limit ") r" \
	" JOIN public.chunk c ON c.id" PG_EQUALS "r.id) b" JOIN_LIVING
/* clang-format on */

static enum text_scope
scope_of(const struct search_request *r, bool some)
{
	if (!some)
		return TEXT_OF_ALL;
	return r->own_only ? TEXT_OF_SOME_ALONE : TEXT_OF_SOME;
}

void
hybrid_text_write(struct buf *b, enum vector_way way, const struct search_request *r)
{
	bool some = way == WAY_TEXT_SOME;

	if (some)
		vector_wanted_write(b, r, 3);
	buf_puts(b, some ? ", " : "WITH ");
	text_statement_tables(b, 1, scope_of(r, some), text_has_places(r->schema_version));
	buf_puts(b, " " HITS INDEX_NAME " FROM " BEST_OF("text_hit", "$2") IN_ORDER);
}

/* The table nearest (id, distance), behind wanted where there is that. */
static void
hybrid_nearest_write(struct buf *b, enum vector_way way, const struct vector_index *index,
    const struct search_request *r)
{
	bool some = way == WAY_EXACT_SOME || way == WAY_INDEX_SOME;

	if (way == WAY_EXACT_SOME)
		buf_puts(b, MATCHING);
	buf_puts(b, some ? ", " : "WITH ");
	if (way == WAY_INDEX || way == WAY_INDEX_SOME) {
		buf_puts(b, "nearest AS MATERIALIZED (SELECT id, distance FROM (");
		vector_index_write(b, index, r, some);
		buf_puts(b, ") u ORDER BY distance, id LIMIT $2), ");
		return;
	}
	buf_puts(b,
	    "nearest AS MATERIALIZED (SELECT id, distance FROM (SELECT * FROM (" ID_DISTANCES);
	if (some)
		buf_puts(b,
		    " WHERE " OF_DOCUMENTS " AND (SELECT matching FROM size)" PG_AT_MOST
		    "$5::bigint");
	buf_puts(b, " OFFSET 0) x ORDER BY distance, id" LIMIT_BOTH "), ");
}

void
hybrid_statement_write(struct buf *b, enum vector_way way, const struct vector_index *index,
    const struct search_request *r)
{
	bool some = way == WAY_EXACT_SOME || way == WAY_INDEX_SOME;

	if (some)
		vector_wanted_write(b, r, way == WAY_EXACT_SOME ? 6 : 5);
	hybrid_nearest_write(b, way, index, r);
	text_statement_tables(b, 3, scope_of(r, some), text_has_places(r->schema_version));
	buf_printf(b, WORDS_SHARES, r->text_weight);
	buf_printf(b, FUSED, 100 - r->text_weight);
	buf_puts(b, " " HITS INDEX_NAME);
	if (way == WAY_EXACT_SOME)
		buf_puts(b,
		    MATCHING_COLUMNS("$5") " FROM size s LEFT JOIN (" BEST_OF("fused",
			"$4") ") ON true" IN_ORDER);
	else
		buf_puts(b, " FROM " BEST_OF("fused", "$4") IN_ORDER);
}
