/* SPDX-License-Identifier: MIT */
/*
 * search: the chunks of a tenant's database that answer a question best.
 *
 * One operation of a flow on its worker. It fails the flow as pg_check() and pool_read() do, and
 * with ERR_VECTORS; it borrows what it is given until the wait is over.
 */
#ifndef TENANTGATE_RETRIEVAL_SEARCH_H
#define TENANTGATE_RETRIEVAL_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/slice.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/pool.h"
#include "tenantgate/retrieval/vector_model.h"

#define SEARCH_K_MAX	     100
#define SEARCH_DOCUMENTS_MAX 64

/* What a chunk is compared by. */
enum search_mode {
	SEARCH_VECTOR, /* the cosine distance of its embedding */
	SEARCH_TEXT,   /* the words it has; from RETRIEVAL_SCHEMA_TAIL on */
	SEARCH_HYBRID, /* both, by the ranks of the two; below that SEARCH_VECTOR */
};

struct search_filter; /* a condition on documents' metadata: retrieval/search_filter.h */

struct search_request {
	enum search_mode mode;
	const float *vector; /* the question's; NULL for SEARCH_TEXT */
	unsigned dimensions; /* of the vector */
	const char *model;   /* that made it; NULL: any's are compared (vector_model.h) */
	struct vector_stored *stored; /* filled with ERR_VECTORS; NULL: nobody asks */
	struct slice text;   /* the question; for SEARCH_TEXT and SEARCH_HYBRID */
	unsigned text_weight; /* of SEARCH_HYBRID: the words', of 100; the same for a process */
	/* The documents that count; each condition narrows. */
	const char *const *document_ids;
	unsigned document_count;	    /* 0: all that the others leave */
	const struct search_filter *filter; /* NULL: none */
	const char *owner;		    /* a user's id; NULL: anybody's */
	bool own_only; /* with an owner: no score may say what others' documents have */
	unsigned k;			    /* 1..SEARCH_K_MAX */
	double min_score;		    /* those below are left out of the k; -1: none */
	int schema_version;		    /* of the database, at least */
};

struct hit {
	const char *document_id;
	const char *title;
	const char *file_name;
	const char *mime_type;
	const char *metadata; /* the document's: JSON object text */
	unsigned page;	/* 0: none */
	unsigned index; /* of the chunk in its document */
	struct slice content;
	double score; /* cosine similarity, 1 best */
};

struct hits {
	struct hit *items; /* arena */
	unsigned count;
};

/*
 * The k best chunks, best first, their strings in the flow's arena. k of them whenever so many are
 * there and no min_score leaves some out. By vectors: exact among at most 10,000 chunks, and among
 * the part of the tenant's that its index does not cover; beyond that by the HNSW index, which may
 * miss some (vector_search.c). The lease may be exchanged (pool_read).
 */
enum flow_rc search_chunks(struct flow *, struct pool_lease *, const struct search_request *,
    struct hits *) __attribute__((warn_unused_result));

/* The settings of the sessions in which tenants' databases are searched: of pool_conf. Static. */
const char	*search_settings(void);

#endif
