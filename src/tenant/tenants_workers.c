/* SPDX-License-Identifier: MIT */
/*
 * tenants_workers: the list of each worker's tenants (tenants_shared.h).
 */
#include "tenant/tenants_shared.h"

void
shared_tenants_enter(struct tenants_shared *s, struct tenants *ts)
{
	pthread_mutex_lock(&s->workers_mutex);
	TAILQ_INSERT_TAIL(&s->workers, ts, link);
	pthread_mutex_unlock(&s->workers_mutex);
}

void
shared_tenants_leave(struct tenants_shared *s, struct tenants *ts)
{
	pthread_mutex_lock(&s->workers_mutex);
	TAILQ_REMOVE(&s->workers, ts, link);
	pthread_mutex_unlock(&s->workers_mutex);
}

void
shared_tenants_each(struct tenants_shared *s, shared_tenants_fn *fn, void *arg)
{
	struct tenants *ts;

	pthread_mutex_lock(&s->workers_mutex);
	TAILQ_FOREACH(ts, &s->workers, link)
		fn(ts, arg);
	pthread_mutex_unlock(&s->workers_mutex);
}

struct tenants *
shared_tenants_of(struct tenants_shared *s, const struct worker *w)
{
	struct tenants *ts;

	pthread_mutex_lock(&s->workers_mutex);
	TAILQ_FOREACH(ts, &s->workers, link)
		if (ts->worker == w)
			break;
	pthread_mutex_unlock(&s->workers_mutex);
	return ts;
}
