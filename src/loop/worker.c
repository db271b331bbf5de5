/* SPDX-License-Identifier: MIT */
/*
 * worker.c: access to what a worker has (its event base, run queue, mailbox, measurements) for the
 * modules that are built on workers: flows, timers, wires.
 *
 * The loop that runs a worker is in worker_loop.c. It calls flow.c, which calls this file; with
 * both in one file the two modules would call each other.
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

/* Without a lock: the list is this thread's alone. */
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

/* Any thread, hence not through worker_run_queue(), which asserts the worker's. Relaxed: the number
 * orders no other memory. */
size_t
worker_flow_count(const struct worker *w)
{
	assert(w->magic == WORKER_MAGIC);
	return atomic_load_explicit(&w->flows.count, memory_order_relaxed);
}

const struct flow_kinds *
worker_flow_kinds(const struct worker *w)
{
	assert(w->magic == WORKER_MAGIC);
	return &w->flows.kinds;
}

struct meter_table *
worker_meters(struct worker *w)
{
	assert(w->magic == WORKER_MAGIC && worker_is_mine(w));
	return &w->meters;
}

const struct meter_table *
worker_meters_view(const struct worker *w)
{
	assert(w->magic == WORKER_MAGIC);
	return &w->meters;
}

struct offload **
worker_offload(struct worker *w)
{
	assert(w->magic == WORKER_MAGIC && worker_is_mine(w));
	return &w->offload;
}

unsigned
worker_index(const struct worker *w)
{
	return w->index;
}

/* Relaxed is enough: a thread that owns the worker has written `owner` itself, and reads its own
 * write. */
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
worker_turns(const struct worker *w)
{
	return atomic_load_explicit(&w->flows.clock.turns_total, memory_order_relaxed);
}

uint64_t
worker_cpu_us(const struct worker *w)
{
	return atomic_load_explicit(&w->flows.clock.cpu_total_us, memory_order_relaxed);
}

uint64_t
worker_long_turns(const struct worker *w)
{
	return atomic_load(&w->flows.clock.long_total);
}

uint64_t
worker_turn_worst_us(const struct worker *w)
{
	return atomic_load(&w->flows.clock.worst_us);
}

uint64_t
worker_turn_reset(struct worker *w)
{
	return atomic_exchange(&w->flows.clock.worst_us, 0);
}

/* Reads and clears in one exchange, so that no measurement is lost between the two. */
uint64_t
worker_lag_reset(struct worker *w)
{
	return atomic_exchange(&w->lag_worst_us, 0);
}
