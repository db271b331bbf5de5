/* SPDX-License-Identifier: MIT */
/*
 * ingest_batch: some of a document's chunks, of which no two have the same text, on the way to
 * their vectors. A vector is one that the tenant's database has already, or comes of a call of the
 * model, which is a flow of the batch's own: several are under way at a time.
 *
 *	ingest_batch_new --> [NEW] --ingest_batch_ask--> [ASKED] --> [READY]
 *	                               \____ all were found _________^
 *
 * Moved by ingest_batch_ask() and the end of the flow, on the request's worker. What always holds:
 *  - A flow that its document has left (ingest_batch_drop) reads nothing of the request: what it
 *    needs to end by itself are copies.
 *  - NEW and READY batches are memory alone: any thread may free them.
 */
#ifndef API_INGEST_BATCH_H
#define API_INGEST_BATCH_H

#include <sys/queue.h>

#include "api/request.h"
#include "tenantgate/retrieval/staging.h"

/* What a chunk is known by, and which others have its text. */
struct chunk_key {
	uint8_t		hash[CHUNK_HASH_SIZE];
	unsigned	next;		/* index of the next chunk of the same text; 0: none */
	bool		is_repeat;	/* it is the next of one before */
};

enum batch_state { BATCH_NEW, BATCH_ASKED, BATCH_READY };

struct ingest_batch {
	struct flow		 flow;		/* first */
	TAILQ_ENTRY(ingest_batch) link;		/* of its document's */
	enum batch_state	 state;
	bool			 is_counted;	/* its progress was told */
	struct flow		*waiter;	/* borrowed: woken at the end; NULL: none waits */
	bool			*is_waiting;	/* borrowed: whether it does */
	size_t			 count;		/* of texts */
	struct slice		*texts;		/* owned array, borrowed texts: afterwards those to
						 * be embedded */
	const uint8_t		**hashes;	/* owned array: of each text */
	const float		**vectors;	/* owned array: of each text */
	float			*found;		/* owned: what they point into */
	float			*embedded;	/* owned: the same */
	size_t			 asked;		/* texts that were not found */
	struct chunk_row	*rows;		/* owned: of all chunks that have these texts */
	unsigned		*sources;	/* owned: each row's vector, by its text */
	size_t			 row_count;
	struct model		*model;		/* borrowed */
	struct model_usage	 usage;
	struct err		 err;		/* why a READY one has no vectors */
	char			 tenant[TENANT_ID_MAX + 1];
	char			 user[USER_ID_MAX + 1];
	char			 request_id[REQUEST_ID_MAX + 1];
	char			 traceparent[64];
};
TAILQ_HEAD(ingest_batches, ingest_batch);

/* Of the chunks from *next on, whose repeats are passed over: max of them, or as many as a call of
 * the model takes, if that is less. *next moves behind them. NULL without memory. */
struct ingest_batch	*ingest_batch_new(struct model *, const struct chunk_list *,
			    const struct chunk_key *, size_t *next, size_t max);
/* NEW to READY, or ASKED: then the waiter is woken at the end, if it waits. */
void			 ingest_batch_ask(struct ingest_batch *, struct request *,
			    struct flow *waiter, bool *is_waiting);
/* Frees one that is NEW or READY. NULL is fine. */
void			 ingest_batch_free(struct ingest_batch *);
/* Frees one in any state: one that is ASKED ends by itself, soon. On the request's worker. */
void			 ingest_batch_drop(struct ingest_batch *);

#endif
