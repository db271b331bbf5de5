/* SPDX-License-Identifier: MIT */
/*
 * flow_hang: two workers with flows that hang, for gdb.test.mjs to look at. Prints "hanging" once
 * they wait, and then waits to be killed. No sanitizers: their shadow memory makes a core of
 * terabytes.
 */
#include <assert.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

#include "tenantgate/loop/flow.h"

#define HOUR_US (3600 * 1000000ull)

struct hang {
	struct flow flow;
	struct flow inner;
	struct timer timer;
	struct task task;
	struct worker *worker;
};

static sem_t reached;

static enum flow_rc
inner_wait(struct flow *f)
{
	struct hang *h = (struct hang *)f->parent;

	assert(sem_post(&reached) == 0);
	return flow_sleep(f, &h->timer, HOUR_US);
}

static const struct flow_step inner_steps[] = { { "ask", inner_wait }, { NULL, NULL } };
static const struct flow_kind inner_kind = { .name = "inner", .steps = inner_steps };

static enum flow_rc
hang_begin(struct flow *f)
{
	(void)f;
	return FLOW_NEXT;
}

static enum flow_rc
hang_call(struct flow *f)
{
	struct hang *h = (struct hang *)f;

	return flow_call(f, &h->inner, &inner_kind);
}

static const struct flow_step hang_steps[] = {
	{ "begin", hang_begin },
	{ "call", hang_call },
	{ NULL, NULL },
};
static const struct flow_kind hang_kind = { .name = "hang", .steps = hang_steps };

static void
hang_start(void *arg)
{
	struct hang *h = arg;

	flow_start(&h->flow, &hang_kind, h->worker, NULL);
	h->flow.request_id = worker_index(h->worker) == 0 ? "hangs" : NULL;
}

static void
turn_is_over(void *arg)
{
	(void)arg;
	assert(sem_post(&reached) == 0);
}

int
main(void)
{
	static struct hang hangs[2];

	assert(sem_init(&reached, 0, 0) == 0);
	for (unsigned i = 0; i < 2; i++) {
		struct hang *h = &hangs[i];

		h->worker = worker_new(i);
		assert(h->worker != NULL && worker_start(h->worker));
		worker_post(h->worker, &h->task, hang_start, h);
		assert(sem_wait(&reached) == 0);
		/* The step is under way: a task's turn comes after it. */
		worker_post(h->worker, &h->task, turn_is_over, NULL);
		assert(sem_wait(&reached) == 0);
	}
	puts("hanging");
	fflush(stdout);
	for (;;)
		pause();
}
