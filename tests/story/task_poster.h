/* SPDX-License-Identifier: MIT */
/*
 * task_poster: threads that post tasks to a worker: whatever they are given, as soon as they can.
 */
#ifndef TENANTGATE_TESTS_TASK_POSTER_H
#define TENANTGATE_TESTS_TASK_POSTER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tenantgate/loop/flow.h"

enum { POSTERS = 3 };

/* A wait that is over when its task comes. Memory of its own: the flow may have left by then. */
struct posted_wait {
	struct task task;
	struct posted_wait *next; /* in the task_poster's list */
	struct flow *flow;   /* borrowed; NULL when it has left */
	bool aborts;	     /* aborts instead of waking */
};

struct task_poster {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct posted_wait *pending;
	bool closing;
	struct worker *to;
	worker_fn *arrives;
};

static struct task_poster posters[POSTERS];

static inline void *
task_poster_run(void *arg)
{
	struct task_poster *poster = arg;

	pthread_mutex_lock(&poster->lock);
	while (poster->pending != NULL || !poster->closing) {
		struct posted_wait *p = poster->pending;

		if (p == NULL) {
			pthread_cond_wait(&poster->more, &poster->lock);
			continue;
		}
		poster->pending = p->next;
		pthread_mutex_unlock(&poster->lock);
		worker_post(poster->to, &p->task, poster->arrives, p);
		pthread_mutex_lock(&poster->lock);
	}
	pthread_mutex_unlock(&poster->lock);
	return NULL;
}

static inline void
task_poster_add(struct task_poster *poster, struct posted_wait *p)
{
	pthread_mutex_lock(&poster->lock);
	p->next = poster->pending;
	poster->pending = p;
	pthread_cond_signal(&poster->more);
	pthread_mutex_unlock(&poster->lock);
}

static inline void
task_posters_open(struct worker *to, worker_fn *arrives)
{
	unsigned i;

	for (i = 0; i < POSTERS; i++) {
		posters[i].to = to;
		posters[i].arrives = arrives;
		pthread_mutex_init(&posters[i].lock, NULL);
		pthread_cond_init(&posters[i].more, NULL);
		if (pthread_create(&posters[i].thread, NULL, task_poster_run, &posters[i]) != 0)
			abort();
	}
}

static inline void
task_posters_close(void)
{
	unsigned i;

	for (i = 0; i < POSTERS; i++) {
		pthread_mutex_lock(&posters[i].lock);
		posters[i].closing = true;
		pthread_cond_signal(&posters[i].more);
		pthread_mutex_unlock(&posters[i].lock);
		pthread_join(posters[i].thread, NULL);
		pthread_cond_destroy(&posters[i].more);
		pthread_mutex_destroy(&posters[i].lock);
	}
}

#endif
