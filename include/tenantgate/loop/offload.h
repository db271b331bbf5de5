/* SPDX-License-Identifier: MIT */
/*
 * offload: an operation that runs a pure function on a helper thread while its flow waits, for what
 * would keep the loop from its sockets for more than a few milliseconds (parsing megabytes of JSON,
 * hashing a document, cutting it into chunks, a login's key derivation).
 *
 *	offload_run:  [queued] --a helper is free--> [running] --> [done] --mailbox--> flow woken
 *	                  \ aborted: freed at once     \ aborted: freed when the function ends
 *
 * The function sees its job and nothing else: no flow, no worker, nothing that belongs to the loop.
 * The job is memory of its own, made by the caller and owned by the operation from offload_run()
 * on until the flow is woken, when it is the caller's again; when the flow is aborted before that,
 * `drop` frees it, on whichever thread then has it. So cancelling is safe at every moment: nothing
 * that the function uses can go away under it.
 *
 * Helpers are few and shared by all workers. What waits for them has an order: of the holders (as a
 * rule tenants' ids) the one that has least running is next, and those that have equally many take
 * turns (base/budget.h, without headroom), so that one tenant's large bodies do not hold up the
 * others' logins. As a function that runs cannot be stopped, one helper is always left to other
 * holders.
 */
#ifndef TENANTGATE_LOOP_OFFLOAD_H
#define TENANTGATE_LOOP_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/slice.h"
#include "tenantgate/loop/flow.h"

struct offload;

struct offload_conf {
	const char	*name;		/* static: of the threads, 10 bytes at most: "helper" */
	unsigned	helpers;	/* threads; 0: one less than the processors, at least 2 */
	unsigned	running_max;	/* of one holder at once; 0: all helpers but one */
	unsigned	waiting_max;	/* jobs of one holder in the queue; more: ERR_OVERLOADED */
	uint64_t	wait_timeout_us;	/* in the queue; then ERR_OVERLOADED */
	bool		is_patient;	/* that time is of a queue that stands still: each job that
					 * ends, whosever it is, begins it anew */
};
void		 offload_conf_init(struct offload_conf *);

/* One per process, opened before the workers start; offload_close() when the workers have been
 * freed: it waits for what still runs. Opening starts no thread: the first job does. */
struct offload	*offload_open(const struct offload_conf *);
void		 offload_close(struct offload *);	/* NULL is fine */
/* From now on the worker's flows use these helpers. On its thread, or before it runs. */
void		 offload_attach(struct offload *, struct worker *);

typedef void offload_fn(void *job);	/* on a helper; ends by itself, in bounded time */
typedef void offload_drop_fn(void *job);	/* frees an abandoned job; any thread */

/* Runs fn(job) on a helper of the flow's worker and waits for its end; the outcome is what fn has
 * left in the job. *out, a member of the flow's struct, is NULL while the operation has the job,
 * and the job when it is the caller's again: so the flow's end frees *out and need not know when it
 * was aborted. On a worker without helpers (a small program, a test) fn runs at once, in place.
 * Fails with ERR_OVERLOADED and retry_after; then, as after an abort, the job has been dropped and
 * *out stays NULL. holder: whose work it is; copied. */
enum flow_rc	 offload_run(struct flow *, struct slice holder, offload_fn *, offload_drop_fn *,
		    void *job, void **out) __attribute__((warn_unused_result));
/* The same, by other helpers than the worker's; NULL: fn runs in place. */
enum flow_rc	 offload_run_on(struct offload *, struct flow *, struct slice holder, offload_fn *,
		    offload_drop_fn *, void *job, void **out) __attribute__((warn_unused_result));
/* Without a flow that waits: fn(job) runs, then drop(job). Only the latter after the wait's
 * time-out, unless they are patient, and of what is still queued at the close. False when the
 * holder has too many jobs waiting, or no thread is to be had: then nothing was taken over. Any
 * thread. */
bool		 offload_post(struct offload *, struct slice holder, offload_fn *,
		    offload_drop_fn *, void *job) __attribute__((warn_unused_result));

/* Frees what is large, on a helper of the worker, for giving megabytes back to the system takes
 * milliseconds; at once where there is no helper, or the holder has too many jobs waiting. On the
 * worker's thread; for a flow's end. */
void		 offload_discard(struct worker *, struct slice holder, offload_drop_fn *,
		    void *job);
/* The same, by other helpers; NULL: at once. */
void		 offload_discard_on(struct offload *, struct slice holder, offload_drop_fn *,
		    void *job);

/* A moment's figures. Any thread. */
struct offload_stats {
	unsigned helpers, running, waiting;	/* helpers: threads started so far */
	uint64_t done_total, refused_total;	/* refused: waited too long, too */
	uint64_t longest_wait_us;		/* of those who wait now */
};
void		 offload_stats(struct offload *, struct offload_stats *);

#endif
