/* SPDX-License-Identifier: MIT */
/*
 * pool_refusal: what a borrower is told who gets no connection: which limit was in the way, so that
 * the operator knows which to raise, and when to come again: its place in the queue divided by what
 * was granted per second of the last ten.
 *
 * Under the lock.
 */
#include "pool/pool_internal.h"
#include "tenantgate/base/clock.h"

#define SECOND_US	1000000ull
#define RETRY_AFTER_MAX 60

/* ---- rates ---- */

/* Forgets the seconds that have passed without a count. */
static void
pool_rate_advance(struct pool_rate *r, uint64_t now_us)
{
	uint64_t now = now_us / SECOND_US;

	if (now - r->second >= POOL_RATE_S)
		*r = (struct pool_rate){ .second = now };
	while (r->second < now)
		r->counts[++r->second % POOL_RATE_S] = 0;
}

void
pool_rate_count(struct pool_rate *r, uint64_t now_us)
{
	pool_rate_advance(r, now_us);
	r->counts[r->second % POOL_RATE_S]++;
}

static int
retry_after_place(unsigned place, struct pool_rate *r)
{
	uint64_t granted = 0, s;
	unsigned i;

	pool_rate_advance(r, clock_mono_us());
	for (i = 0; i < POOL_RATE_S; i++)
		granted += r->counts[i];
	if (granted == 0)
		return RETRY_AFTER_MAX;
	s = ((uint64_t)place * POOL_RATE_S + granted - 1) / granted;
	if (s > RETRY_AFTER_MAX)
		return RETRY_AFTER_MAX;
	return s > 0 ? (int)s : 1;
}

/* ---- reasons ---- */

/* Rounded up, or a client would come back too early; the reason may ask for more. */
void
pool_backoff_error(const struct pool *pool, struct err *err)
{
	uint64_t now = clock_mono_us(), us = pool->retry_us > now ? pool->retry_us - now : 1;
	int s = (int)((us + SECOND_US - 1) / SECOND_US);

	*err = pool->failure;
	if (err->retry_after < s)
		err->retry_after = s;
}

/* The ceiling of the queue bounds the requests that a tenant's burst keeps in memory until they
 * time out. */
void
pool_refusal(struct pool *pool, struct err *err)
{
	const struct pools *p = pool->pools;

	if (pool_live(pool) == 0 && pool_in_backoff(pool)) {
		pool_backoff_error(pool, err);
	} else if (pool->waiting >= p->conf.max_waiting) {
		err_set(err, ERR_OVERLOADED,
		    "%u requests already wait for this database; try again later or raise "
		    "max_waiting.",
		    pool->waiting);
		err->retry_after = retry_after_place(pool->waiting, &pool->grants);
	}
}

/* What the pool itself is short of. False: it is not the pool. */
static bool
pool_shortage(struct pool *pool, double s, struct err *err)
{
	unsigned limit = pool_own_limit(pool);

	if (pool_live(pool) > 0 && pool_live(pool) == pool->servers[SERVER_LOGIN])
		err_set(err, ERR_POOL_TIMEOUT,
		    "No login to the database was completed within %.1f s; try again later or see "
		    "whether the database can be reached.",
		    s);
	else if (pool->holder.held >= limit && limit == pool_limit_value(&pool->learned))
		err_set(err, ERR_POOL_TIMEOUT,
		    "All %u connections that the role or database takes from here were in use for "
		    "%.1f s; try again later or raise its CONNECTION LIMIT.",
		    limit, s);
	else if (pool->holder.held >= limit && limit < pool->size)
		err_set(err, ERR_POOL_TIMEOUT,
		    "All %u connections that this database takes from here were in use for %.1f s; "
		    "try again later or raise its max_connections.",
		    limit, s);
	else if (pool->holder.held >= limit)
		err_set(err, ERR_POOL_TIMEOUT,
		    "All %u connections of this database were in use for %.1f s; try again later "
		    "or raise default_pool_size.",
		    limit, s);
	return err_is(err);
}

static void
shared_shortage(const struct pool *pool, double s, struct err *err)
{
	unsigned limit = pool_host_limit(pool->host);

	if (pool->place == POOL_WAITS_HOST && limit != UINT_MAX)
		err_set(err, ERR_POOL_TIMEOUT,
		    "The database's server takes %u connections from here, and none was free for "
		    "this database within %.1f s; try again later or raise its max_connections.",
		    limit, s);
	else if (pool->place == POOL_WAITS_HOST || pool->place == POOL_WAITS_LOGIN)
		err_set(err, ERR_POOL_TIMEOUT,
		    "The database's server was busy for %.1f s; try again later or raise "
		    "max_host_statements.",
		    s);
	else
		err_set(err, ERR_POOL_TIMEOUT,
		    "None of the %u connections to all databases was free for this one within "
		    "%.1f s; try again later or raise max_server_connections.",
		    pool->pools->conf.max_server_connections, s);
}

void
pool_timeout_error(struct waiter *w, struct err *err)
{
	struct pool *pool = w->pool;
	struct pools *p = pool->pools;
	double s = (double)(clock_mono_us() - w->since_us) / 1e6;

	if (pool->place == POOL_BACKOFF) {
		pool_backoff_error(pool, err);
	} else if (pool_shortage(pool, s, err)) {
		err->retry_after = retry_after_place(pool->waiting, &pool->grants);
	} else {
		shared_shortage(pool, s, err);
		err->retry_after = retry_after_place(p->waiting, &p->grants);
	}
}
