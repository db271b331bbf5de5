/* SPDX-License-Identifier: MIT */
/*
 * hybrid_statement: the SQL of searches by words (SEARCH_TEXT), and by words and vectors
 * (SEARCH_HYBRID): in one statement, by the ranks of both (Cormack, Clarke and Buettcher,
 * "Reciprocal Rank Fusion Outperforms Condorcet and Individual Rank Learning Methods", 2009).
 *
 * Parameters, and the columns enum hit_column, as vector_statement.h has them, but:
 *	SEARCH_TEXT	$1 the question; $2 how many; from $3 on what is of some documents
 *	SEARCH_HYBRID	$1 the vector; $2 how many of each kind are ranked; $3 the question; $4 how
 *			many; of WAY_EXACT_SOME $5 the bound; then what is of some documents
 */
#ifndef RETRIEVAL_HYBRID_STATEMENT_H
#define RETRIEVAL_HYBRID_STATEMENT_H

#include "retrieval/vector_statement.h"

/* Of each kind, at least: what is ranked behind could not come among the first by both. */
#define HYBRID_RANKED 40

/* way: WAY_TEXT or WAY_TEXT_SOME. */
void hybrid_text_write(struct buf *, enum vector_way, const struct search_request *);
/* way: one that is neither of words alone nor WAY_BEFORE_*. */
void hybrid_statement_write(struct buf *, enum vector_way, const struct vector_index *,
    const struct search_request *);

#endif
