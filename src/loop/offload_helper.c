/* SPDX-License-Identifier: MIT */
/*
 * offload_helper.c: the helper threads: each takes the job whose turn it is, runs it, and hands it
 * back.
 *
 *	job:  [queued] --helper--> [running] --fn ended--> [delivered] --task--> flow woken
 *	         |                     |                        |
 *	         | aborted,            | aborted                | aborted
 *	         | timed out           v                        v
 *	         |                [abandoned] --fn ended   [abandoned] --task
 *	         v                               v                       v
 *	        dropped                       dropped                 dropped
 *
 * A posted job, which no flow waits for, is abandoned from the start of its run.
 *
 * What always holds: a job is moved under the lock. Queued, it is the worker's to drop; running,
 * the helper's; delivered, the worker's again, which frees it when the task has come. The timer is
 * made and freed on the worker's thread alone. A helper posts the task while it has the lock: a
 * worker whose flow was aborted and that then ends has no task still on its way to it, for the
 * abort took the lock, too.
 */
#include <sys/prctl.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "loop/offload_internal.h"
#include "tenantgate/base/clock.h"

#define MEAN_WEIGHT 8 /* of the jobs whose times make up the mean */

/* Under the lock, which it leaves while it waits. NULL: closing. */
static struct offload_job *
helper_next(struct offload *o)
{
	struct offload_job *job;

	while (!o->closing) {
		job = offload_queue_take(&o->queue);
		if (job != NULL)
			return job;
		o->idle++;
		pthread_cond_wait(&o->more, &o->lock);
		o->idle--;
	}
	return NULL;
}

static void
job_delivered(void *arg)
{
	struct offload_job *job = arg;

	timer_free(&job->timer);
	if (job->state == JOB_ABANDONED) {
		job->drop(job->arg);
	} else {
		*job->out = job->arg;
		flow_wake(job->flow);
	}
	free(job);
}

/* Under the lock. Where the flow is gone there is nobody to give it to. */
static void
job_ended(struct offload *o, struct offload_job *job, uint64_t took_us)
{
	offload_queue_done(&o->queue, job);
	o->done_total++;
	o->mean_us += took_us / MEAN_WEIGHT;
	o->mean_us -= o->mean_us / MEAN_WEIGHT;
	if (job->state == JOB_ABANDONED) {
		free(job);
		return;
	}
	job->state = JOB_DELIVERED;
	worker_post(job->worker, &job->task, job_delivered, job);
}

/* A flow's wait is bounded by its timer; nothing else bounds a posted job's. */
static bool
job_too_old(const struct offload *o, const struct offload_job *job)
{
	return job->out == NULL && !o->conf.is_patient &&
	    clock_mono_us() - job->since_us > o->conf.wait_timeout_us;
}

/* Under the lock, which it leaves meanwhile. Dropping is a part of the run, for of a job that only
 * frees memory it is all there is: done after it, it would be work of a holder that nobody counts.
 * Nobody else moves a job that is abandoned. */
static void
job_run(struct offload *o, struct offload_job *job)
{
	uint64_t began = clock_mono_us();
	bool too_old = job_too_old(o, job);

	job->state = job->out == NULL ? JOB_ABANDONED : JOB_RUNNING;
	pthread_mutex_unlock(&o->lock);
	if (!too_old)
		job->fn(job->arg);
	pthread_mutex_lock(&o->lock);
	if (job->state == JOB_ABANDONED) {
		pthread_mutex_unlock(&o->lock);
		job->drop(job->arg);
		pthread_mutex_lock(&o->lock);
	}
	job_ended(o, job, clock_mono_us() - began);
}

void
job_drop(struct offload_job *job)
{
	job->drop(job->arg);
	free(job);
}

static void *
offload_helper_run(void *arg)
{
	struct offload *o = arg;
	struct offload_job *job;

	prctl(PR_SET_NAME, o->conf.name);
	pthread_mutex_lock(&o->lock);
	while ((job = helper_next(o)) != NULL)
		job_run(o, job);
	pthread_mutex_unlock(&o->lock);
	return NULL;
}

/* Under the lock: a few times in the life of a process. Signals are the main thread's: a thread
 * inherits its maker's mask, so all are blocked while it is made. But for a fault of the thread's
 * own, which cannot wait: where it is blocked, its handler is passed over (base/spool.h). */
void
offload_helper_start(struct offload *o)
{
	sigset_t all, before;

	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return;
	if (pthread_create(&o->threads[o->started], NULL, offload_helper_run, o) == 0)
		o->started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}
