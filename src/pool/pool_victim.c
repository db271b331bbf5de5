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
 * Under the lock.
 */
#include <math.h>

#include "pool/pool_internal.h"
#include "tenantgate/base/clock.h"

#define FADE_US	     30e6 /* after that, 1/e of a use is left */
#define KEPT_DIVISOR 2	  /* of the budget */

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
	pool->uses_us = now;
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
