/* SPDX-License-Identifier: MIT */
/*
 * ingest_state: how far one document of POST /ingest is.
 *
 *	document:  [FRESH] --> [INTENDED] --> [SENT] --> [STORED] --> [LISTED]
 *	              \__________ same bytes ______________________^
 *
 * Moved by the steps of ingest.c, one document at a time, and read by ingest_end(): what a failure
 * leaves to be done depends on it.
 *
 *	FRESH		a document refused for what it is, is listed as failed
 *	LISTED		nothing
 *	INTENDED	the catalog's row is taken back: nothing was sent to the tenant's database
 *	SENT, STORED	the catalog's row is reconciled: the database knows whether it committed
 */
#ifndef API_INGEST_STATE_H
#define API_INGEST_STATE_H

#include "api/ingest_embed.h"
#include "api/ingest_memory.h"
#include "api/ingest_report.h"
#include "api/ingest_work.h"

enum document_state {
	DOCUMENT_FRESH,	   /* nothing was written anywhere */
	DOCUMENT_INTENDED, /* the catalog may have a row that says 'ingesting' */
	DOCUMENT_SENT,	   /* the tenant's database may have committed it */
	DOCUMENT_STORED,   /* it has */
	DOCUMENT_LISTED,   /* the catalog says 'ready' too */
};

struct ingest {
	struct request req; /* first */
	void *arrived;	    /* owned: the body, on its way to the disk (ingest_arrive.h) */
	void *work;	    /* owned: see work_of() */
	struct ingest_memory memory;
	struct ingest_report report;
	struct err too_large;	   /* what is said of a body past its ceiling */
	enum document_state state; /* of the document under way */
	struct document found;	   /* arena: stored under its id, or of its bytes */
	bool is_found;
	bool is_same;				/* ... and of these bytes */
	struct ingest_embed embed;		/* the vectors of the document under way */
	struct chunk_rows rows;			/* all of its chunks, unless they are staged */
	char attempt[DOCUMENT_ATTEMPT_LEN + 1]; /* "": none is intended */
	struct document_terms terms;		/* of the document under way */
	bool in_doubt;				/* as documents_ready() has left it */
};

/* NULL before the body is there, and while a helper has it: from ingest_parse() to ingest_begin(),
 * and from ingest_chunk() to ingest_reserve(). */
static inline struct ingest_work *
work_of(struct ingest *in)
{
	return in->work;
}

/* The document under way. */
static inline struct ingest_item *
item_of(struct ingest *in)
{
	return ingest_work_item(work_of(in));
}

/* The version of the tenant's database. */
static inline int
schema_of(const struct ingest *in)
{
	return in->req.tenant.schema_version;
}

/* What the end of the request leaves to be done for the document under way; in the background, with
 * copies of what is needed: the response does not wait for it. */
void	ingest_settle(struct ingest *, const struct err *);
/* One of several documents is refused, and the next comes: listed as the only one would be. */
void	ingest_keep_refusal(struct ingest *, const struct err *);

/* What is staged of the document under way goes, in the background; of one that is stored too, for
 * its transaction leaves it there: the response does not wait for it. */
void	ingest_discard_staged(struct ingest *);

/* As body_job_run(); where the body is on the disk, by the helpers that wait for it. */
enum flow_rc	ingest_run_work(struct flow *, struct ingest *, size_t bytes, offload_fn *)
		    __attribute__((warn_unused_result));
/* The body is the work's, with what it holds of the tenant's shares, and is parsed. */
enum flow_rc	ingest_begin_work(struct flow *, struct ingest *)
		    __attribute__((warn_unused_result));
/* The flow's end: what is left of either. */
void		ingest_end_work(struct ingest *);

/* A store_progress_fn of a struct ingest. */
void	ingest_sent(void *ingest, size_t chunks);

/* For the document under way: its tenant's quota, and whether it must be new; and, where it must,
 * found and is_found: what its owner has of the same bytes. As documents_find_equal(). The second
 * sets why it was not admitted. */
void	ingest_set_terms(struct ingest *);
/* True when what was found under its id is not the user's own, whose alone the request may change:
 * then the lease is given back, and the terms say so. */
bool	ingest_gives_way(struct ingest *);
/* The same bytes under the same id are embedded no more: what the request says anew of them is
 * written. */
enum flow_rc	ingest_describe_found(struct flow *, struct ingest *)
		    __attribute__((warn_unused_result));
void	ingest_terms_refuse(const struct ingest *, struct err *);
enum flow_rc	ingest_find_equal(struct flow *, struct ingest *)
		    __attribute__((warn_unused_result));

#endif
