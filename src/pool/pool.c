/* SPDX-License-Identifier: MIT */
/*
 * pool: one database target's servers and waiters, and which pool gets a free slot of the budget.
 *
 * A pool wants a slot when it has more waiters than logins and resets under way, is below its size,
 * and no login has just failed. Pools without any server come first: without that rule one tenant
 * with many waiters would take every slot that comes free.
 *
 * pool_changed() computes a pool's place (enum pool_place) from its counts, after every change of
 * them. Functions here run under the lock, unless pool_internal.h says otherwise.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/clock.h"

#define LOGIN_RETRY_MIN_US 100000 /* whatever is configured: no storm of logins */

static struct slice
pool_key(const struct pool *pool)
{
	return slice_of(pool->key, pool->key_len);
}

/* The target is copied: the borrower's record may be gone before the next login. */
static struct pool *
pool_new(struct pools *p, const struct pool_target *target)
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

/* Found or made. A pool with another target than the borrower's is out of date (a new password, a
 * moved host) and is retired: the borrower has the tenant's record, the pool only an old copy. */
struct pool *
pool_find(struct pools *p, const struct pool_target *target, struct deferred *deferred)
{
	struct pool *pool = map_get(p->by_key, target->key);

	if (pool != NULL && !pg_target_same(&pool->target, &target->pg)) {
		pool_retire(pool, deferred);
		pool = NULL;
	}
	if (pool == NULL)
		pool = pool_new(p, target);
	pool->size = target->size != 0 ? target->size : p->conf.default_pool_size;
	return pool;
}

/* Only of an empty pool: servers and waiters point to it. Wipes the password. */
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

/* No borrower finds it any more. Its waiters are still served by new logins to the target that they
 * named; it is freed with its last server, perhaps in this very call. */
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

/* Servers that are, or may soon be, of use to a waiter. */
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

/* With jitter: the pools of several replicas that lost the same server must not all come back to it
 * in the same moment. */
uint64_t
pool_login_wait(const struct pool_conf *conf)
{
	uint64_t most = conf->server_login_retry_us;
	const struct backoff login_backoff = { most, most, 100 };
	uint64_t us = backoff_us(&login_backoff, 1, 0);

	return us > LOGIN_RETRY_MIN_US ? us : LOGIN_RETRY_MIN_US;
}

/* PostgreSQL's primary messages end without a stop, our own reasons with one. The message is cut so
 * that the sentence around it fits struct err. */
void
pool_login_reason(const struct pg_failure *failure, char out[LOGIN_REASON_SIZE])
{
	size_t len = strnlen(failure->message, 190);
	bool coded = failure->sqlstate[0] != '\0';

	if (len > 0 && failure->message[len - 1] == '.')
		len--;
	snprintf(out, LOGIN_REASON_SIZE, "%.*s%s%s%s", (int)len, failure->message,
	    coded ? " (SQLSTATE " : "", failure->sqlstate, coded ? ")" : "");
}

/* Kept for those who wait and for those who come before retry_us: they fail with this reason, and
 * the database is not asked. retry_after is rounded up, or a client would come back too early. */
void
pool_login_failed(struct pool *pool, const struct pg_result *why, uint64_t wait_us)
{
	char reason[LOGIN_REASON_SIZE];

	pool_login_reason(&why->failure, reason);
	pool->retry_us = clock_mono_us() + wait_us;
	err_clear(&pool->failure);
	err_set(&pool->failure, ERR_DATABASE, "Login to the database failed: %s. Try again.",
	    reason);
	pool->failure.retry_after = (int)((wait_us + 999999) / 1000000);
}

/* Where the counts put a pool. A login or reset under way will serve one waiter, so that many need
 * no slot. */
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

/* Behind the others of its new list, which keeps each list in order of arrival. A pool that stays
 * in its place keeps its turn. */
static void
pool_update_place(struct pool *pool)
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

/* The pool whose turn it is for a slot, or NULL. */
static struct pool *
pool_next_wanting(struct pools *p)
{
	struct pool *wanting = TAILQ_FIRST(&p->places[POOL_WANTS_FIRST]);

	return wanting != NULL ? wanting : TAILQ_FIRST(&p->places[POOL_WANTS_MORE]);
}

/*
 * Gives free slots to the pools that want them. When the budget is used up, idle servers (of other
 * pools, since a pool that wants has none) are closed to make room: no more than there are pools
 * that want, those already closing counted, so that a burst does not empty every pool. Their slots
 * are given out when they have been closed: server_gone() comes here again.
 */
static void
pools_assign_slots(struct pools *p, struct deferred *deferred)
{
	struct pool *pool;
	struct server *s;

	while ((pool = pool_next_wanting(p)) != NULL && p->used < p->conf.max_server_connections) {
		server_launch(pool, deferred);
		pool_update_place(pool);
	}
	while (p->servers[SERVER_CLOSING] <
		p->place_counts[POOL_WANTS_FIRST] + p->place_counts[POOL_WANTS_MORE] &&
	    (s = TAILQ_FIRST(&p->idle)) != NULL)
		server_drop(s, deferred);
}

/* When a login has failed and no server is left, the waiters are given its reason at once rather
 * than a time-out later. While one server lives they wait for it, and the login is tried again. */
void
pool_changed(struct pool *pool, struct deferred *deferred)
{
	struct pools *p = pool->pools;
	struct waiter *w;

	if (pool_live(pool) == 0 && pool_in_backoff(pool))
		while ((w = TAILQ_FIRST(&pool->waiters)) != NULL)
			waiter_fail(w, &pool->failure, deferred);
	pool_update_place(pool);
	if (pool->retired && pool->place == POOL_EMPTY)
		pool_free(pool);
	pools_assign_slots(p, deferred);
}
