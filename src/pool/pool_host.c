/* SPDX-License-Identifier: MIT */
/*
 * pool_host: the servers that pools connect to, by "host:port". A server that is full is a budget
 * of its own, with its own order of pools, beside the process's:
 *
 *	pool:  [waits, in the process's order] --its host is full--> [waits for the host]
 *	               ^                                                   |
 *	               +---- something came free there: the first one -----+
 *
 * So who waits for a full server holds up nobody who wants another. Without a limit a host admits
 * everybody. Functions here run under the lock, but for the three doors at the end, which take it.
 */
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool_internal.h"
#include "pool/pools_configure.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"

#define HOST_KEY_SIZE 320		/* a host name of 255 bytes at most; the port */
#define UNLIMITED     UINT32_MAX	/* as a capacity: its headroom is always there */
#define FIRST_DIVISOR 10		/* of what it takes for clients: before the first limit */
#define UNKNOWN_FIRST 2			/* the same while it has not said what it takes */
#define RECENT_US     (10 * 1000000ull) /* an idle connection used within that is wanted */
#define HOSTS_BATCH   32		/* shown in one hold of the lock */

static struct slice
pool_host_key(const struct pool_host *host)
{
	return slice_str(host->key);
}

static struct pool_host *
pool_host_new(struct pools *p, const char *key, struct slice first, const struct pg_target *target)
{
	struct pool_host *host = xcalloc(1, sizeof(*host));

	host->key = xstrdup(key);
	host->first_key = xmalloc(first.len);
	host->first_key_len = first.len;
	memcpy(host->first_key, first.p, first.len);
	host->leased = UINT_MAX;
	host->young_max = pool_host_young_max(p, target);
	TAILQ_INIT(&host->young);
	pool_login_order_init(&host->logins);
	budget_init(&host->budget, UNLIMITED, false);
	TAILQ_INSERT_TAIL(&p->hosts[false], host, link);
	if (!map_put(p->by_host, pool_host_key(host), host))
		abort();
	return host;
}

unsigned
pool_host_limit(const struct pool_host *host)
{
	unsigned learned = pool_limit_value(&host->learned);

	return learned < host->leased ? learned : host->leased;
}

static void
pool_host_resize(struct pool_host *host)
{
	unsigned limit = pool_host_limit(host);

	budget_resize(&host->budget, limit == UINT_MAX ? UNLIMITED : limit);
}

unsigned
pool_host_clients(const struct pool_host *host)
{
	unsigned max = host->max_connections;

	return max > POOL_HOST_RESERVED ? max - POOL_HOST_RESERVED : 0;
}

/* What a shared host gives us before anybody has said how much of it is ours: of one that is
 * divided among processes a tenth, else all that it takes for clients, once it has told that. */
static unsigned
pool_host_first(const struct pools *p, const struct pool_host *host)
{
	bool is_divided = p->wanted != NULL;
	unsigned clients = pool_host_clients(host), part;

	if (host->max_connections == 0)
		return is_divided ? UNKNOWN_FIRST : UINT_MAX;
	part = is_divided ? clients / FIRST_DIVISOR : clients;
	return part > 0 ? part : 1;
}

static void
pool_host_set_first(const struct pools *p, struct pool_host *host)
{
	if (!host->is_shared || host->is_told)
		return;
	host->leased = pool_host_first(p, host);
	pool_host_resize(host);
}

/* Two pools of one key are two targets of one tenant: they share nothing with anybody. */
static void
pool_host_share(struct pools *p, struct pool_host *host, struct slice key)
{
	bool is_first =
	    key.len == host->first_key_len && memcmp(key.p, host->first_key, key.len) == 0;

	if (host->is_shared || (is_first && !p->conf.hosts_are_shared))
		return;
	TAILQ_REMOVE(&p->hosts[false], host, link);
	host->is_shared = true;
	TAILQ_INSERT_TAIL(&p->hosts[true], host, link);
	host->budget.has_headroom = !p->conf.single_owner;
	pool_host_set_first(p, host);
}

/* Headroom is for others: a host that only one tenant has ever used (Neon's: each has its own) is
 * that one's, whole. */
