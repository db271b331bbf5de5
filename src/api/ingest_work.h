/* SPDX-License-Identifier: MIT */
/*
 * ingest_work: what POST /ingest holds of its body, and the work on it that grows with the body:
 * reading the form or the JSON, hashing, checking the text, cutting it into chunks. Pure but for
 * random ids, for the grants, which are given back with the memory, and for files, where the body
 * lies in one; run by ingest_run_work(), here or on a helper thread.
 *
 *	ingest_work_new, _parse, then for each document: _cut_out, (extract_run), _cut, (the
 *	batches), _rows, _clear; _free
 */
#ifndef API_INGEST_WORK_H
#define API_INGEST_WORK_H

#include "api/body_job.h"
#include "api/ingest_batch.h"
#include "api/ingest_body.h"
#include "api/ingest_memory.h"
#include "api/ingest_room.h"

struct ingest_work {
	struct body_job		 job;		/* first */
	struct api_conf		 conf;		/* as its tenant has it */
	char			 size_key[PLAN_KEY_SIZE]; /* whose key max_document_size is */
	struct ingest_head	 head;		/* in the arena */
	const char		*owner;		/* in the arena; NULL: no user was named */
	const char		*embedding_model; /* borrowed, of the process */
	struct ingest_room	 room;		/* of its files; folder 0: it has none */
	struct spool		 file;		/* owned: the body, unless it is in memory */
	struct spool		 decoded;	/* owned: its base64, or its JSON's text */
	offload_fn		*on_disk;	/* what a helper does with them now */
	struct ingest_items	 items;		/* ranges of the body, or in the arena */
	struct ingest_grants	 grants;	/* for the body, and for what is below */
	/* Of the document under way. */
	unsigned		 at;		/* its index in items */
	struct spool		 cut_out;	/* owned: alone, for its reader; or not open */
	struct extract_out	 extracted;	/* owned: extract_free() */
	struct chunk_list	 chunks;	/* owned: chunk_free() */
	struct chunk_key	*keys;		/* owned: one of each chunk */
	size_t			 distinct;	/* texts */
	struct ingest_batches	 batches;	/* owned: on their way, or ready to be stored */
	struct chunk_row	*rows;		/* owned: of all chunks; see _rows() */
};

/* Takes the body over: the request's, or the arrived one (ingest_arrive.h), which goes. */
struct ingest_work	*ingest_work_new(struct request *, void *arrived);
/* Both are offload_drop_fns. The first frees what one document has; idempotent. NULL is fine. */
void	ingest_work_clear(void *);
void	ingest_work_free(void *);

/* All are offload_fns; why they refuse the body or the document is in job.err. The first fills the
 * items; the second makes a file of the document alone, where it has to have one; the third, of
 * what extract_run() has left, the chunks, of which there is one at least, and what they are known
 * by. */
void	ingest_work_parse(void *);
void	ingest_work_cut_out(void *);
void	ingest_work_cut(void *);

/* ---- ingest_work_files.c ---- */
/* Of the arrived body, which goes; NULL: the body is in memory. */
void	ingest_work_take_files(struct ingest_work *, void *arrived);
void	ingest_work_close_files(struct ingest_work *);	/* idempotent */
/* The body where it lies. False with job.err set. */
bool	ingest_work_source(struct ingest_work *, struct ingest_source *);
/* A document as extract.c takes it; good until it is cleared. */
struct extract_in	ingest_work_document(const struct ingest_work *,
			    const struct ingest_item *);
/* Whether the document under way has to be cut out of a body on the disk. */
bool	ingest_work_is_cut_out(const struct ingest_work *);

/* Lowers the body's ceiling to what the tenant's plan lets through, and sets ERR_TOO_LARGE, for a
 * body past it, with both limits of a document. */
void	ingest_body_limit(struct request *, struct err *too_large);

/* The document under way. */
static inline struct ingest_item *
ingest_work_item(struct ingest_work *w)
{
	return &w->items.items[w->at];
}

static inline bool
ingest_work_is_on_disk(const struct ingest_work *w)
{
	return spool_is_open(&w->file) || spool_is_open(&w->decoded);
}

/* Bytes that ingest_work_cut() goes through; more than BODY_HERE_MAX where a charset is decoded,
 * for which iconv() may read a file. */
size_t	ingest_work_cut_bytes(struct ingest_work *);
/* All batches are READY: makes rows of all chunks, in their order. False without memory. */
bool	ingest_work_rows(struct ingest_work *);
/* Bytes that ingest_work_clear() frees, about; of NULL none. */
size_t	ingest_work_clear_bytes(const struct ingest_work *, unsigned dimensions);

#endif
