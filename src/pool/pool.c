/* SPDX-License-Identifier: MIT */
/*
 * pool: one database target's servers and waiters, found by its key, and where it stands.
 *
 * A key has two pools while two targets are in use for it, as when a password has changed and one
 * worker still has the old record: each borrower gets the one it names, so that two workers do not
 * close each other's connections in turn. A third target retires the older of the two.
 *
 * pool_place_update() computes a pool's place (enum pool_place) from its counts, after every change
 * of them. Functions here run under the lock.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"

#define OVERDUE_US 1000000ull
#define AFTER_IDLE (1ull << 63) /* no serial and no time is so large */

static struct slice
pool_key(const struct pool *pool)
{
	return slice_of(pool->key, pool->key_len);
}

/* ---- found by key ---- */

/* The newest of its key. */
static void
pool_publish(struct pool *pool)
{
	if (!map_put(pool->pools->by_key, pool_key(pool), pool))
		abort();
}

static void
pool_unpublish(struct pool *pool)
{
	struct pool *newest = map_get(pool->pools->by_key, pool_key(pool));

	if (newest != pool) {
		assert(newest->older == pool);
		newest->older = NULL;
	} else if (pool->older != NULL) {
		pool_publish(pool->older);
	} else {
		map_take(pool->pools->by_key, pool_key(pool));
	}
	pool->older = NULL;
}

/* The target is copied: the borrower's record may be gone before the next login. */
static struct pool *
pool_new(struct pools *p, const struct pool_target *target)
{
	struct pool *pool = xcalloc(1, sizeof(*pool));
	struct pg_target copy = target->pg;
	unsigned weight = target->weight != 0 ? target->weight : 1;

	pool->key = xmalloc(target->key.len + 1);
	copy.settings = p->conf.settings;
	pg_target_copy(&pool->target, &copy);
	pool->target.scram_iterations_max = p->conf.max_scram_iterations;
	memcpy(pool->key, target->key.p, target->key.len);
	pool->key_len = target->key.len;
	pool->pools = p;
	pool->host = pool_host_find(p, target);
	budget_join(&pool->holder, &p->budget, weight, BUDGET_NO_CEILING);
	budget_join(&pool->host_holder, &pool->host->budget, weight, BUDGET_NO_CEILING);
	pool->place = POOL_EMPTY;
	pool->empty_since_us = pool->served_us = clock_mono_us();
	TAILQ_INIT(&pool->idle);
	TAILQ_INIT(&pool->waiters);
	TAILQ_INSERT_TAIL(&p->places[POOL_EMPTY], pool, link);
	p->place_counts[POOL_EMPTY]++;
	return pool;
}

/* A target that the key has not had: the borrower has the tenant's record, the pools only copies of
 * older ones. It starts clean, without their back-off. */
static struct pool *
pool_add(struct pools *p, const struct pool_target *target, struct pool *newest,
    struct deferred *deferred)
{
	struct pool *pool;

	if (newest != NULL && newest->older != NULL)
		pool_retire(newest->older, deferred);
	pool = pool_new(p, target);
	pool->older = newest;
	pool_publish(pool);
	return pool;
}

/* Found or made. */
struct pool *
pool_find(struct pools *p, const struct pool_target *target, struct deferred *deferred)
{
	struct pool *newest = map_get(p->by_key, target->key), *pool = newest;

	while (pool != NULL && !pg_target_same(&pool->target, &target->pg))
		pool = pool->older;
	if (pool == NULL)
		pool = pool_add(p, target, newest, deferred);
	pool->size = target->size != 0 ? target->size : p->conf.default_pool_size;
	pool->is_paced = target->is_paced;
	pool->forgotten = false;
	return pool;
}

/* ---- its end ---- */

