/* SPDX-License-Identifier: MIT */
/*
 * reembed_job: the flow of `tenantgate reembed TENANT`.
 */
#ifndef REEMBED_JOB_H
#define REEMBED_JOB_H

#include "tenantgate/retrieval/reembed.h"
#include "tenantgate/retrieval/staging.h"
#include "worker_context.h"

#define REEMBED_TEXTS_MAX 1000 /* of one take: reembed_next()'s */

/* One call of the model, whose failure is not the command's when it may pass. */
struct reembed_call {
	struct flow flow;
	struct reembed_job *job; /* borrowed */
};

struct reembed_job {
	struct flow flow;	    /* first */
	struct worker_context *ctx; /* borrowed */
	const char *id;		    /* borrowed: the tenant's */
	struct tenant tenant;	    /* wiped at the end */
	struct pool_target target;  /* borrows from the two beside it */
	char key[TENANT_KEY_SIZE];
	struct pool_lease lease;
	struct reembed reembed;
	struct pg_result taken; /* owned: id and content */
	struct slice texts[REEMBED_TEXTS_MAX];
	size_t count, at, batch; /* of the texts: all, those that are stored, under way */
	size_t singles;		 /* that are to go one by one: one of them is too long */
	int64_t last_id;
	float *vectors; /* owned: of the batch */
	struct reembed_call call;
	struct err busy; /* of the call */
	unsigned waits;	 /* for a model that is busy, in a row */
	struct timer timer;
	struct model_usage usage;
	uint8_t hashes[REEMBED_TEXTS_MAX][CHUNK_HASH_SIZE];
	struct reembed_row rows[REEMBED_TEXTS_MAX];
	bool is_normalized; /* of those of this run, if any */
	bool has_embedded, is_switched;
	uint64_t done;	  /* chunks with new vectors */
	uint64_t told_us; /* monotonic: of the last line of progress */
	struct err err;
	bool has_ended;
};

/* Of a struct reembed_job that is zeroed, with ctx and id set, and an arena. Writes its progress to
 * stderr; at the end `err` is set, and has_ended. */
extern const struct flow_kind reembed_job_kind;

#endif
