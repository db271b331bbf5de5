/* SPDX-License-Identifier: MIT */
/*
 * chunk_copy: rows of chunks into a table by binary COPY, encoded piece by piece as the socket
 * takes them: no second copy of all vectors is ever in memory. Private to retrieval/.
 */
#ifndef TENANTGATE_RETRIEVAL_CHUNK_COPY_H
#define TENANTGATE_RETRIEVAL_CHUNK_COPY_H

#include "tenantgate/retrieval.h"
#include "tenantgate/retrieval/staging.h"
#include "tenantgate/wire/pg.h"

enum chunk_columns {
	CHUNK_OLD,	/* of public.chunk below RETRIEVAL_SCHEMA_TAIL */
	CHUNK_NEW,	/* with hash and tail */
	CHUNK_STAGED,	/* of public.chunk_staged */
};

/* A member of its flow's struct, filled before the call; all borrowed. */
struct chunk_copy {
	enum chunk_columns	 columns;
	const char		*owner;		/* the document's id, or the attempt */
	const struct chunk_rows	*rows;
	bool			 tail;		/* of CHUNK_NEW */
	store_progress_fn	*progress;
	void			*progress_arg;
	size_t			 at;		/* the row to be sent next */
};

/* As pg_copy_in(). */
enum flow_rc	chunk_copy_run(struct flow *, struct pg_conn *, struct chunk_copy *,
		    struct pg_result *out) __attribute__((warn_unused_result));

/* Whether their vectors have length 1, as one of them says, as text; NULL: it is not known. */
const char	*chunks_normalized(const struct store_chunks *);

#endif
