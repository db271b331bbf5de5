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

void
pools_condition(struct pools *p, struct condition *out)
{
	const struct pool_host *host;
	struct deferred deferred;

	pools_lock(p, &deferred);
	host = full_host(p);
	if (p->budget.held >= p->budget.capacity && p->place_counts[POOL_WAITS] > 0)
		condition_ill(out,
		    "All %llu server connections are in use, and requests of %u databases wait for "
		    "one; raise max_server_connections, or add a replica.",
		    (unsigned long long)p->budget.capacity, p->place_counts[POOL_WAITS]);
	if (host != NULL)
		condition_ill(out,
		    "The database server %s is full: %u of its connections are this process's "
		    "part, and more are waited for; raise its max_connections.",
		    host->key, pool_host_limit(host));
	pools_unlock(p, &deferred);
}
