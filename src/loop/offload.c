/* SPDX-License-Identifier: MIT */
/*
 * offload.c: the operation that waits for a job's end, and what else the door offers. The threads
 * are offload_helper.c's, with the diagram of a job's states; the order is offload_queue.c's.
 */
#include "tenantgate/loop/offload.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop/offload_internal.h"
#include "loop/worker_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"

#define HELPERS_MIN	  2 /* one is left to other holders: running_max */
#define RETRY_AFTER_MAX_S 60

void
offload_conf_init(struct offload_conf *conf)
{
	*conf = (struct offload_conf){
		.name = "helper",
		.waiting_max = 64,
		.wait_timeout_us = 10000000,
	};
}

static unsigned
helpers_default(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	return processors > HELPERS_MIN ? (unsigned)processors - 1 : HELPERS_MIN;
}

struct offload *
offload_open(const struct offload_conf *conf)
{
	struct offload *o = xcalloc(1, sizeof(*o));
	unsigned running_max;

	o->conf = *conf;
	if (o->conf.helpers == 0)
		o->conf.helpers = helpers_default();
	running_max = conf->running_max;
	if (running_max == 0)
		running_max = o->conf.helpers > 1 ? o->conf.helpers - 1 : 1;
	o->threads = xcalloc(o->conf.helpers, sizeof(*o->threads));
	offload_queue_init(&o->queue, o->conf.helpers, running_max, conf->waiting_max);
	if (pthread_mutex_init(&o->lock, NULL) != 0 || pthread_cond_init(&o->more, NULL) != 0)
		abort();
	return o;
}

/* ---- the queue, from outside ---- */

/* When about the queue will have been worked off. Under the lock. */
static int
retry_after_s(const struct offload *o)
{
	uint64_t us = o->queue.waiting * o->mean_us / o->conf.helpers;
	uint64_t s = (us + 999999) / 1000000;

	if (s < 1)
		return 1;
	return s < RETRY_AFTER_MAX_S ? (int)s : RETRY_AFTER_MAX_S;
}

/* Under the lock. An idle helper that was signalled before may not have woken yet, so the jobs are
 * counted, not the signals. False with err set: nothing was taken over. */
static bool
job_add(struct offload *o, struct slice holder, struct offload_job *job, struct err *err)
{
	if (o->queue.waiting >= o->idle && o->started < o->conf.helpers)
		offload_helper_start(o);
	if (o->started == 0)
		err_set(err, ERR_OVERLOADED, "No helper thread could be started; try again later.");
	else if (!offload_queue_add(&o->queue, holder, job))
		err_set(err, ERR_OVERLOADED,
		    "%u operations of yours wait for a helper thread already; try again later.",
		    o->conf.waiting_max);
	else
		pthread_cond_signal(&o->more);
	if (!err_is(err))
		return true;
	err->retry_after = retry_after_s(o);
	o->refused_total++;
	return false;
}

static struct offload_job *
job_new(struct offload *o, offload_fn *fn, offload_drop_fn *drop, void *arg)
{
	struct offload_job *job = xcalloc(1, sizeof(*job));

	job->offload = o;
	job->fn = fn;
	job->drop = drop;
	job->arg = arg;
	return job;
}

bool
offload_post(struct offload *o, struct slice holder, offload_fn *fn, offload_drop_fn *drop,
    void *arg)
{
	struct offload_job *job = job_new(o, fn, drop, arg);
	struct err unused = { .code = ERR_NONE };
	bool added;

	pthread_mutex_lock(&o->lock);
	added = job_add(o, holder, job, &unused);
	pthread_mutex_unlock(&o->lock);
	if (!added)
		free(job);
	return added;
}

/* ---- the operation ---- */

/* The flow's cancel: it was aborted and must not be touched any more. Whoever has the job then is
 * told to drop it; from the unlock on, a helper may have done so. */
static void
job_cancelled(void *arg)
{
	struct offload_job *job = arg;
	struct offload *o = job->offload;
	bool queued;

	timer_free(&job->timer);
	pthread_mutex_lock(&o->lock);
	queued = job->state == JOB_QUEUED;
	if (queued)
		offload_queue_remove(&o->queue, job);
	else
		job->state = JOB_ABANDONED;
	pthread_mutex_unlock(&o->lock);
	if (queued)
		job_drop(job);
}

/* Under the lock. */
static bool
job_goes_on_waiting(const struct offload *o, struct offload_job *job)
{
	bool has_moved = o->conf.is_patient && o->done_total != job->done_before;

	job->done_before = o->done_total;
	return has_moved;
}

