/* SPDX-License-Identifier: MIT */
/*
 * staging: a document's chunks on their way into the tenant's database, from version
 * RETRIEVAL_SCHEMA_TAIL of its schema on.
 *
 *	chunks_find:	vectors of the same texts, that are there already
 *	chunks_stage:	rows that have their vectors, into public.chunk_staged, in any order
 *	chunks_stage_words: the words of a large document's chunks, from RETRIEVAL_SCHEMA_PLACES on
 *	store_document	makes the document whole of them, in one transaction (retrieval.h)
 *	chunks_discard:	what is staged of an attempt that has ended, well or not
 *
 * Words are kept by postings that lie among all others' in their table, and that no search looks
 * at before the document is whole (retrieval/text_schema.h): so the transaction that makes it whole
 * has some rows to move, and not a row for each word.
 *
 * Staged rows belong to an attempt of documents_begin(), and nobody searches them. They are
 * discarded at once, behind the commit or the failure; those of a process that died, when the
 * catalog's row of its attempt is reconciled; all else by its age, with a later attempt's first
 * rows, or by the sweep. The table is UNLOGGED, which is half of the log that a row costs, so a
 * server that crashes loses it: store_document() counts.
 *
 * Operations of a flow on its worker; they borrow what they are given until the wait is over.
 */
#ifndef TENANTGATE_RETRIEVAL_STAGING_H
#define TENANTGATE_RETRIEVAL_STAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenantgate/base/digest.h"
#include "tenantgate/base/language.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/pool.h"

struct chunk;
struct chunk_list;

#define CHUNK_HASH_SIZE SHA256_SIZE

/* What a text is known by whose vector is stored: HMAC-SHA-256 of it under the name of the model
 * that made the vector, so that no other model's is taken for it. */
void	chunk_hash(const char *model, struct slice content, uint8_t out[CHUNK_HASH_SIZE]);

/* One row of a COPY; all borrowed. */
struct chunk_row {
	const struct chunk	*chunk;
	const uint8_t		*hash;		/* CHUNK_HASH_SIZE bytes; not looked at below
						 * RETRIEVAL_SCHEMA_TAIL */
	const float		*vector;
};

struct chunk_rows {
	const struct chunk_row	*rows;
	size_t			 count;
	unsigned		 dimensions;	/* of each vector */
};

/* Called as rows go out: so many have been sent. It writes at most, and wakes no flow. */
typedef void	store_progress_fn(void *arg, size_t chunks);

/* Of n hashes (CHUNK_FIND_MAX at most; none is fine, and finds out whether the connection lives)
 * those that a chunk of the database has: found[i] becomes its vector, in the block *vectors, for
 * the caller to free(); the others stay NULL. owner: of that user's documents alone, for what the
 * model is not asked for says that somebody has it; NULL: of all. Borrowed. The lease may be
 * exchanged. Fails as pg_check() and pool_read() do. */
#define CHUNK_FIND_MAX	2048
enum flow_rc	chunks_find(struct flow *, struct pool_lease *, const uint8_t *const *hashes,
		    size_t n, unsigned dimensions, const char *owner, const float **found,
		    float **vectors)
		    __attribute__((warn_unused_result));

/* Whose rows are staged; borrowed. */
struct chunk_attempt {
	const char	*name;
	int		 schema_version; /* of the database, at least */
	uint64_t	 stale_us;	/* also takes away what is older, and left of dead attempts;
					 * 0: does not look */
};

/* A COPY. Fails as pg_check() does; then none of the rows is staged. */
enum flow_rc	chunks_stage(struct flow *, struct pool_lease *, const struct chunk_attempt *,
		    const struct chunk_rows *, store_progress_fn *, void *arg)
		    __attribute__((warn_unused_result));

/* Of documents that have more chunks the words are staged; of others they are made in the
 * transaction that stores them, about 0.15 ms a chunk. */
#define CHUNK_WORDS_AT_ONCE	1000
bool		chunk_words_are_staged(int schema_version, size_t chunks);
/* The words of the chunks from *next on, a segment's: some 20 ms of the server. *next moves behind
 * them at once. The lease may be exchanged. Fails as pg_check() and pool_read() do. */
enum flow_rc	chunks_stage_words(struct flow *, struct pool_lease *, const struct chunk_attempt *,
		    enum language, const struct chunk_list *, size_t *next)
		    __attribute__((warn_unused_result));

/* In the background, with copies of all it is given; what fails is left to a later attempt. */
void		chunks_discard(struct worker *, struct pools *, const struct pool_target *,
		    int schema_version, const char *attempt);

#endif
