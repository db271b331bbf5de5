/* SPDX-License-Identifier: MIT */
/*
 * vector_statement: the SQL of a search by vectors. Which one is known before it is planned, so
 * that no statistics, and no plan made for other values, can choose the wrong way:
 *
 *	WAY_EXACT	all distances, where there is no index
 *	WAY_INDEX	the index for what it covers, and exactly what is behind it
 *	WAY_EXACT_SOME	all distances of some documents' chunks, or none but their number, where
 *			they are more than a bound
 *	WAY_INDEX_SOME	the index, and what it finds of other documents' is passed over: only where
 *			the documents have a good part of all, for it misses some (pgvector's
 *			README, "Filtering")
 *	WAY_TEXT(_SOME)	no vectors: by words (SEARCH_TEXT)
 *	WAY_BEFORE_*	the same in databases below RETRIEVAL_SCHEMA_TAIL
 *
 * Parameters: $1 the vector, binary; $2 how many; of WAY_EXACT_SOME $3 the bound; then of those for
 * some documents what the request has of: the documents' ids, their owner, the filter's values.
 * WAY_BEFORE_SOME has the ids as $3, and knows neither owner nor filter. The columns are enum
 * hit_column.
 */
#ifndef RETRIEVAL_VECTOR_STATEMENT_H
#define RETRIEVAL_VECTOR_STATEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/retrieval/search.h"

enum vector_way { WAY_EXACT, WAY_INDEX, WAY_EXACT_SOME, WAY_INDEX_SOME, WAY_TEXT,
	WAY_TEXT_SOME, WAY_BEFORE_ALL, WAY_BEFORE_SOME };

enum hit_column { HIT_DOCUMENT, HIT_TITLE, HIT_FILE_NAME, HIT_MIME_TYPE, HIT_PAGE, HIT_INDEX,
	HIT_CONTENT, HIT_DISTANCE, HIT_METADATA,
	/* from RETRIEVAL_SCHEMA_TAIL on: */
	HIT_INDEX_NAME,		/* public.retrieval's, a blank and its embedding_model, as of
				 * this statement: search_note_compare() */
	HIT_MATCHING,		/* WAY_EXACT_SOME: chunks of the documents */
	HIT_IN_ALL,		/* ... of all; null unless they are more than the bound */
};

/* An index's name says what it is of, and ends in its indexed_to: "chunk_halfvec_12000". */
#define INDEX_OF_HALFVEC	"chunk_halfvec_"	/* the vectors rounded to 16 bits */
#define INDEX_OF_VECTOR		"chunk_vector_"

struct vector_index {
	char		name[40];	/* "": there is none */
	int64_t		indexed_to;	/* it covers: NOT tail OR id <= indexed_to */
	bool		is_halfvec;
};

/* Whether the tail is searched by its sketches (sketch.h): another statement than without. */
bool	vector_by_sketches(const struct vector_index *, const struct search_request *);

/* schema: pgvector's, quoted. False: no memory, or it is past the buffer's ceiling. */
bool	vector_statement(struct buf *, enum vector_way, const char *schema,
	    const struct vector_index *, const struct search_request *);

#endif
