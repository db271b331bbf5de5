/* SPDX-License-Identifier: MIT */
/*
 * reembed: a tenant's vectors made anew by another model, while the old ones go on to be searched.
 *
 *	[begin] --> [next] --> (the caller embeds) --> [put] --> [next] ... none left: [switch]
 *
 * New vectors wait in a table of their own, whose name is the model's digest, a transaction a
 * batch; the switch is one transaction, which puts all of them in place, and the model's name. So a
 * process may be killed anywhere: what was made is found again, and what was not switched is not
 * there. A chunk that comes meanwhile is one more to be embedded, for the switch makes sure that
 * none is left, with everybody else's writes kept waiting.
 *
 * With as many numbers as before nobody who reads waits. With others, the column is another one,
 * and searches wait for the switch, about a second for 10,000 chunks. The index goes before it, so
 * until the next one is made searches are exact, and slow where there are many chunks.
 *
 * Operations of a flow on its worker: they borrow what they are given until the wait is over, and
 * fail as pg_check() and pool_read() do. The lease is held for each, and may be given back between.
 */
#ifndef TENANTGATE_RETRIEVAL_REEMBED_H
#define TENANTGATE_RETRIEVAL_REEMBED_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/loop/flow.h"
#include "tenantgate/pool.h"
#include "tenantgate/retrieval/vector_model.h"

struct reembed {
	struct pool_lease	*lease;		/* borrowed */
	struct vector_model	 model;		/* that is to make the vectors */
	char			 table[24];	/* where they wait */
	/* As the database says, after reembed_begin(). */
	char			 schema[136];	/* pgvector's, quoted */
	char			 stored[VECTOR_MODEL_SIZE];	/* whose they are; "": not noted */
	unsigned		 stored_dimensions;
	bool			 is_done;	/* they are that model's: nothing is to be done */
	uint64_t		 chunks;	/* in all */
	uint64_t		 left;		/* of them without a new vector */
	int			 column;	/* numbers of the vectors that the column takes */
};

void		 reembed_init(struct reembed *, struct pool_lease *, const struct vector_model *);
/* What there is, and a place for new vectors; what waits of another model goes. Fails with
 * ERR_OUTDATED below RETRIEVAL_SCHEMA_TAIL. */
enum flow_rc	 reembed_begin(struct flow *, struct reembed *) __attribute__((warn_unused_result));
/* Chunks past that id that have none yet, by their ids, 4 MiB of text or one at most: columns id
 * and content. As pool_read(). */
enum flow_rc	 reembed_next(struct flow *, struct reembed *, int64_t after,
		    struct pg_result *out) __attribute__((warn_unused_result));

struct reembed_row {
	int64_t		 id;
	const uint8_t	*hash;		/* CHUNK_HASH_SIZE bytes: of its text, for the new model */
	const float	*vector;
};
/* All or none. ERR_CONFLICT when another process is at the same tenant. */
enum flow_rc	 reembed_put(struct flow *, struct reembed *, const struct reembed_row *, size_t n)
		    __attribute__((warn_unused_result));
/* is_normalized: of the new vectors; NULL: it is not known. *is_switched false: there are chunks
 * again that have no new vector. Fails with ERR_CONFLICT when others keep the index or the table
 * from it for minutes. */
enum flow_rc	 reembed_switch(struct flow *, struct reembed *, const bool *is_normalized,
		    bool *is_switched) __attribute__((warn_unused_result));

#endif
