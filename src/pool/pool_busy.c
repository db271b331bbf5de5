/* SPDX-License-Identifier: MIT */
/*
 * pool_busy: how many short statements a shared server is given at once.
 *
 * Where many tenants' databases are on one Postgres, thirty statements at once are not answered
 * sooner than as many as it has processors, but each waits for all others there, in an order that
 * knows no tenants. So a shared host is *busy* while as many connections as its ceiling are young:
 * lent less than YOUNG_US ago. Who waits then waits here, in the host's order: of those that hold
 * least the one that was served longest ago, so that tenants take turns and a quiet one is next.
 * One that was not served for QUIET_US need not wait for that, up to twice the ceiling. As many
 * logins may be under way, and these are counted apart: a crowd of newcomers delays each other more
 * than those that are there.
 *
 * A statement that takes longer counts no more: it waits for a lock, or its tenant's data, more
 * than for a processor, and must not keep others out. Usually a young one comes back and lets the
 * next one in; when none does, a timer on worker 0 looks again.
 *
 * Under the lock, but for the task and the timer at the end.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pool/pool_internal.h"
#include "tenantgate/base/clock.h"

#define YOUNG_US 5000
#define QUIET_US 50000 /* served longer ago than this, a tenant is none of the crowd */
#define CROWD_US 1000000
#define LOGIN_US 50000 /* a login that takes longer waits for something else */

/* On this machine, whose processors are the server's too. */
static bool
target_is_local(const struct pg_target *target)
{
	const char *host = target->host;

	return host == NULL || *host == '\0' || *host == '/' || strcmp(host, "localhost") == 0 ||
	    strcmp(host, "::1") == 0 || strncmp(host, "127.", 4) == 0;
}

static unsigned
processors(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? (unsigned)n : 1;
}

unsigned
pool_host_young_max(const struct pools *p, const struct pg_target *target)
{
	if (p->conf.single_owner)
		return UINT_MAX;
	if (p->conf.max_host_statements != 0)
		return p->conf.max_host_statements;
	return target_is_local(target) ? processors() : UINT_MAX;
}

static void
server_age(struct server *s)
{
	struct pool_host *host = s->pool->host;

	TAILQ_REMOVE(&host->young, s, young_link);
	host->young_count--;
	s->young_since_us = 0;
}

void
server_is_young(struct server *s)
{
	struct pool_host *host = s->pool->host;

	if (host->young_max == UINT_MAX)
		return;
	s->young_since_us = clock_mono_us();
	TAILQ_INSERT_TAIL(&host->young, s, young_link);
	host->young_count++;
}

void
server_is_young_no_more(struct server *s)
{
	if (s->young_since_us != 0)
		server_age(s);
}

void
pool_host_count_use(struct pool *pool, uint64_t now)
{
	struct pool_host *host = pool->host;

	if (host->served != pool && host->served != NULL)
		host->crowd_us = now;
	host->served = pool;
}

bool
pool_host_is_busy(const struct pool *asker)
{
	struct pool_host *host = asker->host;
	uint64_t now;
	struct server *s;

	if (!host->is_shared || host->young_count < host->young_max)
		return false;
	now = clock_mono_us();
	while ((s = TAILQ_FIRST(&host->young)) != NULL && now - s->young_since_us >= YOUNG_US)
		server_age(s);
	if (now - host->crowd_us >= CROWD_US)
		return false;
	if (now - asker->served_us >= QUIET_US)
		return host->young_count / 2 >= host->young_max;
	return host->young_count >= host->young_max;
}

bool
pool_host_logs_in(const struct pool_host *host)
{
	return host->is_shared && host->servers[SERVER_LOGIN] >= host->young_max &&
	    clock_mono_us() - host->launched_us < LOGIN_US;
}

/* ---- whose login is next ---- */

static struct pool *
pool_of_login_item(const struct heap_item *item)
{
	return (struct pool *)(uintptr_t)((const char *)item - offsetof(struct pool, login_item));
}

/* Who has a connection already comes after those who have none. */
static bool
login_before(const struct heap_item *a, const struct heap_item *b)
{
	const struct pool *x = pool_of_login_item(a), *y = pool_of_login_item(b);

	return x->login_is_first != y->login_is_first ? x->login_is_first
						      : x->login_serial < y->login_serial;
}

void
pool_login_order_init(struct heap *logins)
{
	heap_init(logins, login_before);
}

/* What the order looks at is copied here: the pool's own may change before it is moved. */
void
pool_login_order(struct pool *pool, bool waits)
{
	struct heap *logins = &pool->host->logins;
	bool is_in = heap_holds(&pool->login_item);

	if (waits) {
		pool->login_is_first = pool_live(pool) == 0;
		pool->login_serial = TAILQ_FIRST(&pool->waiters)->serial;
	}
	if (waits && is_in)
		heap_update(logins, &pool->login_item);
	else if (waits)
		heap_add(logins, &pool->login_item);
	else if (is_in)
		heap_remove(logins, &pool->login_item);
}

void
pool_host_login_next(struct pool_host *host)
{
	const struct heap_item *item = heap_first(&host->logins);
	struct pool *pool;

	if (item == NULL || pool_host_logs_in(host))
		return;
	pool = pool_of_login_item(item);
	pool->waits_for_login = false;
	pool_place_update(pool);
}

/* ---- the timer; but for the first, not under the lock ---- */

/* Under the lock. True when somebody still waits for what only time may bring: a statement or a
 * login that lasts too long to count, or the end of a moment's patience (pool_victim.c). */
static bool
hosts_look_again(struct pools *p, struct deferred *deferred)
{
	struct pool_host *host;
	const struct pool *next;
	bool again = false;

	TAILQ_FOREACH(host, &p->hosts[true], link) {
		if (host->young_max == UINT_MAX)
			continue;
		pool_host_promote(host);
		pools_pass(p, deferred);
		next = pool_host_next(host);
		again |= next != NULL && pool_host_is_busy(next);
		again |= heap_first(&host->logins) != NULL;
	}
	pools_pass(p, deferred);
	return again || !TAILQ_EMPTY(&p->places[POOL_HELD_BACK]);
}

static void
busy_timer_rang(void *arg)
{
	struct pools *p = arg;
	struct deferred deferred;

	pools_lock(p, &deferred);
	p->busy_timer_runs = hosts_look_again(p, &deferred);
	if (p->busy_timer_runs)
		timer_start(&p->busy_timer, YOUNG_US);
	pools_unlock(p, &deferred);
}

/* Posted while worker 0 was attached; it may have been detached since. */
static void
busy_timer_start(void *arg)
{
	struct pools *p = arg;
	struct deferred deferred;

	pools_lock(p, &deferred);
	if (p->workers[0].worker != NULL)
		timer_start(&p->busy_timer, YOUNG_US);
	else
		p->busy_timer_runs = false;
	pools_unlock(p, &deferred);
}

struct worker *
busy_timer_claim(struct pools *p)
{
	struct worker *w = p->workers[0].worker;

	if (p->busy_timer_runs || w == NULL)
		return NULL;
	p->busy_timer_runs = true;
	return w;
}

void
busy_timer_post(struct pools *p, struct worker *w)
{
	worker_post(w, &p->busy_task, busy_timer_start, p);
}

void
busy_timer_open(struct pools *p, struct worker *w)
{
	if (!timer_init(&p->busy_timer, w, busy_timer_rang, p))
		abort();
}
