/* SPDX-License-Identifier: MIT */
/*
 * text_statement: the SQL of a search by words: BM25 (Robertson and Zaragoza, "The Probabilistic
 * Relevance Framework: BM25 and Beyond", 2009, section 3) over the tables of text_schema.h.
 *
 * What it costs is bounded, however often a word is in the tenant's documents:
 *
 *	size	what is known of all chunks; of many segments the oldest, and that times as much
 *	word	the question's words, 32 at most
 *	count	in how many chunks each is; of many rows the first, and that times as much
 *	weight	how much each counts; the rare ones first, until they are in 4,000 chunks
 *	found	the best by the rare ones
 *	common	of the others, as many as are read in a few milliseconds, the rarer ones first
 *	more	those chunks, by these too
 *	hit	the chunks' ids, of those that are known by their places (text_store.h)
 *
 * Among some documents that have few chunks all words are looked up in those alone.
 */
#ifndef RETRIEVAL_TEXT_STATEMENT_H
#define RETRIEVAL_TEXT_STATEMENT_H

#include <stdbool.h>

#include "tenantgate/base/buf.h"

/*
 * Appends tables of a WITH clause, without a comma behind the last: text_hit (id, score), the best
 * chunks, TEXT_HITS at most; a score is a part of what a chunk of nothing but the question's words
 * would have: 0 to 1; $2 of them are enough. param: the number of the parameter that is the
 * question. Of some: the documents that count are the table wanted (id), which stands before.
 * has_places: from RETRIEVAL_SCHEMA_PLACES on.
 */
#define TEXT_HITS 100
enum text_scope {
	TEXT_OF_ALL,
	TEXT_OF_SOME,	    /* of which the rest says how rare a word is */
	TEXT_OF_SOME_ALONE, /* the rest is not looked at: no score says what is in it */
};
bool text_statement_tables(struct buf *, unsigned param, enum text_scope, bool has_places);

#endif
