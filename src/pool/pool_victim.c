/* SPDX-License-Identifier: MIT */
/*
 * pool_victim: which idle connection is closed so that another pool may log in.
 *
 * That of the pool with the fewest uses for each of its connections; uses fade within half a
 * minute. (Closing the least recently used is worse when demand is skewed, and taking from the
 * biggest pool is worse still.) From a pool that has one already, some are kept: the only
 * connections of pools that used them within server_idle_timeout, those of the latest use, as many
 * as half of the budget. So a busy tenant does not make a quiet one log in for each of its
 * requests, and a crowd of sleepers cannot keep the whole budget from a burst.
 *
 * A pool that has none may take any. But a *new* one, that was not here lately, waits for the
 * logins that are under way, whose connections will come free in a moment, rather than take the
 * only one of a *warm* pool, that comes again and again: a burst of newcomers, each with one
 * request, would else make all those log in anew, behind itself. No more than three quarters of the
 * budget are so guarded, and nobody is kept waiting for that by more than GUARD_US.
 *
 * Under the lock.
 */
#include <math.h>

#include "pool/pool_internal.h"
#include "tenantgate/base/clock.h"

#define FADE_US	     30e6 /* after that, 1/e of a use is left */
#define KEPT_DIVISOR 2	  /* of the budget */
#define GUARD_DIVISOR 4	  /* of the budget: is never guarded */
#define GUARD_US      250000
#define NEW_USES      0.5 /* fewer: was not here within the last 20 s */
#define WARM_USES    2.0  /* a tenant that comes every 40 s has them */
#define COMING_US    250000 /* a login that takes longer may never end */

static double
pool_uses(const struct pool *pool, uint64_t now)
{
	return pool->uses * exp(-(double)(now - pool->uses_us) / FADE_US);
}

void
pool_count_use(struct pool *pool)
{
	uint64_t now = clock_mono_us();

	pool->uses = pool_uses(pool, now) + 1;
	pool->uses_us = pool->served_us = now;
	pool_host_count_use(pool, now);
	pool_rate_count(&pool->grants, now);
	pool_rate_count(&pool->pools->grants, now);
	pool->pools->borrowed_total++;
}

/* The only connection of its pool, and not only left over. */
static bool
server_is_kept(const struct server *s, uint64_t now)
{
	uint64_t timeout_us = s->pool->pools->conf.server_idle_timeout_us;

	return pool_live(s->pool) == 1 && (timeout_us == 0 || now - s->idle_since_us < timeout_us);
}

/* How many connections are kept from this pool. */
static unsigned
kept_most(const struct pool *asker, bool same_host)
{
	unsigned capacity = asker->pools->conf.max_server_connections;
	unsigned limit = pool_host_limit(asker->host);

	if (pool_live(asker) == 0)
		return 0;
	if (same_host && limit < capacity)
		capacity = limit;
	return capacity / KEPT_DIVISOR;
}

/* From the latest used to the longest idle: which is also the one chosen among equals. */
struct server *
pool_victim(const struct pool *asker, bool same_host)
{
	const struct pools *p = asker->pools;
	unsigned kept = kept_most(asker, same_host);
	uint64_t now = clock_mono_us();
	struct server *s, *victim = NULL;
	double fewest = 0, uses;

	TAILQ_FOREACH_REVERSE(s, &p->idle, server_list, link) {
		if (same_host && s->pool->host != asker->host)
			continue;
		if (kept > 0 && server_is_kept(s, now)) {
			kept--;
			continue;
		}
		uses = pool_uses(s->pool, now) / pool_live(s->pool);
		if (victim == NULL || uses <= fewest) {
			victim = s;
			fewest = uses;
		}
	}
	return victim;
}

/* Somebody's login will soon be over, and its connection is not a warm pool's. */
static bool
login_is_coming(const struct pools *p, uint64_t now)
{
	return p->servers[SERVER_LOGIN] > 0 && now - p->launched_us < COMING_US;
}

static bool
pool_is_new(const struct pool *asker, uint64_t now)
{
	return pool_live(asker) == 0 && pool_uses(asker, now) < NEW_USES &&
	    now - TAILQ_FIRST(&asker->waiters)->queued_us < GUARD_US;
}

static bool
server_is_warm(const struct server *s, uint64_t now)
{
	return pool_live(s->pool) == 1 && pool_uses(s->pool, now) >= WARM_USES;
}

/* The victim has the fewest uses of all that are idle: if its pool is warm, all are. */
bool
pool_victim_is_guarded(const struct pool *asker, const struct server *victim, bool same_host)
{
	const struct pools *p = asker->pools;
	unsigned capacity = p->conf.max_server_connections, idle = p->servers[SERVER_IDLE];
	uint64_t now = clock_mono_us();

	if (!pool_is_new(asker, now) || !server_is_warm(victim, now) || !login_is_coming(p, now))
		return false;
	if (same_host) {
		capacity = pool_host_limit(asker->host);
		idle = asker->host->servers[SERVER_IDLE];
	}
	return idle <= capacity - capacity / GUARD_DIVISOR;
}
