/* SPDX-License-Identifier: MIT */
/*
 * body_job: a request's body, and what is read from it, as memory of its own, so that a helper
 * thread may work on it (loop/offload.h) when it is large: no turn of the loop takes longer because
 * a client has sent more.
 *
 *	body_job_new() --> body_job_run() --small--> done here ------------+--> the flow's next step
 *	                        \----large--> a helper has it; *job NULL --/
 *
 * A handler's job has a struct body_job as its first member; what is read lies in the job's arena
 * and lives until the flow frees the job, as a rule at its end. While a helper has the job the
 * flow's pointer to it is NULL: an aborted flow then frees nothing, and the job goes when the
 * helper is done with it.
 */
#ifndef API_BODY_JOB_H
#define API_BODY_JOB_H

#include <jansson.h>

#include "api/request.h"
#include "tenantgate/loop/offload.h"

#define BODY_HERE_MAX	(32u << 10)	/* bytes worked on in a turn of the loop: 2.5 ms of JSON
					 * at the worst, 0.3 of text */
#define BODY_FREED_HERE_MAX (1u << 20)	/* bytes freed in one: 0.15 ms */

struct body_job {
	struct buf	 body;	/* owned: the request's */
	struct arena	*arena;	/* owned; the job itself is in it */
	struct err	 err;	/* why the body is refused */
	char		 tenant[TENANT_ID_MAX + 1]; /* the request's: a body names no other */
};

/* `size` bytes (a struct with a struct body_job as its first member), zeroed but for that; takes
 * the request's body over. The arena's ceiling is that of the request's own. */
void		*body_job_new(struct request *, size_t size);
/* An offload_drop_fn. NULL is fine. */
void		 body_job_free(void *job);
/* A copy for the job of what lives in the request; absent (p NULL) stays absent. Without memory it
 * is absent, and job->err is set. */
struct slice	 body_job_copy(struct body_job *, struct slice);

/* Runs fn(*job), here or on a helper, by the bytes that it has to go through; the next step looks
 * at job->err, which fn sets. A job with an error already is not run. Fails with ERR_OVERLOADED:
 * then, as after an abort, drop has freed the job, or will, and *job is NULL. */
enum flow_rc	 body_job_run(struct flow *, size_t bytes, offload_fn *, offload_drop_fn *,
		    void **job) __attribute__((warn_unused_result));

/* At the flow's end: drop(job), by a helper when it is large: it and `more` bytes besides its body
 * and its arena. NULL is fine. */
void		 body_job_end(struct request *, offload_drop_fn *, void *job, size_t more);

/* For fn: the body as a JSON object of so many values at most, which names no other tenant, for the
 * caller to json_decref(); the body's bytes are freed. NULL with job->err set. */
json_t		*body_job_json(struct body_job *, size_t nodes_max);

#endif
