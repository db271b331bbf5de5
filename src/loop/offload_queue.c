/* SPDX-License-Identifier: MIT */
/*
 * offload_queue.c: one queue a holder, and a budget of helpers without headroom: the holder with
 * least running is next, then whose first job came first (base/budget.h).
 *
 * What always holds: a holder is in the map exactly while a job of its own is queued or running; it
 * waits in the budget exactly while one is queued.
 */
#include "loop/offload_queue.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"

TAILQ_HEAD(job_list, offload_job);

struct job_holder {
	struct budget_holder running; /* held: its running jobs */
	struct job_list jobs;	      /* queued, the oldest first */
	unsigned waiting;	      /* how many these are */
	uint64_t turn;		      /* the serial after its last job was taken */
	size_t len;		      /* of the name, bytes */
	char name[];		      /* no NUL */
};

void
offload_queue_init(struct offload_queue *q, unsigned helpers, unsigned running_max,
    unsigned waiting_max)
{
	memset(q, 0, sizeof(*q));
	budget_init(&q->budget, helpers, false);
	q->holders = map_new(0, NULL);
	q->running_max = running_max;
	q->waiting_max = waiting_max;
}

void
offload_queue_free(struct offload_queue *q)
{
	assert(map_count(q->holders) == 0 && q->waiting == 0);
	map_free(q->holders);
	budget_free(&q->budget);
}

static struct job_holder *
job_holder_find(struct offload_queue *q, struct slice name)
{
	struct job_holder *h = map_get(q->holders, name);

	if (h != NULL)
		return h;
	h = xcalloc(1, sizeof(*h) + name.len);
	TAILQ_INIT(&h->jobs);
	h->len = name.len;
	if (name.len > 0)
		memcpy(h->name, name.p, name.len);
	budget_join(&h->running, &q->budget, 1, q->running_max);
	if (!map_put(q->holders, name, h))
		alloc_die(name.len);
	return h;
}

/* After a change of its queue or of what it has running: its place in the order, or its end. A
 * holder that was just served stands as if its next job came now: holders take turns, and one with
 * a long queue does not go before all who came later. */
static void
job_holder_changed(struct offload_queue *q, struct job_holder *h)
{
	struct offload_job *first = TAILQ_FIRST(&h->jobs);

	if (first != NULL) {
		budget_wait(&h->running, first->serial > h->turn ? first->serial : h->turn, 1);
		return;
	}
	budget_leave(&h->running);
	if (h->running.held > 0)
		return;
	map_take(q->holders, slice_of(h->name, h->len));
	free(h);
}

bool
offload_queue_add(struct offload_queue *q, struct slice holder, struct offload_job *job)
{
	struct job_holder *h = job_holder_find(q, holder);

	if (h->waiting >= q->waiting_max) {
		job_holder_changed(q, h);
		return false;
	}
	job->holder = h;
	job->serial = q->serial++;
	job->since_us = clock_mono_us();
	job->state = JOB_QUEUED;
	TAILQ_INSERT_TAIL(&h->jobs, job, link);
	h->waiting++;
	q->waiting++;
	job_holder_changed(q, h);
	return true;
}

static void
job_unlink(struct offload_queue *q, struct offload_job *job)
{
	struct job_holder *h = job->holder;

	assert(job->state == JOB_QUEUED && h->waiting > 0);
	TAILQ_REMOVE(&h->jobs, job, link);
	h->waiting--;
	q->waiting--;
}

static struct job_holder *
job_holder_of(struct budget_holder *running)
{
	return (
	    struct job_holder *)(void *)((char *)running - offsetof(struct job_holder, running));
}

struct offload_job *
offload_queue_take(struct offload_queue *q)
{
	struct budget_holder *next = budget_next(&q->budget);
	struct offload_job *job;

	if (next == NULL)
		return NULL;
	job = TAILQ_FIRST(&job_holder_of(next)->jobs);
	job_unlink(q, job);
	budget_take(next, 1);
	job->holder->turn = q->serial++;
	job_holder_changed(q, job->holder);
	return job;
}

void
offload_queue_remove(struct offload_queue *q, struct offload_job *job)
{
	job_unlink(q, job);
	job_holder_changed(q, job->holder);
}

void
offload_queue_done(struct offload_queue *q, struct offload_job *job)
{
	budget_give(&job->holder->running, 1);
	job_holder_changed(q, job->holder);
}

/* map_each_fn's, to find a job: *arg is the earliest seen so far. */
static bool
job_holder_earliest(struct slice name, void *value, void *arg)
{
	const struct job_holder *h = value;
	struct offload_job **earliest = arg, *first = TAILQ_FIRST(&h->jobs);

	(void)name;
	if (first != NULL && (*earliest == NULL || first->serial < (*earliest)->serial))
		*earliest = first;
	return true;
}

struct offload_job *
offload_queue_earliest(const struct offload_queue *q)
{
	struct offload_job *earliest = NULL;

	map_each(q->holders, job_holder_earliest, &earliest);
	return earliest;
}
