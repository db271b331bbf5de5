/* SPDX-License-Identifier: MIT */
/*
 * ingest_work: what POST /ingest holds of its body, and the work on it that grows with the body:
 * reading the form or the JSON, hashing, checking the text, cutting it into chunks. Pure but for
 * random ids and the grants, which are given back with the memory; run by body_job_run(), here or
 * on a helper thread.
 *
 *	ingest_work_new, _parse, then for each document: (extract_run), _cut, (the batches), _rows,
 *	_clear; _free
 */
#ifndef API_INGEST_WORK_H
#define API_INGEST_WORK_H

#include "api/body_job.h"
#include "api/ingest_batch.h"
#include "api/ingest_body.h"
#include "api/ingest_memory.h"

struct ingest_work {
	struct body_job		 job;		/* first */
	struct api_conf		 conf;		/* as its tenant has it */
	char			 size_key[PLAN_KEY_SIZE]; /* whose key max_document_size is */
	struct ingest_head	 head;		/* in the arena */
	const char		*owner;		/* in the arena; NULL: no user was named */
	const char		*embedding_model; /* borrowed, of the process */
	struct ingest_items	 items;		/* ranges of the body, or in the arena */
	struct ingest_grants	 grants;	/* for the body, and for what is below */
	/* Of the document under way. */
	unsigned		 at;		/* its index in items */
	struct extract_out	 extracted;	/* owned: extract_free() */
	struct chunk_list	 chunks;	/* owned: chunk_free() */
	struct chunk_key	*keys;		/* owned: one of each chunk */
	size_t			 distinct;	/* texts */
	struct ingest_batches	 batches;	/* owned: on their way, or ready to be stored */
	struct chunk_row	*rows;		/* owned: of all chunks; see _rows() */
};

/* Takes the request's body over. */
struct ingest_work	*ingest_work_new(struct request *);
/* Both are offload_drop_fns. The first frees what one document has; idempotent. NULL is fine. */
void	ingest_work_clear(void *);
void	ingest_work_free(void *);

/* Both are offload_fns; why they refuse the body or the document is in job.err. The first fills the
 * items; the second, of what extract_run() has left, the chunks, of which there is one at least,
 * and what they are known by. */
void	ingest_work_parse(void *);
void	ingest_work_cut(void *);

/* Lowers the body's ceiling to what the tenant's plan lets through, and sets ERR_TOO_LARGE, for a
 * body past it, with both limits of a document. */
void	ingest_body_limit(struct request *, struct err *too_large);

/* The document under way. */
static inline struct ingest_item *
ingest_work_item(struct ingest_work *w)
{
	return &w->items.items[w->at];
}

/* Bytes that ingest_work_cut() goes through; more than BODY_HERE_MAX where a charset is decoded,
 * for which iconv() may read a file. */
size_t	ingest_work_cut_bytes(struct ingest_work *);
/* All batches are READY: makes rows of all chunks, in their order. False without memory. */
bool	ingest_work_rows(struct ingest_work *);
/* Bytes that ingest_work_clear() frees, about; of NULL none. */
size_t	ingest_work_clear_bytes(const struct ingest_work *, unsigned dimensions);

#endif
