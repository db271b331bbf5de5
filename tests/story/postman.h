/* SPDX-License-Identifier: MIT */
/* postman: threads that bring tasks to a worker: what they are handed, as soon as they can. */
#ifndef TENANTGATE_TESTS_POSTMAN_H
#define TENANTGATE_TESTS_POSTMAN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tenantgate/loop/flow.h"

enum { POSTMEN = 3 };

/* A wait that is over when its task comes. Memory of its own: the flow may have left by then. */
struct parcel {
	struct task task;
	struct parcel *next; /* on the postman's pile */
	struct flow *flow;   /* borrowed; NULL when it has left */
	bool kidnap;	     /* aborts instead of waking */
};

struct postman {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct parcel *pile;
	bool closing;
	struct worker *to;
	worker_fn *arrives;
};

static struct postman postmen[POSTMEN];

static inline void *
postman_run(void *arg)
{
	struct postman *man = arg;

	pthread_mutex_lock(&man->lock);
	while (man->pile != NULL || !man->closing) {
		struct parcel *p = man->pile;

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
postman_hand(struct postman *man, struct parcel *p)
{
	pthread_mutex_lock(&man->lock);
	p->next = man->pile;
	man->pile = p;
	pthread_cond_signal(&man->more);
	pthread_mutex_unlock(&man->lock);
}

static inline void
postmen_open(struct worker *to, worker_fn *arrives)
{
	unsigned i;

	for (i = 0; i < POSTMEN; i++) {
		postmen[i].to = to;
		postmen[i].arrives = arrives;
		pthread_mutex_init(&postmen[i].lock, NULL);
		pthread_cond_init(&postmen[i].more, NULL);
		if (pthread_create(&postmen[i].thread, NULL, postman_run, &postmen[i]) != 0)
			abort();
	}
}

static inline void
postmen_close(void)
{
	unsigned i;

	for (i = 0; i < POSTMEN; i++) {
		pthread_mutex_lock(&postmen[i].lock);
		postmen[i].closing = true;
		pthread_cond_signal(&postmen[i].more);
		pthread_mutex_unlock(&postmen[i].lock);
		pthread_join(postmen[i].thread, NULL);
		pthread_cond_destroy(&postmen[i].more);
		pthread_mutex_destroy(&postmen[i].lock);
	}
}

#endif
