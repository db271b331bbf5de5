/* SPDX-License-Identifier: MIT */
/*
 * pools: all pools of the process: opening and closing, the workers that use them, the lock.
 *
 * Decisions are made under the lock and noted in a struct deferred; notifying waiters, closing
 * connections and starting logins are done by pools_unlock(), after it. A close frees a slot, which
 * leads to new decisions, so the lock is taken again for each.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pool/janitor.h"
#include "pool/pool_internal.h"
#include "pool/pools_configure.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"

#define SECONDS 1000000ull

void
pool_conf_init(struct pool_conf *conf)
{
	*conf = (struct pool_conf){
		.default_pool_size = 20,
		.max_server_connections = 200,
		.max_waiting = 1000,
		.query_wait_timeout_us = 10 * SECONDS,
		.server_connect_timeout_us = 15 * SECONDS,
		.server_login_retry_us = 5 * SECONDS,
		.server_idle_timeout_us = 120 * SECONDS,
		.server_lifetime_us = 3600 * SECONDS,
		.server_lifetime_jitter_us = 300 * SECONDS,
		.pool_idle_timeout_us = 300 * SECONDS,
		.max_scram_iterations = PG_SCRAM_ITERATIONS_DEFAULT,
	};
}

static const struct pool_ops wire_ops = {
	.connect = pg_connect,
	.reset = server_reset_session,
	.probe = server_probe_session,
	.alive = pg_conn_alive,
	.state = pg_conn_state,
	.close = pg_conn_close,
	.end = pg_conn_end,
	.ask = server_ask,
	.told = server_told,
};

struct pools *
pools_open(const struct pool_conf *conf, const struct pool_ops *ops)
{
	struct pools *p = xcalloc(1, sizeof(*p));
	unsigned i;

	p->conf = *conf;
	p->ops = ops != NULL ? *ops : wire_ops;
	pools_janitor_periods(p);
	p->replicas = 1;
	p->by_key = map_new(0, NULL);
	p->by_host = map_new(0, NULL);
	budget_init(&p->budget, conf->max_server_connections, !conf->single_owner);
	if (pthread_mutex_init(&p->lock, NULL) != 0)
		abort();
	TAILQ_INIT(&p->idle);
	TAILQ_INIT(&p->hosts[false]);
	TAILQ_INIT(&p->hosts[true]);
	TAILQ_INIT(&p->limited);
	for (i = 0; i < POOL_PLACES; i++)
		TAILQ_INIT(&p->places[i]);
	return p;
}

/* A retired pool without servers is freed at once, hence the next pointer is read before; one with
 * idle servers goes in pools_unlock(), when these have been closed. */
static void
pools_forget_all(struct pools *p)
{
	struct deferred deferred;
	struct pool *pool, *next;
	unsigned i;

	pools_lock(p, &deferred);
	for (i = 0; i < POOL_PLACES; i++)
		for (pool = TAILQ_FIRST(&p->places[i]); pool != NULL; pool = next) {
			next = TAILQ_NEXT(pool, link);
			assert(pool->waiting == 0);
			if (!pool->retired)
				pool_retire(pool, &deferred);
		}
	pools_unlock(p, &deferred);
}

void
pools_close(struct pools *p)
{
	if (p == NULL)
		return;
	pools_forget_all(p);
	assert(p->open == 0 && p->waiting == 0); /* every lease was returned */
	map_free(p->by_key);
	map_free(p->by_host);
	budget_free(&p->budget);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void
pools_attach(struct pools *p, struct worker *w, struct dns *dns)
{
	unsigned index = worker_index(w);
	struct deferred deferred;

	assert(index < POOL_WORKERS_MAX);
	pools_lock(p, &deferred);
	p->workers[index] = (struct pool_worker){ .worker = w, .dns = dns };
	pools_unlock(p, &deferred);
	if (index != 0)
		return;
	janitor_open(p, w);
	busy_timer_open(p, w);
}

void
pools_detach(struct pools *p, struct worker *w)
{
	unsigned index = worker_index(w);
	struct deferred deferred;

	pools_lock(p, &deferred);
	p->workers[index] = (struct pool_worker){ .worker = NULL };
	pools_unlock(p, &deferred);
	if (index != 0)
		return;
	timer_free(&p->janitor);
	timer_free(&p->busy_timer);
}

/* Waiters of a pool are in order of arrival; pools with waiters are few beside all. */
static uint64_t
pools_maxwait_us(const struct pools *p)
{
	uint64_t now_us = clock_mono_us(), oldest_us = now_us;
	const struct pool *pool;

	for (enum pool_place i = POOL_WAITS; i < POOL_SATISFIED; i++)
		TAILQ_FOREACH(pool, &p->places[i], link) {
			const struct waiter *first = TAILQ_FIRST(&pool->waiters);

			if (first != NULL && first->since_us < oldest_us)
				oldest_us = first->since_us;
		}
	return now_us - oldest_us;
}

void
pools_stats(struct pools *p, struct pool_stats *stats)
{
	struct deferred deferred;

	pools_lock(p, &deferred);
	*stats = (struct pool_stats){
		.pools = (unsigned)map_count(p->by_key),
		.server_idle = p->servers[SERVER_IDLE],
		.server_active = p->servers[SERVER_ACTIVE] + p->servers[SERVER_RESETTING],
		.server_login = p->servers[SERVER_LOGIN],
		.client_waiting = p->waiting,
		.client_active = p->servers[SERVER_ACTIVE],
		.server_max = p->conf.max_server_connections,
		.maxwait_us = pools_maxwait_us(p),
		.borrowed_total = p->borrowed_total,
		.created_total = p->created_total,
		.wait_us_total = p->wait_us_total,
	};
	pools_unlock(p, &deferred);
}

void
pools_lock(struct pools *p, struct deferred *deferred)
{
	TAILQ_INIT(&deferred->notify);
	TAILQ_INIT(&deferred->logins);
	TAILQ_INIT(&deferred->closes);
	deferred->host_wanted = false;
	deferred->host_busy = false;
	if (pthread_mutex_lock(&p->lock) != 0)
		abort();
}

/* Each is taken off its list before it is posted: from then on it is its worker's, which may have
 * freed it already. */
static void
deferred_post(struct deferred *deferred)
{
	struct waiter *w;
	struct server *s;

	while ((w = TAILQ_FIRST(&deferred->notify)) != NULL) {
		TAILQ_REMOVE(&deferred->notify, w, link);
		worker_post(w->worker, &w->task, waiter_notified, w);
	}
	while ((s = TAILQ_FIRST(&deferred->logins)) != NULL) {
		TAILQ_REMOVE(&deferred->logins, s, link);
		worker_post(s->worker, &s->task, server_login, s);
	}
}

/* A close may free a slot, which may start a login or drop an idle server of another pool: then
 * this is called again from within (server_close.c), a few times deep at most, for each drop makes
 * room for one login.
 */
void
pools_unlock(struct pools *p, struct deferred *deferred)
{
	struct worker *busy = deferred->host_busy ? busy_timer_claim(p) : NULL;
	struct worker *janitor = janitor_claim(p);
	struct server *s;

	pthread_mutex_unlock(&p->lock);
	deferred_post(deferred);
	if (busy != NULL)
		busy_timer_post(p, busy);
	if (janitor != NULL)
		janitor_post(p, janitor);
	while ((s = TAILQ_FIRST(&deferred->closes)) != NULL) {
		TAILQ_REMOVE(&deferred->closes, s, link);
		server_close(s);
	}
	if (deferred->host_wanted && p->wanted != NULL)
		p->wanted(p->wanted_arg);
}
