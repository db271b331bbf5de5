/* SPDX-License-Identifier: MIT */
/* task_poster: threads that bring tasks to a worker: what they are handed, as soon as they can. */
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
	struct posted_wait *next; /* on the task_poster's pile */
	struct flow *flow;   /* borrowed; NULL when it has left */
	bool kidnap;	     /* aborts instead of waking */
};

struct task_poster {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct posted_wait *pile;
	bool closing;
	struct worker *to;
	worker_fn *arrives;
};

static struct task_poster posters[POSTERS];

static inline void *
task_poster_run(void *arg)
{
	struct task_poster *man = arg;

	pthread_mutex_lock(&man->lock);
	while (man->pile != NULL || !man->closing) {
		struct posted_wait *p = man->pile;

		if (p == NULL) {
			pthread_cond_wait(&man->more, &man->lock);
			continue;
		}
		man->pile = p->next;
		pthread_mutex_unlock(&man->lock);
		worker_post(man->to, &p->task, man->arrives, p);
		pthread_mutex_lock(&man->lock);
	}
	pthread_mutex_unlock(&man->lock);
	return NULL;
}

static inline void
task_poster_hand(struct task_poster *man, struct posted_wait *p)
{
	pthread_mutex_lock(&man->lock);
	p->next = man->pile;
	man->pile = p;
	pthread_cond_signal(&man->more);
	pthread_mutex_unlock(&man->lock);
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
