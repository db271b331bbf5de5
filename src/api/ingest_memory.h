/* SPDX-License-Identifier: MIT */
/*
 * ingest_memory: what a POST /ingest takes of the tenants' shares: a place, and the bytes that it
 * holds in memory, from two halves of max_ingest_memory:
 *
 *	documents	the body as it arrives (of one that goes to the disk, ingest_arrive.h, a
 *			piece), then the text that is made of it. It is taken as it grows and never
 *			waited for: more than the tenant's share is 503 at once. (Two half-read
 *			bodies that waited would wait for each other.)
 *	vectors		the vectors of one document that are in memory at a time, and the answers
 *			that they come in (ingest_embed.h), known when it is cut into chunks; waited
 *			for in the order of tenants.
 *
 * Who waits for vectors holds documents, and nobody who holds vectors waits for documents: so the
 * waits have an end. Not counted: what is on its way from the extractors (one more than
 * extract_max_parallel, times max_document_text, at the most), the values of JSON that came
 * in memory while a helper reads them, and the chunks' places, some fifty bytes each.
 */
#ifndef API_INGEST_MEMORY_H
#define API_INGEST_MEMORY_H

#include "api/request.h"
#include "tenantgate/loop/share.h"

/* Of what lies in the work on the body (api/ingest_work.h). Given back when that is freed, and not
 * when the flow ends: a helper may have it for a while after that. Zeroed. */
struct ingest_grants {
	struct share_grant	body;
	struct share_grant	text;		/* of the document under way, as the next */
	struct share_grant	vectors;
};
/* Gives back what one document had; all. Idempotent. Any thread. */
void	ingest_grants_clear(struct ingest_grants *);
void	ingest_grants_give(struct ingest_grants *);

/* A member of the handler's struct, zeroed. */
struct ingest_memory {
	struct request		*req;		/* borrowed: whose tenant and budgets */
	struct share_grant	 place;
	struct share_grant	 body;		/* until there is work that has it */
};

/* Before the body is read: a place, and from then on the body's bytes as they come. Fails with
 * ERR_OVERLOADED. What is still here is given back when the flow ends. A body that is larger than
 * any share may become is refused by http_read_body(), before it is sent where its length is
 * declared. */
enum flow_rc	ingest_memory_enter(struct flow *, struct ingest_memory *, struct request *)
		    __attribute__((warn_unused_result));
/* Before JSON on the disk is read: for what that takes. As above. */
bool		ingest_memory_json(struct ingest_memory *, size_t bytes, struct err *);
/* The body is the work's now. */
void		ingest_memory_move(struct ingest_memory *, struct ingest_grants *);
/* For a text of so many bytes, 0 for none. False with err set: ERR_OVERLOADED, ERR_TOO_LARGE. */
bool		ingest_memory_text(struct ingest_memory *, size_t bytes, struct ingest_grants *,
		    struct err *);
/* Waits; the grants live as long as the flow. Fails with ERR_OVERLOADED, ERR_TOO_LARGE. */
enum flow_rc	ingest_memory_vectors(struct flow *, struct ingest_memory *, size_t bytes,
		    struct ingest_grants *)
		    __attribute__((warn_unused_result));

#endif