/* Of a job that runs or has run, the flow goes on waiting: the helper's time is spent already. */
static void
job_timed_out(void *arg)
{
	struct offload_job *job = arg;
	struct offload *o = job->offload;
	struct err err = { .code = ERR_NONE };
	bool queued, goes_on;

	pthread_mutex_lock(&o->lock);
	queued = job->state == JOB_QUEUED;
	goes_on = queued && job_goes_on_waiting(o, job);
	if (goes_on) {
		timer_start(&job->timer, o->conf.wait_timeout_us);
	} else if (queued) {
		offload_queue_remove(&o->queue, job);
		o->refused_total++;
		err_set(&err, ERR_OVERLOADED,
		    "No helper thread came free within %.1f s; try again later.",
		    (double)o->conf.wait_timeout_us / 1e6);
		err.retry_after = retry_after_s(o);
	}
	pthread_mutex_unlock(&o->lock);
	if (!queued || goes_on)
		return;
	flow_wake_err(job->flow, &err);
	timer_free(&job->timer);
	job_drop(job);
}

/* The task of a job that is done already comes through this worker's mailbox, and cannot run before
 * this function has returned to the loop. */
static enum flow_rc
job_wait(struct flow *f, struct slice holder, struct offload_job *job)
{
	struct offload *o = job->offload;
	struct err err = { .code = ERR_NONE };
	bool added;

	if (!timer_init(&job->timer, f->worker, job_timed_out, job)) {
		job_drop(job);
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "a timer");
	}
	pthread_mutex_lock(&o->lock);
	job->done_before = o->done_total;
	added = job_add(o, holder, job, &err);
	pthread_mutex_unlock(&o->lock);
	if (!added) {
		timer_free(&job->timer);
		job_drop(job);
		return flow_fail_err(f, &err);
	}
	timer_start(&job->timer, o->conf.wait_timeout_us);
	return flow_wait(f, job_cancelled, job);
}

enum flow_rc
offload_run(struct flow *f, struct slice holder, offload_fn *fn, offload_drop_fn *drop, void *arg,
    void **out)
{
	return offload_run_on(*worker_offload(f->worker), f, holder, fn, drop, arg, out);
}

enum flow_rc
offload_run_on(struct offload *o, struct flow *f, struct slice holder, offload_fn *fn,
    offload_drop_fn *drop, void *arg, void **out)
{
	struct offload_job *job;

	*out = NULL;
	if (o == NULL) {
		fn(arg);
		*out = arg;
		return FLOW_NEXT;
	}
	job = job_new(o, fn, drop, arg);
	job->flow = f;
	job->worker = f->worker;
	job->out = out;
	return job_wait(f, holder, job);
}

static void
job_nothing(void *arg)
{
	(void)arg;
}

void
offload_discard(struct worker *w, struct slice holder, offload_drop_fn *drop, void *arg)
{
	offload_discard_on(*worker_offload(w), holder, drop, arg);
}

void
offload_discard_on(struct offload *o, struct slice holder, offload_drop_fn *drop, void *arg)
{
	if (o == NULL || !offload_post(o, holder, job_nothing, drop, arg))
		drop(arg);
}

/* ---- open and close ---- */

void
offload_attach(struct offload *o, struct worker *w)
{
	*worker_offload(w) = o;
}

/* Only posted jobs can be queued: the flows have ended with their workers. */
void
offload_close(struct offload *o)
{
	struct offload_job *job;
	unsigned i;

	if (o == NULL)
		return;
	pthread_mutex_lock(&o->lock);
	o->closing = true;
	pthread_cond_broadcast(&o->more);
	pthread_mutex_unlock(&o->lock);
	for (i = 0; i < o->started; i++)
		if (pthread_join(o->threads[i], NULL) != 0)
			abort();
	while ((job = offload_queue_earliest(&o->queue)) != NULL) {
		assert(job->flow == NULL);
		offload_queue_remove(&o->queue, job);
		job_drop(job);
	}
	offload_queue_free(&o->queue);
	pthread_cond_destroy(&o->more);
	pthread_mutex_destroy(&o->lock);
	free(o->threads);
	free(o);
}

void
offload_stats(struct offload *o, struct offload_stats *stats)
{
	const struct offload_job *earliest;

	pthread_mutex_lock(&o->lock);
	earliest = offload_queue_earliest(&o->queue);
	*stats = (struct offload_stats){
		.helpers = o->started,
		.running = (unsigned)o->queue.budget.held,
		.waiting = o->queue.waiting,
		.done_total = o->done_total,
		.refused_total = o->refused_total,
		.longest_wait_us = earliest == NULL ? 0 : clock_mono_us() - earliest->since_us,
	};
	pthread_mutex_unlock(&o->lock);
}