struct pool_host *
pool_host_find(struct pools *p, const struct pool_target *pool_target)
{
	const struct pg_target *target = &pool_target->pg;
	char key[HOST_KEY_SIZE];
	struct pool_host *host;

	snprintf(key, sizeof(key), "%s:%u", target->host != NULL ? target->host : "",
	    (unsigned)target->port);
	host = map_get(p->by_host, slice_str(key));
	if (host == NULL)
		host = pool_host_new(p, key, pool_target->key, target);
	host->refs++;
	pool_host_share(p, host, pool_target->key);
	return host;
}

void
pool_host_release(struct pools *p, struct pool_host *host)
{
	assert(host->refs > 0);
	if (--host->refs > 0)
		return;
	assert(host->open == 0 && host->want == 0);
	map_take(p->by_host, pool_host_key(host));
	TAILQ_REMOVE(&p->hosts[host->is_shared], host, link);
	if (host->learned.limit != 0)
		TAILQ_REMOVE(&p->limited, host, limited_link);
	budget_free(&host->budget);
	heap_free(&host->logins);
	free(host->first_key);
	free(host->key);
	free(host);
}

bool
pool_host_has_room(const struct pool_host *host)
{
	return host->open < pool_host_limit(host);
}

unsigned
pool_host_in_use(const struct pool_host *host)
{
	return host->servers[SERVER_IDLE] + host->servers[SERVER_ACTIVE] +
	    host->servers[SERVER_RESETTING];
}

struct pool *
pool_host_next(const struct pool_host *host)
{
	struct budget_holder *h = budget_next(&host->budget);

	return h == NULL ? NULL
			 : (struct pool *)(void *)((char *)h - offsetof(struct pool, host_holder));
}

/* One at a time: what came free is for one, and pools_pass() asks again when it has been given. */
void
pool_host_promote(struct pool_host *host)
{
	struct pool *pool;

	pool_host_login_next(host);
	pool = pool_host_next(host);
	if (pool == NULL || (!pool_host_has_room(host) && host->servers[SERVER_IDLE] == 0) ||
	    pool_host_is_busy(pool))
		return;
	pool->waits_for_host = false;
	pool_place_update(pool);
}

void
pool_host_told(struct pools *p, struct pool_host *host, unsigned max, struct deferred *deferred)
{
	if (host->max_connections == max)
		return;
	host->max_connections = max;
	pool_host_set_first(p, host);
	deferred->host_wanted |= host->is_shared;
	pool_host_promote(host);
	pools_pass(p, deferred);
}

void
pool_host_refused(struct pools *p, struct pool_host *host)
{
	if (host->learned.limit == 0)
		TAILQ_INSERT_TAIL(&p->limited, host, limited_link);
	pool_limit_learn(&host->learned, pool_host_in_use(host));
	pool_host_resize(host);
}

void
pool_host_confirm(struct pool_host *host)
{
	pool_limit_confirm(&host->learned, pool_host_in_use(host) + 1);
	pool_host_resize(host);
}

/* The janitor's: limits that grow. Past the process's own budget they mean nothing. */
void
pools_hosts_rise(struct pools *p, struct deferred *deferred)
{
	struct pool_host *host, *next;

	for (host = TAILQ_FIRST(&p->limited); host != NULL; host = next) {
		next = TAILQ_NEXT(host, limited_link);
		pool_limit_rise(&host->learned, p->conf.max_server_connections);
		if (host->learned.limit == 0)
			TAILQ_REMOVE(&p->limited, host, limited_link);
		pool_host_resize(host);
		pool_host_promote(host);
	}
	pools_pass(p, deferred);
}

/* ---- the doors ---- */

/* The idle connections that were used a moment ago, which are likely to be used again: of all hosts
 * in one pass. The list has the longest idle first, so it is read from its end. */
static void
hosts_count_recent(struct pools *p, uint64_t round)
{
	uint64_t now = clock_mono_us();
	const struct server *s;

	TAILQ_FOREACH_REVERSE(s, &p->idle, server_list, link) {
		struct pool_host *host = s->pool->host;

		if (now - s->idle_since_us > RECENT_US)
			break;
		host->recent = host->recent_round == round ? host->recent + 1 : 1;
		host->recent_round = round;
	}
}

