/* SPDX-License-Identifier: MIT */
/*
 * pool_rule: who gets what comes free. base/budget.h has the rule and the order; this file has what
 * is particular to connections: an idle one is lent, or a free slot is logged in with, or an idle
 * one of another pool is closed for it.
 *
 *	pools_pass():	while the first in the order is admitted, by the process and by its host:
 *			lend it an idle one of its own, else log in, else close a victim and log
 *			in; when none of these can be, nobody behind it can do better.
 *	server_offer():	a young connection goes to its own pool's waiters; an older one becomes
 *			idle, and the order decides.
 *
 * The quantum of a young connection is what makes more tenants than connections bearable: a login
 * for each request would be all that the databases do. It is bounded, or the others would wait too
 * long.
 *
 * Under the lock.
 */
#include <assert.h>
#include <stddef.h>

#include "pool/pool_internal.h"
#include "tenantgate/base/clock.h"

#define QUANTUM_LOGINS 4 /* times as long as the login took */
#define QUANTUM_MAX_US 250000
#define WAIT_DIVISOR   4 /* of query_wait_timeout, for one round of all who wait */

/* What the configuration and the server's size allow; what is lent for long is beside it. */
static unsigned
pool_size(const struct pool *pool)
{
	unsigned part;

	if (pool->host->max_connections == 0)
		return pool->size + pool->aside;
	part = pool_host_clients(pool->host) / pool->pools->replicas;
	if (part == 0)
		part = 1;
	return (part < pool->size ? part : pool->size) + pool->aside;
}

/* The role's or the database's own limit comes from a refusal. */
unsigned
pool_own_limit(struct pool *pool)
{
	unsigned size = pool_size(pool), learned;

	pool_limit_rise(&pool->learned, size);
	learned = pool_limit_value(&pool->learned);
	return learned < size ? learned : size;
}

/* ---- who is next ---- */

static void
pool_wait_for_host(struct pool *pool, struct deferred *deferred)
{
	deferred->host_wanted |= pool->host->is_shared;
	pool->waits_for_host = true;
	pool_place_update(pool);
}

/* Until a young server there comes back, or is young no more. */
static void
pool_wait_for_turn(struct pool *pool, struct deferred *deferred)
{
	deferred->host_busy = true;
	pool->waits_for_host = true;
	pool_place_update(pool);
}

/* The same for a login. It is out of the order, so that those behind it who have a connection of
 * their own are not kept from it. */
static void
pool_wait_for_login(struct pool *pool, struct deferred *deferred)
{
	deferred->host_busy = true;
	pool->waits_for_login = true;
	pool_place_update(pool);
}

/* Out of the order until the next event, or a moment later. The list is in order of arrival: who
 * comes onto it again was its first. */
static void
pool_hold_back(struct pool *pool, struct deferred *deferred)
{
	struct pool_list *list = &pool->pools->places[POOL_HELD_BACK];
	const struct pool *first;

	deferred->host_busy = true;
	pool->held_back = true;
	pool_place_update(pool);
	assert(pool->place == POOL_HELD_BACK);
	first = TAILQ_FIRST(list);
	if (TAILQ_FIRST(&first->waiters)->serial < TAILQ_FIRST(&pool->waiters)->serial)
		return;
	TAILQ_REMOVE(list, pool, link);
	TAILQ_INSERT_HEAD(list, pool, link);
}

/* One at a time, as for a host. */
static void
pools_bring_back(struct pools *p)
{
	struct pool *pool = TAILQ_FIRST(&p->places[POOL_HELD_BACK]);

	if (pool == NULL)
		return;
	pool->held_back = false;
	pool_place_update(pool);
}

/* The victim's pool would be served with it as soon as the same host has its turn for it, and holds
 * no more than this one, which holds something: to close it would make nothing fairer. So that pool
 * is before this one in the host's order, or the host would name this one again, without end. */
static bool
victim_is_wanted(const struct pool *pool, const struct server *victim)
{
	const struct pool *other = victim->pool;
	const struct budget_holder *h = &other->holder, *asker = &pool->holder;

	return !pool->is_overdue && other->place == POOL_WAITS_HOST && other->host == pool->host &&
	    asker->held > 0 && h->held < h->ceiling &&
	    h->held * asker->weight <= asker->held * h->weight;
}

