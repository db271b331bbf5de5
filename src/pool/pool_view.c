/* SPDX-License-Identifier: MIT */
/*
 * pool_view: pools as operators see them. What is copied under the lock is bounded by the caller's
 * array, and texts are put together there from what the pool keeps, with no call that could wait.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool_internal.h"
#include "tenantgate/base/clock.h"

static void
pool_tell(const struct pool *pool, struct pool_view *out, uint64_t now_us)
{
	const struct waiter *first = TAILQ_FIRST(&pool->waiters);

	*out = (struct pool_view){
		.client_waiting = pool->waiting,
		.server_active = pool->servers[SERVER_ACTIVE] + pool->servers[SERVER_RESETTING],
		.server_idle = pool->servers[SERVER_IDLE],
		.server_login = pool->servers[SERVER_LOGIN],
		.size = pool->size,
	};
	(void)snprintf(out->key, sizeof(out->key), "%.*s", (int)pool->key_len, pool->key);
	(void)snprintf(out->host, sizeof(out->host), "%s:%u", pool->target.host,
	    (unsigned)pool->target.port);
	(void)snprintf(out->database, sizeof(out->database), "%s", pool->target.dbname);
	if (first != NULL && first->since_us < now_us)
		out->maxwait_us = now_us - first->since_us;
	if (pool->retry_us == 0)
		return;
	out->failure = pool->failure;
	out->retry_us = pool->retry_us > now_us ? pool->retry_us - now_us : 0;
}

/* Somebody waits for it, or its last login has failed. */
static bool
pool_is_troubled(const struct pool *pool)
{
	return pool->waiting > 0 || pool->retry_us != 0;
}

/* Those that are troubled, or the others, behind the n that are there. */
static unsigned
pools_tell(struct pools *p, struct pool_view *out, unsigned n, unsigned max, bool troubled)
{
	uint64_t now_us = clock_mono_us();
	const struct pool *pool;

	for (enum pool_place i = 0; i < POOL_PLACES; i++)
		TAILQ_FOREACH(pool, &p->places[i], link) {
			if (n == max)
				return n;
			if (pool_is_troubled(pool) == troubled)
				pool_tell(pool, &out[n++], now_us);
		}
	return n;
}

unsigned
pools_view(struct pools *p, struct pool_view *out, unsigned max, unsigned *all)
{
	unsigned n;

	if (pthread_mutex_lock(&p->lock) != 0)
		abort();
	*all = (unsigned)map_count(p->by_key);
	n = pools_tell(p, out, 0, max, true);
	n = pools_tell(p, out, n, max, false);
	pthread_mutex_unlock(&p->lock);
	return n;
}

bool
pool_view_of(struct pools *p, struct slice key, struct pool_view *out)
{
	uint64_t now_us = clock_mono_us();
	const struct pool *pool;

	if (pthread_mutex_lock(&p->lock) != 0)
		abort();
	pool = map_get(p->by_key, key);
	if (pool != NULL)
		pool_tell(pool, out, now_us);
	pthread_mutex_unlock(&p->lock);
	return pool != NULL;
}