/* Only of an empty pool: servers and waiters point to it. Wipes the password. */
void
pool_free(struct pool *pool)
{
	struct pools *p = pool->pools;

	assert(pool->count == 0 && pool->waiting == 0);
	TAILQ_REMOVE(&p->places[pool->place], pool, link);
	p->place_counts[pool->place]--;
	if (!pool->retired)
		pool_unpublish(pool);
	if (pool->host->served == pool)
		pool->host->served = NULL;
	pool_host_release(p, pool->host);
	pg_target_free(&pool->target);
	free(pool->key);
	free(pool);
}

static void
pool_drop_idle(struct pool *pool, struct deferred *deferred)
{
	struct server *s;

	while ((s = TAILQ_FIRST(&pool->idle)) != NULL)
		server_drop(s, deferred);
}

/* No borrower finds it any more. Its waiters are still served by new logins to the target that they
 * named; it is freed with its last server, perhaps in this very call. */
void
pool_retire(struct pool *pool, struct deferred *deferred)
{
	assert(!pool->retired);
	pool_unpublish(pool);
	pool->retired = true;
	pool_drop_idle(pool, deferred);
	pool_changed(pool, deferred);
}

/* The servers of this generation are not lent again; the pool stays, for what is known of the
 * target (its back-off) outlives them. It may be freed in this call. */
static void
pool_renew(struct pool *pool, struct deferred *deferred)
{
	pool->generation++;
	pool->forgotten = true;
	pool_drop_idle(pool, deferred);
	pool_changed(pool, deferred);
}

/* Its siblings most likely died with it (a restart, a compute that was stopped). What has logged in
 * since is spared: of many that are lost together the first alone does this. */
void
pool_server_lost(struct server *s, struct deferred *deferred)
{
	struct pool *pool = s->pool;

	if (s->generation == pool->generation) {
		pool->generation++;
		pool_drop_idle(pool, deferred);
	}
	server_discard(s, deferred);
}

void
pool_forget(struct pools *p, struct slice key)
{
	struct deferred deferred;
	struct pool *pool, *older;

	pools_lock(p, &deferred);
	for (pool = map_get(p->by_key, key); pool != NULL; pool = older) {
		older = pool->older;
		pool_renew(pool, &deferred);
	}
	pools_unlock(p, &deferred);
}

void
pool_retry_now(struct pools *p, struct slice key)
{
	struct deferred deferred;
	struct pool *pool, *older;

	pools_lock(p, &deferred);
	for (pool = map_get(p->by_key, key); pool != NULL; pool = older) {
		older = pool->older;
		pool->retry_us = 0;
		pool->failures = 0;
		pool_changed(pool, &deferred);
	}
	pools_unlock(p, &deferred);
}

/* ---- its place ---- */

/* Servers that are, or may soon be, of use to a waiter. */
unsigned
pool_live(const struct pool *pool)
{
	return pool->count - pool->servers[SERVER_CLOSING];
}

/* Where the counts put a pool. An idle connection is for any waiter; without one, a login or reset
 * under way will serve one waiter, so that many need no other. */
static enum pool_place
pool_place(const struct pool *pool)
{
	unsigned logins = pool->servers[SERVER_LOGIN];
	unsigned coming = logins + pool->servers[SERVER_RESETTING];

	if (pool->count == 0 && pool->waiting == 0)
		return POOL_EMPTY;
	if (pool->waiting == 0)
		return POOL_SATISFIED;
	if (pool->servers[SERVER_IDLE] == 0) {
		if (pool->waiting <= coming || logins >= pool_logins_max(pool))
			return POOL_SATISFIED;
		if (pool_in_backoff(pool))
			return POOL_BACKOFF;
		if (pool->waits_for_login)
			return POOL_WAITS_LOGIN;
		if (pool->held_back)
			return POOL_HELD_BACK;
	}
	return pool->waits_for_host ? POOL_WAITS_HOST : POOL_WAITS;
}