/* A login with a free slot or a victim's; or the pool waits for it. False: there is no slot. */
static bool
pool_login(struct pool *pool, bool host_has_room, struct deferred *deferred)
{
	struct pools *p = pool->pools;
	struct server *victim = NULL;

	if (pool_host_logs_in(pool->host)) {
		pool_wait_for_login(pool, deferred);
		return true;
	}
	if (!host_has_room || p->open >= p->conf.max_server_connections) {
		victim = pool_victim(pool, !host_has_room);
		if (victim == NULL)
			return false;
		if (victim_is_wanted(pool, victim)) {
			pool_wait_for_turn(pool, deferred);
			return true;
		}
		if (pool_victim_is_guarded(pool, victim, !host_has_room)) {
			pool_hold_back(pool, deferred);
			return true;
		}
	}
	server_launch(pool, victim, deferred);
	pools_bring_back(p);
	return true;
}

/* Serves one waiter of the first in the order, or puts it aside when its host is full. False: it
 * can be given nothing, nor can anybody behind it. */
static bool
pool_serve(struct pool *pool, struct deferred *deferred)
{
	struct server *s = TAILQ_FIRST(&pool->idle);
	bool host_has_room = pool_host_has_room(pool->host);

	if (pool_host_is_busy(pool)) {
		pool_wait_for_turn(pool, deferred);
		return true;
	}
	if (!budget_admits(&pool->host_holder, 1)) {
		pool_wait_for_host(pool, deferred);
		return true;
	}
	if (s != NULL) {
		waiter_grant(TAILQ_FIRST(&pool->waiters), s, deferred);
	} else if (!pool_login(pool, host_has_room, deferred)) {
		if (host_has_room)
			return false;
		pool_wait_for_host(pool, deferred);
		return true;
	}
	pool_host_promote(pool->host);
	return true;
}

static struct pool *
pool_of_holder(struct budget_holder *h)
{
	return (struct pool *)(void *)((char *)h - offsetof(struct pool, holder));
}

/* Ends: each round lends, logs in, or puts a pool aside, which only a loan or login brings back. */
void
pools_pass(struct pools *p, struct deferred *deferred)
{
	struct budget_holder *h;
	bool can = true;

	pools_bring_back(p);
	while (can && (h = budget_next(&p->budget)) != NULL)
		can = pool_serve(pool_of_holder(h), deferred);
}

/* ---- what came back ---- */

static uint64_t
quantum_us(const struct server *s)
{
	const struct pools *p = s->pool->pools;
	uint64_t us = QUANTUM_LOGINS * s->login_us;
	uint64_t round_us = p->conf.query_wait_timeout_us / WAIT_DIVISOR *
	    p->conf.max_server_connections / (p->pools_waiting > 0 ? p->pools_waiting : 1);

	if (us > QUANTUM_MAX_US)
		us = QUANTUM_MAX_US;
	return us < round_us ? us : round_us;
}

static bool
server_has_quantum(const struct server *s)
{
	return clock_mono_us() - s->logged_in_us < quantum_us(s);
}

/* More connections than the pool or the host may have by now. What was learned from refusals does
 * not count: a connection that is there was not refused. */
static bool
server_is_surplus(const struct server *s)
{
	const struct pool *pool = s->pool;
	unsigned logins = pool->servers[SERVER_LOGIN] - (s->state == SERVER_LOGIN);
	unsigned in_host = pool_host_in_use(pool->host) + (s->state == SERVER_LOGIN);

	return pool_live(pool) - logins > pool_size(pool) || in_host > pool->host->leased;
}

/* In a pool that is out of date no server is lent twice; but one that has just logged in is lent
 * once, for the waiters that named this target are still served. */
bool
server_is_expired(const struct server *s)
{
	bool old = s->pool->retired || s->generation != s->pool->generation;

	return (old && (s->used || s->pool->waiting == 0)) || clock_mono_us() >= s->expires_us;
}

void
server_offer(struct server *s, struct deferred *deferred)
{
	struct pool *pool = s->pool;
	struct waiter *w = TAILQ_FIRST(&pool->waiters);

	pool->aside -= s->is_aside; /* also where it goes straight to the next */
	s->is_aside = false;
	if (server_is_expired(s) || server_is_surplus(s))
		server_drop(s, deferred);
	else if (w != NULL && server_has_quantum(s))
		waiter_grant(w, s, deferred);
	else
		server_move(s, SERVER_IDLE);
	pool_changed(pool, deferred);
}
