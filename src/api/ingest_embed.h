/* SPDX-License-Identifier: MIT */
/*
 * ingest_embed: the vectors of one document of POST /ingest, batch by batch (ingest_batch.h).
 *
 *	kept	all of them stay in memory until the document is stored: where they fit into
 *		conf.embedding_window together, or the database has no staging table
 *	staged	each batch's go to the database as soon as they are there
 *
 * The words of a large document are staged meanwhile, whenever the database has nothing to do with
 * its vectors, so that they are there with it, too.
 *
 * So what an upload holds besides its text is embedding_window bytes, whatever its chunks. So many
 * calls of the model are under way at once (conf.embedding_calls). No connection is held while any
 * of them is waited for.
 */
#ifndef API_INGEST_EMBED_H
#define API_INGEST_EMBED_H

#include "api/ingest_batch.h"

struct ingest;

/* A member of the handler's struct. */
struct ingest_embed {
	struct flow		 flow;		/* first: under the request's */
	struct ingest		*in;		/* borrowed */
	bool			 is_staged;
	bool			 finds;		/* the database knows its chunks' hashes */
	bool			 is_waiting;	/* for one of the calls */
	size_t			 next;		/* chunk that the next batch begins with */
	size_t			 batch_max;	/* texts */
	unsigned		 under_way;	/* batches that count towards the ceiling */
	struct ingest_batch	*finding;	/* borrowed, as the next; or NULL */
	struct ingest_batch	*staging;
	struct chunk_rows	 rows;		/* of `staging` */
	size_t			 embedded;	/* chunks */
	size_t			 staged;	/* chunks, in the database */
	bool			 has_words;	/* its words are staged */
	size_t			 worded;	/* chunks, from the first on */
	bool			 has_looked;	/* for what others have left */
	bool			 is_normalized;	/* the first one's vector, of staged ones */
};

/* How many bytes its vectors take at a time, with the answers that they come in. */
size_t	ingest_embed_memory(struct ingest *);
/* How words are made of the document under way. */
enum language	ingest_language(struct ingest *);
/* What is to be stored of it, but for the rows. */
struct store_chunks	ingest_chunks(struct ingest *);
/* After the intent: the document has an attempt. Then all batches are READY, or staged. */
enum flow_rc	ingest_embed_run(struct flow *, struct ingest *)
		    __attribute__((warn_unused_result));

#endif
