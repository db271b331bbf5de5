/* SPDX-License-Identifier: MIT */
/*
 * index_rule: what is to be done next for the index of a tenant's vectors, decided from what its
 * database says alone. Whatever was left half-way, by whomever, is in what is seen: so each step is
 * decided anew, and none needs to know of the one before. Pure; any thread.
 *
 * The sizes rest on measurements (pgvector 0.8, 1,536 dimensions, one processor): a row that
 * is merged costs 2.4 to 4.5 ms, one in a new index 0.8; an exact search, 1.7 to 2 us a chunk.
 */
#ifndef RETRIEVAL_INDEX_RULE_H
#define RETRIEVAL_INDEX_RULE_H

#include "retrieval/index.h"

/* Up to so many chunks an exact search is as fast as any. */
#define INDEX_ROWS_MIN 2500
/* Chunks behind the index that are left there: they add 0.2 ms to a search at most, of about 1.5.
 * Were it more, as many would be merged in the end: each chunk once. */
#define INDEX_TAIL_REST 100
/* A tail of less than one part in so many is merged row by row, a larger one by a new index. */
#define INDEX_TAIL_PART 4
/* An index of whose entries one in so many is of a deleted row is made anew. */
#define INDEX_DEAD_PART 5

#define INDEX_SEEN_MAX 8
/* That of databases before schema 3: of all chunks. */
#define INDEX_BEFORE_TAIL "chunk_embedding"

struct index_seen {
	char	 name[INDEX_NAME_SIZE];
	bool	 is_valid; /* false: its build, or its end, was cut off */
	uint64_t bytes;
};

struct index_state {
	struct vector_column column;
	bool	 has_embeddings; /* to be copied */
	uint64_t rows;	  /* chunks */
	uint64_t tail;	  /* of them behind indexed_to; INDEX_TAIL_REST or a quarter of all, and one
			   * more, stands for any more */
	int64_t	 last_id; /* the greatest of a chunk */
	/* What is published; "" and 0: nothing. */
	char	 index_name[INDEX_NAME_SIZE];
	int64_t	 indexed_to;
	uint64_t index_rows, index_bytes; /* as it was then; 0: not known */
	bool	 has_sketches; /* there may be some, of the tail (sketch.h) */
	int64_t	 sketched_of, sketched_to;
	struct index_seen seen[INDEX_SEEN_MAX];
	unsigned seen_count;
};

enum index_action {
	INDEX_REST,
	INDEX_BUILD,   /* one with a higher bound */
	INDEX_PUBLISH, /* what is whole: searches go by it from now on */
	INDEX_DROP,    /* what is not searched by, or of no use */
	INDEX_FORGET,  /* that there was one */
	INDEX_SKETCH,  /* the tail, up to the last chunk */
	INDEX_MERGE,   /* the tail into the index, row by row */
	INDEX_COPY,    /* a batch of another table's vectors (embeddings_copy.h) */
};

struct index_decision {
	enum index_action action;
	int64_t	    bound; /* of INDEX_BUILD and INDEX_PUBLISH */
	const char *name;  /* of INDEX_PUBLISH and INDEX_DROP; borrowed from the state */
};

struct index_decision	index_decide(const struct index_state *, const struct index_kind *);

/* How long a build of so many rows may take, on a small compute, microseconds. */
uint64_t		index_build_timeout_us(uint64_t rows);

#endif
