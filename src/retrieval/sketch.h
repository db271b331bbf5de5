/* SPDX-License-Identifier: MIT */
/*
 * sketch: the signs of a vector's numbers, a bit each (pgvector's binary_quantize()). Of the tail's
 * chunks they are kept in a table of their own: there are forty on a page where a vector fills one,
 * so a search compares all of them in a sixth of the time, and then the vectors of the nearest few,
 * exactly.
 *
 * What always holds, in any snapshot (sketch_schema.h, sketch_statement.c):
 *  - public.retrieval.sketched_of is the indexed_to that the sketches were made behind. With
 *    another number there they do not count, and the whole tail is compared exactly.
 *  - Where it is that number, the tail's chunks up to sketched_to have a sketch, and no other has.
 *  - A chunk that goes, or leaves the tail, takes its sketch with it, whichever build has done it.
 */
#ifndef RETRIEVAL_SKETCH_H
#define RETRIEVAL_SKETCH_H

#include <stdbool.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/retrieval.h"

#define SKETCH_FROM	      700 /* pgvector 0.7: binary_quantize(), as halfvec */
#define SKETCH_DIMENSIONS_MIN 256 /* fewer bits say too little of which is nearest */
/* Made at a time, while whoever stores chunks waits: some hundredths of a second, or longer where
 * the vectors have to be read from afar, but no longer than the time-out. */
#define SKETCH_ROWS_MAX	  "5000"
#define SKETCH_TIMEOUT_MS "5000"

/* Of how many sketches the vectors are compared, for $2 wanted: for more of them more in each, for
 * what comes late is hardly farther than what is not wanted. */
#define SKETCH_CANDIDATES \
	"greatest(4 OPERATOR(pg_catalog.*) $2::bigint," \
	" (10 OPERATOR(pg_catalog.*) $2::bigint) OPERATOR(pg_catalog.-) 60)"

static inline bool
sketch_is_kept(int schema_version)
{
	return schema_version >= RETRIEVAL_SCHEMA_SKETCHES;
}

struct vector_column;

/* Whether there are to be any of such a column. */
bool sketch_serves(const struct vector_column *);

/*
 * The statements, several at once without parameters, that make sketches of the tail behind
 * indexed_to, and take away those of another number. As many rows as the last one has changed: a
 * batch's; none: there is no tail without, or its vectors are mostly zeros, so that their signs say
 * nothing. Fails as SKETCH_LOCKED where others are storing or deleting chunks, who are not waited
 * for, and as SKETCH_LATE where it takes longer than its time-out.
 */
void sketch_statement_write(struct buf *, const struct vector_column *, int64_t indexed_to);
#define SKETCH_LOCKED "55P03"
#define SKETCH_LATE   "57014"

#endif