/* Behind the others of its new list, which keeps each list in order of arrival. */
static void
pool_place_set(struct pool *pool, enum pool_place place)
{
	struct pools *p = pool->pools;

	TAILQ_REMOVE(&p->places[pool->place], pool, link);
	p->place_counts[pool->place]--;
	pool->place = place;
	TAILQ_INSERT_TAIL(&p->places[place], pool, link);
	p->place_counts[place]++;
	if (place == POOL_EMPTY)
		pool->empty_since_us = clock_mono_us();
	if (place != POOL_WAITS_HOST)
		pool->waits_for_host = false;
	if (place != POOL_WAITS_LOGIN)
		pool->waits_for_login = false;
	if (place != POOL_HELD_BACK)
		pool->held_back = false;
}

/* What is closing for an heir is open still, and held by nobody: the ceiling is that much lower. */
static void
pool_ceiling_set(struct pool *pool, unsigned limit)
{
	unsigned ceiling = limit > pool->leaving ? limit - pool->leaving : 0;

	if (pool->holder.ceiling == ceiling)
		return;
	budget_set_ceiling(&pool->holder, ceiling);
	budget_set_ceiling(&pool->host_holder, ceiling);
}

/* Into the order, or to another place in it. */
static void
pool_order(struct budget_holder *h, bool waits, uint64_t serial)
{
	if (waits)
		budget_wait(h, serial, 1);
	else if (h->waits)
		budget_leave(h);
}

/* All that the pool has hangs, as far as can be seen: nobody of it was served for so long. */
bool
pool_turns_overdue(const struct pool *pool)
{
	uint64_t now = clock_mono_us();

	return pool->waiting > 0 && now - pool->served_us >= OVERDUE_US &&
	    now - TAILQ_FIRST(&pool->waiters)->queued_us >= OVERDUE_US;
}

/* Among pools that hold something, and as much as each other, those with an idle connection come
 * first: for the others one of theirs would be closed, and for these again one of somebody else.
 * But for one whose turn is overdue: its own connections may never come back. */
static uint64_t
pool_serial(const struct pool *pool, uint64_t serial)
{
	bool would_close = pool->holder.held > 0 && pool->servers[SERVER_IDLE] == 0;

	return would_close && !pool->is_overdue ? serial | AFTER_IDLE : serial;
}

/* What the pool would use if it could. */
static void
pool_want_set(struct pool *pool, unsigned limit)
{
	unsigned want = (unsigned)pool->holder.held + pool->waiting;

	if (want > limit)
		want = limit;
	pool->host->want = pool->host->want - pool->want + want;
	pool->want = want;
}

void
pool_place_update(struct pool *pool)
{
	unsigned limit = pool_own_limit(pool);
	enum pool_place place = pool_place(pool);

	if (place != pool->place)
		pool_place_set(pool, place);
	pool_ceiling_set(pool, limit);
	pool_want_set(pool, limit);
	pool->is_overdue = pool->waiting > 0 && pool_turns_overdue(pool);
	pool_order(&pool->holder, place == POOL_WAITS,
	    place == POOL_WAITS ? pool_serial(pool, TAILQ_FIRST(&pool->waiters)->serial) : 0);
	pool_order(&pool->host_holder, place == POOL_WAITS_HOST,
	    pool_serial(pool, pool->served_us));
	pool_login_order(pool, place == POOL_WAITS_LOGIN);
}

/* Nothing is to be kept of a pool that is empty, out of date, and not in back-off. */
static bool
pool_is_over(const struct pool *pool)
{
	return pool->place == POOL_EMPTY &&
	    (pool->retired || (pool->forgotten && !pool_in_backoff(pool)));
}

/* When a login has failed and no server is left, the waiters are given its reason at once rather
 * than a time-out later. While one server lives they wait for it, and the login is tried again. */
void
pool_changed(struct pool *pool, struct deferred *deferred)
{
	struct pools *p = pool->pools;
	struct waiter *w;
	struct err why;

	if (pool_live(pool) == 0 && pool_in_backoff(pool)) {
		pool_backoff_error(pool, &why);
		while ((w = TAILQ_FIRST(&pool->waiters)) != NULL)
			waiter_fail(w, &why, deferred);
	}
	pool_place_update(pool);
	pool_host_promote(pool->host);
	if (pool_is_over(pool))
		pool_free(pool);
	pools_pass(p, deferred);
}
