/* SPDX-License-Identifier: MIT */
/*
 * worker: what a worker has, for those who stand on it: its event base, its run queue, its mailbox.
 * Who runs it is in worker_loop.c, which stands on the flows; so calls go one way.
 */
#include "tenantgate/loop/worker.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "loop/worker_internal.h"

void
worker_post(struct worker *w, struct task *task, worker_fn *fn, void *arg)
{
	assert(w->magic == WORKER_MAGIC);
	mailbox_post(&w->mailbox, task, fn, arg);
}

void
worker_later(struct worker *w, struct task *task, worker_fn *fn, void *arg)
{
	assert(w->magic == WORKER_MAGIC && worker_is_mine(w));
	task_list_add(&w->later, task, fn, arg);
}

struct event_base *
worker_base(struct worker *w)
{
	assert(w->magic == WORKER_MAGIC);
	return w->base;
}

struct run_queue *
worker_run_queue(struct worker *w)
{
	assert(w->magic == WORKER_MAGIC && worker_is_mine(w));
	return &w->flows;
}

size_t
worker_flow_count(const struct worker *w)
{
	assert(w->magic == WORKER_MAGIC);
	return atomic_load_explicit(&w->flows.count, memory_order_relaxed);
}

unsigned
worker_index(const struct worker *w)
{
	return w->index;
}

bool
worker_is_mine(const struct worker *w)
{
	return pthread_equal(atomic_load_explicit(&w->owner, memory_order_relaxed), pthread_self());
}

uint64_t
worker_lag_us(const struct worker *w)
{
	return atomic_load(&w->lag_us);
}

uint64_t
worker_lag_reset(struct worker *w)
{
	return atomic_exchange(&w->lag_worst_us, 0);
}
