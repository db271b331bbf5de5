/* SPDX-License-Identifier: MIT */
/*
 * gather: one task for each worker. The memory is shared by the asker and by the tasks under way,
 * and goes with the last of them: so an asker may leave at any time, and no task has to find its
 * way back to a flow that has ended, or to a worker that was freed before it. The asker looks every
 * millisecond.
 */
#include "admin/gather.h"

#include <stdlib.h>

#define LOOK_US 1000

struct gather_task {
	struct task task;
	struct gather *gather;
	struct worker *worker; /* borrowed */
	void *piece;
};

struct gather {
	atomic_uint users;   /* the asker, and the tasks under way */
	atomic_uint pending; /* workers that have not answered */
	unsigned count;
	size_t piece_size;
	gather_fn *fn;
	struct gather_task *tasks; /* owned */
	char *pieces;		   /* owned */
};

static void
gather_release(struct gather *g)
{
	if (atomic_fetch_sub(&g->users, 1) > 1)
		return;
	free(g->tasks);
	free(g->pieces);
	free(g);
}

static void
gather_run(void *arg)
{
	struct gather_task *t = arg;
	struct gather *g = t->gather;

	if (g->fn(t->worker, t->piece)) {
		worker_later(t->worker, &t->task, gather_run, t);
		return;
	}
	atomic_fetch_sub(&g->pending, 1);
	gather_release(g);
}

struct gather *
gather_start(const struct admin_context *ctx, size_t piece_size, gather_fn *fn)
{
	struct gather *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->count = atomic_load(ctx->worker_count);
	g->piece_size = piece_size;
	g->fn = fn;
	g->tasks = calloc(g->count, sizeof(*g->tasks));
	g->pieces = calloc(g->count, piece_size);
	atomic_init(&g->users, 1);
	atomic_init(&g->pending, g->count);
	if (g->tasks == NULL || g->pieces == NULL) {
		gather_release(g);
		return NULL;
	}
	atomic_store(&g->users, g->count + 1);
	for (unsigned i = 0; i < g->count; i++) {
		struct gather_task *t = &g->tasks[i];

		t->gather = g;
		t->worker = ctx->workers[i];
		t->piece = gather_piece(g, i);
		worker_post(t->worker, &t->task, gather_run, t);
	}
	return g;
}

enum flow_rc
gather_wait(struct flow *f, struct gather *g, struct timer *timer)
{
	if (atomic_load(&g->pending) == 0)
		return FLOW_NEXT;
	(void)flow_goto(f, f->kind->steps[f->step].run);
	return flow_sleep(f, timer, LOOK_US);
}

unsigned
gather_count(const struct gather *g)
{
	return g->count;
}

void *
gather_piece(struct gather *g, unsigned i)
{
	return g->pieces + i * g->piece_size;
}

void
gather_free(struct gather *g)
{
	if (g != NULL)
		gather_release(g);
}
