/* SPDX-License-Identifier: MIT */
/*
 * pools_condition: whether what all tenants share is used up. One tenant's full pool, or a server
 * of one tenant's own, is no condition of the process: the others notice nothing.
 */
#include "pool/pool_internal.h"

#define HOSTS_SEEN_MAX 256 /* pools that wait for a host are looked at: the lock is held */

/* A shared server that pools wait for; NULL: there is none. */
static const struct pool_host *
full_host(const struct pools *p)
{
	const struct pool *pool;
	unsigned seen = 0;

	TAILQ_FOREACH(pool, &p->places[POOL_WAITS_HOST], link) {
		if (pool->host->is_shared && !pool_host_has_room(pool->host))
			return pool->host;
		if (++seen == HOSTS_SEEN_MAX)
			break;
	}
	return NULL;
}

/* What the rule keeps for who holds nothing yet (base/budget.h) is no room for the others. */
static bool
budget_is_used_up(const struct budget *b)
{
	uint64_t kept = b->capacity / 10 > 0 ? b->capacity / 10 : 1;

	return b->held + (b->has_headroom ? kept : 0) >= b->capacity;
}

void
pools_condition(struct pools *p, struct condition *out)
{
	const struct pool_host *host;
	struct deferred deferred;

	pools_lock(p, &deferred);
	host = full_host(p);
	/* In the order is who waits and is not full by its own size. */
	if (budget_is_used_up(&p->budget) && p->budget.waiting.count > 0)
		condition_ill(out,
		    "%llu of %llu server connections are in use, and requests of %zu databases "
		    "wait for one; raise max_server_connections, or add a replica.",
		    (unsigned long long)p->budget.held, (unsigned long long)p->budget.capacity,
		    p->budget.waiting.count);
	if (host != NULL)
		condition_ill(out,
		    "The database server %s is full: %u of its connections are this process's "
		    "part, and more are waited for; raise its max_connections.",
		    host->key, pool_host_limit(host));
	pools_unlock(p, &deferred);
}