static void
pool_host_tell(const struct pool_host *host, struct pool_host_stats *out)
{
	unsigned recent = host->recent_round == host->round ? host->recent : 0;

	*out = (struct pool_host_stats){
		.key = slice_str(xstrdup(host->key)),
		.max_connections = host->max_connections,
		.used = host->open,
		.want = host->want + recent,
		.limit = pool_host_limit(host),
		.part = host->leased,
		.is_shared = host->is_shared,
		.is_told = host->is_told,
	};
}

/* Takes hosts from the list's head that were not shown in this round, and puts them at its end. */
static unsigned
hosts_batch(struct pools *p, bool is_shared, uint64_t round,
    struct pool_host_stats out[HOSTS_BATCH])
{
	struct pool_host_list *hosts = &p->hosts[is_shared];
	struct pool_host *host;
	struct deferred deferred;
	unsigned n = 0;

	pools_lock(p, &deferred);
	while (n < HOSTS_BATCH && (host = TAILQ_FIRST(hosts)) != NULL && host->round < round) {
		host->round = round;
		TAILQ_REMOVE(hosts, host, link);
		TAILQ_INSERT_TAIL(hosts, host, link);
		pool_host_tell(host, &out[n++]);
	}
	pools_unlock(p, &deferred);
	return n;
}

static uint64_t
hosts_round_begin(struct pools *p)
{
	struct deferred deferred;
	uint64_t round;

	pools_lock(p, &deferred);
	round = ++p->hosts_round;
	hosts_count_recent(p, round);
	pools_unlock(p, &deferred);
	return round;
}

/* In batches, so that thousands of hosts do not keep the lock for long. */
void
pools_hosts(struct pools *p, bool is_shared, pool_host_fn *fn, void *arg)
{
	struct pool_host_stats stats[HOSTS_BATCH];
	uint64_t round = hosts_round_begin(p);
	unsigned n, i;

	while ((n = hosts_batch(p, is_shared, round, stats)) > 0)
		for (i = 0; i < n; i++) {
			fn(&stats[i], arg);
			free((char *)(uintptr_t)stats[i].key.p);
		}
}

/* Idle ones above the limit, the longest idle first. Their slots come free one by one; what is lent
 * is closed when it comes back (server_offer). */
static void
host_close_surplus(struct pools *p, struct pool_host *host, struct deferred *deferred)
{
	struct server *s, *next;

	for (s = TAILQ_FIRST(&p->idle); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (pool_host_in_use(host) <= host->leased)
			return;
		if (s->pool->host == host)
			server_drop(s, deferred);
	}
}

void
pools_host_limit(struct pools *p, struct slice host_key, unsigned limit)
{
	struct deferred deferred;
	struct pool_host *host;

	pools_lock(p, &deferred);
	host = map_get(p->by_host, host_key);
	if (host != NULL && (host->leased != limit || !host->is_told)) {
		host->is_told = true;
		host->leased = limit;
		pool_host_resize(host);
		host_close_surplus(p, host, &deferred);
		pool_host_promote(host);
		pools_pass(p, &deferred);
	}
	pools_unlock(p, &deferred);
}

void
pools_divide(struct pools *p, pools_wanted_fn *wanted, void *arg)
{
	p->wanted = wanted;
	p->wanted_arg = arg;
}

/* Sizes follow at once: pool_place_update() computes them. Who waits for a host may have been kept
 * from it by its own size. */
void
pools_resize(struct pools *p, struct deferred *deferred)
{
	struct pool *pool, *next;
	struct pool_host *host;
	unsigned i;

	for (i = 0; i < POOL_PLACES; i++)
		for (pool = TAILQ_FIRST(&p->places[i]); pool != NULL; pool = next) {
			next = TAILQ_NEXT(pool, link);
			pool_place_update(pool);
		}
	for (i = 0; i < 2; i++)
		TAILQ_FOREACH(host, &p->hosts[i], link)
			pool_host_promote(host);
	pools_pass(p, deferred);
}

void
pools_replicas(struct pools *p, unsigned live)
{
	unsigned before;
	struct deferred deferred;

	pools_lock(p, &deferred);
	before = p->replicas;
	p->replicas = live > 0 ? live : 1;
	if (p->replicas != before)
		pools_resize(p, &deferred);
	pools_unlock(p, &deferred);
}
