/* SPDX-License-Identifier: MIT */
/*
 * pool: one database target's connections, and who of all pools gets a free slot.
 *
 * A pool wants a slot when more wait than logins and resets are under way for, it is below its
 * size, and no login has just failed. Bare pools (with no server at all) come first.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/clock.h"

#define RETRY_LEAST_US	100000	/* whatever is configured: no storm of logins */

static struct slice
pool_key(const struct pool *pool)
{
	return slice_of(pool->key, pool->key_len);
}

static struct pool *
pool_make(struct pools *p, const struct pool_target *target)
{
	struct pool *pool = xcalloc(1, sizeof(*pool));

	pool->key = xmalloc(target->key.len + 1);
	pg_target_copy(&pool->target, &target->pg);
	memcpy(pool->key, target->key.p, target->key.len);
	pool->key_len = target->key.len;
	pool->pools = p;
	pool->place = POOL_EMPTY;
	pool->empty_since_us = clock_mono_us();
	TAILQ_INIT(&pool->idle);
	TAILQ_INIT(&pool->waiters);
	TAILQ_INSERT_TAIL(&p->places[POOL_EMPTY], pool, link);
	p->place_counts[POOL_EMPTY]++;
	if (!map_put(p->by_key, pool_key(pool), pool))
		abort();
	return pool;
}

/* Found or made. A pool whose target is not what the borrower knows is a stale one. */
struct pool *
pool_find(struct pools *p, const struct pool_target *target, struct deferred *deferred)
{
	struct pool *pool = map_get(p->by_key, target->key);

	if (pool != NULL && !pg_target_same(&pool->target, &target->pg)) {
		pool_retire(pool, deferred);
		pool = NULL;
	}
	if (pool == NULL)
		pool = pool_make(p, target);
	pool->size = target->size != 0 ? target->size : p->conf.default_pool_size;
	return pool;
}

void
pool_free(struct pool *pool)
{
	struct pools *p = pool->pools;

	assert(pool->count == 0 && pool->waiting == 0);
	TAILQ_REMOVE(&p->places[pool->place], pool, link);
	p->place_counts[pool->place]--;
	if (!pool->retired)
		map_take(p->by_key, pool_key(pool));
	pg_target_free(&pool->target);
	free(pool->key);
	free(pool);
}

/* Those who wait are still served, with the target they asked for. */
void
pool_retire(struct pool *pool, struct deferred *deferred)
{
	struct server *s;

	assert(!pool->retired);
	map_take(pool->pools->by_key, pool_key(pool));
	pool->retired = true;
	while ((s = TAILQ_FIRST(&pool->idle)) != NULL)
		server_drop(s, deferred);
	pool_changed(pool, deferred);
}

unsigned
pool_live(const struct pool *pool)
{
	return pool->count - pool->servers[SERVER_CLOSING];
}

bool
pool_in_backoff(const struct pool *pool)
{
	return pool->retry_us != 0 && clock_mono_us() < pool->retry_us;
}

/* The pools of several replicas lost the same server: they do not come back together. */
uint64_t
pool_login_wait(const struct pool_conf *conf)
{
	uint64_t most = conf->server_login_retry_us;
	const struct backoff login_backoff = { most, most, 100 };
	uint64_t us = backoff_us(&login_backoff, 1, 0);

	return us > RETRY_LEAST_US ? us : RETRY_LEAST_US;
}

void
pool_login_failed(struct pool *pool, const struct pg_result *why, uint64_t wait_us)
{
	const struct pg_failure *failure = &why->failure;
	bool coded = failure->sqlstate[0] != '\0';

	pool->retry_us = clock_mono_us() + wait_us;
	err_clear(&pool->failure);
	err_set(&pool->failure, ERR_DATABASE, "login to the database failed: %s%s%s%s",
	    failure->message, coded ? " (SQLSTATE " : "", failure->sqlstate, coded ? ")" : "");
	pool->failure.retry_after = (int)((wait_us + 999999) / 1000000);
}

static enum pool_place
pool_place(const struct pool *pool)
{
	unsigned coming = pool->servers[SERVER_LOGIN] + pool->servers[SERVER_RESETTING];

	if (pool->count == 0 && pool->waiting == 0)
		return POOL_EMPTY;
	if (pool->waiting <= coming || pool->count >= pool->size)
		return POOL_SATISFIED;
	if (pool_in_backoff(pool))
		return POOL_BACKOFF;
	return pool->count == 0 ? POOL_WANTS_FIRST : POOL_WANTS_MORE;
}

static void
pool_refile(struct pool *pool)
{
	struct pools *p = pool->pools;
	enum pool_place place = pool_place(pool);

	if (place == pool->place)
		return;
	TAILQ_REMOVE(&p->places[pool->place], pool, link);
	p->place_counts[pool->place]--;
	pool->place = place;
	TAILQ_INSERT_TAIL(&p->places[place], pool, link);
	p->place_counts[place]++;
	if (place == POOL_EMPTY)
		pool->empty_since_us = clock_mono_us();
}

static struct pool *
wanting_first(struct pools *p)
{
	struct pool *wanting = TAILQ_FIRST(&p->places[POOL_WANTS_FIRST]);

	return wanting != NULL ? wanting : TAILQ_FIRST(&p->places[POOL_WANTS_MORE]);
}

/* Free slots to those who want them; idle servers are closed to make room, one for each pool
 * that wants one at most. */
static void
pools_give_slots(struct pools *p, struct deferred *deferred)
{
	struct pool *pool;
	struct server *s;

	while ((pool = wanting_first(p)) != NULL && p->used < p->conf.max_server_connections) {
		server_launch(pool, deferred);
		pool_refile(pool);
	}
	while (p->servers[SERVER_CLOSING] <
		p->place_counts[POOL_WANTS_FIRST] + p->place_counts[POOL_WANTS_MORE] &&
	    (s = TAILQ_FIRST(&p->idle)) != NULL)
		server_drop(s, deferred);
}

void
pool_changed(struct pool *pool, struct deferred *deferred)
{
	struct pools *p = pool->pools;
	struct waiter *w;

	if (pool_live(pool) == 0 && pool_in_backoff(pool))
		while ((w = TAILQ_FIRST(&pool->waiters)) != NULL)
			waiter_fail(w, &pool->failure, deferred);
	pool_refile(pool);
	if (pool->retired && pool->place == POOL_EMPTY)
		pool_free(pool);
	pools_give_slots(p, deferred);
}
