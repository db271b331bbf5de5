/* SPDX-License-Identifier: MIT */
/*
 * pool_server: one server connection from its login to its close.
 *
 *	launch --> [login] --> [idle] <--> [active] --> [resetting] --> [idle]
 *	               |          |           |              |
 *	               +----------+-----------+--------------+--drop--> [closing] --> gone
 *
 * server_move() alone changes the state, under the lock. A login goes to the first waiter or to the
 * idle ones; so does a server that was returned or reset.
 *
 * A login and a reset are flows of their own, so that the borrower may leave without ending them.
 * They run on the worker of the waiter that caused the login, or of the borrower that returned the
 * server. What comes of them is decided in the flow's release function, the engine's last touch of
 * the flow: once the lock is free again, another worker may take the server or free it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/random.h"

#define RESET_TIMEOUT_US (5 * 1000000ull) /* a server that takes longer is closed instead */

static flow_step_fn pool_login_connect;
static flow_release_fn pool_login_release;

static const struct flow_step pool_login_steps[] = { { "connect", pool_login_connect },
	{ NULL, NULL } };

static const struct flow_kind pool_login_kind = { "pool_login", pool_login_steps, NULL,
	pool_login_release };

static flow_step_fn reset_run;
static flow_release_fn reset_release;

static const struct flow_step reset_steps[] = { { "reset", reset_run }, { NULL, NULL } };

static const struct flow_kind reset_kind = { "pool_reset", reset_steps, NULL, reset_release };

/* Keeps the counts and both idle lists in step with the state. Nothing leaves [closing] but by
 * server_gone(). */
void
server_move(struct server *s, enum server_state to)
{
	struct pool *pool = s->pool;
	struct pools *p = pool->pools;

	assert(s->state != SERVER_CLOSING);
	if (s->state == SERVER_IDLE) {
		TAILQ_REMOVE(&pool->idle, s, pool_link);
		TAILQ_REMOVE(&p->idle, s, link);
	}
	pool->servers[s->state]--;
	p->servers[s->state]--;
	s->state = to;
	pool->servers[to]++;
	p->servers[to]++;
	if (to == SERVER_IDLE) {
		s->idle_since_us = clock_mono_us();
		TAILQ_INSERT_HEAD(&pool->idle, s, pool_link);
		TAILQ_INSERT_TAIL(&p->idle, s, link);
	}
}

/* Takes a slot. The login runs on the worker of the pool's first waiter, but not for that waiter
 * alone: whoever is first in the queue when it is done gets the server. */
void
server_launch(struct pool *pool, struct deferred *deferred)
{
	struct pools *p = pool->pools;
	struct server *s = xcalloc(1, sizeof(*s));

	s->pool = pool;
	s->worker = TAILQ_FIRST(&pool->waiters)->worker;
	s->state = SERVER_LOGIN;
	pool->servers[SERVER_LOGIN]++;
	pool->count++;
	p->servers[SERVER_LOGIN]++;
	p->used++;
	TAILQ_INSERT_TAIL(&deferred->logins, s, link);
}

void
server_drop(struct server *s, struct deferred *deferred)
{
	server_move(s, SERVER_CLOSING);
	TAILQ_INSERT_TAIL(&deferred->closes, s, link);
}

/* Called with the lock when its connection has been closed. Only now is the slot free: counted out
 * earlier, the process could have more connections open than max_server_connections. */
void
server_gone(struct server *s, struct deferred *deferred)
{
	struct pool *pool = s->pool;
	struct pools *p = pool->pools;

	assert(s->state == SERVER_CLOSING && pool->count > 0 && p->used > 0);
	pool->servers[SERVER_CLOSING]--;
	pool->count--;
	p->servers[SERVER_CLOSING]--;
	p->used--;
	free(s);
	pool_changed(pool, deferred);
}

/* True when another pool has no server at all and its first waiter came before ours: then this slot
 * is that pool's. Such a pool exists only while the budget is used up. Servers that are closing
 * already make room for as many pools. */
static bool
server_is_needed_elsewhere(const struct server *s)
{
	const struct pools *p = s->pool->pools;
	const struct pool *wanting = TAILQ_FIRST(&p->places[POOL_WANTS_FIRST]);
	const struct waiter *ours = TAILQ_FIRST(&s->pool->waiters);

	if (wanting == NULL || p->servers[SERVER_CLOSING] >= p->place_counts[POOL_WANTS_FIRST])
		return false;
	return ours == NULL || TAILQ_FIRST(&wanting->waiters)->serial < ours->serial;
}

/* In a retired pool no server is lent twice, for its target is out of date; but one that has just
 * logged in is lent once, for the waiters of the old target are still served. */
static bool
server_is_expired(const struct server *s)
{
	return (s->pool->retired && s->used) || clock_mono_us() >= s->expires_us;
}

void
server_offer(struct server *s, struct deferred *deferred)
{
	struct pool *pool = s->pool;
	struct waiter *w = TAILQ_FIRST(&pool->waiters);

	if (server_is_expired(s) || server_is_needed_elsewhere(s) || (pool->retired && w == NULL))
		server_drop(s, deferred);
	else if (w != NULL)
		waiter_grant(w, s, deferred);
	else
		server_move(s, SERVER_IDLE);
	pool_changed(pool, deferred);
}

/* ---- login ---- */

/* The resolver of the server's worker; none when that has detached, and may have closed it. */
static struct dns *
server_dns(struct server *s, bool *attached)
{
	struct pools *p = s->pool->pools;
	struct deferred deferred;
	struct pool_worker pool_worker;

	pools_lock(p, &deferred);
	pool_worker = p->workers[worker_index(s->worker)];
	pools_unlock(p, &deferred);
	*attached = pool_worker.worker == s->worker;
	return pool_worker.dns;
}

static enum flow_rc
pool_login_connect(struct flow *f)
{
	struct server *s = FLOW_OF(f, struct server, &pool_login_kind);
	struct pools *p = s->pool->pools;
	bool attached;
	struct dns *dns = server_dns(s, &attached);

	if (!attached)
		return flow_fail(f, ERR_SHUTDOWN, "The worker is shutting down. Try again.");
	return p->ops.connect(f, dns, &s->pool->target, p->conf.server_connect_timeout_us, &s->conn,
	    &s->result);
}

/* server_lifetime from now, and by chance up to the jitter more: connections made together, at a
 * start or after an outage, must not all be made again in the same moment. */
static uint64_t
lifetime_end(const struct pool_conf *conf)
{
	uint64_t random;

	if (conf->server_lifetime_us == 0)
		return UINT64_MAX;
	bytes_random(&random, sizeof(random));
	return clock_mono_us() + conf->server_lifetime_us +
	    (conf->server_lifetime_jitter_us == 0 ? 0 : random % conf->server_lifetime_jitter_us);
}

/* For the operator; the waiters get the same reason without host and database. */
static void
pool_login_log(const struct server *s)
{
	const struct pg_target *t = &s->pool->target;
	char reason[LOGIN_REASON_SIZE];

	pool_login_reason(&s->result.failure, reason);
	log_event(LOG_WARNING, "pool.login_failed", NULL,
	    "Login to the database %s at %s:%u failed: %s. See whether the server runs, and "
	    "whether this role and its password are still valid.",
	    t->dbname, t->host, t->port, reason);
}

/* A login that was aborted (the worker is shutting down) says nothing about the database: it is
 * neither logged nor followed by a back-off. Log and random numbers come before the lock. */
static void
pool_login_release(struct flow *f)
{
	struct server *s = FLOW_OF(f, struct server, &pool_login_kind);
	struct pool *pool = s->pool;
	bool aborted = err_is(&f->err), good = !aborted && s->conn != NULL;
	uint64_t wait_us = aborted || good ? 0 : pool_login_wait(&pool->pools->conf);
	struct deferred deferred;

	if (!aborted && !good)
		pool_login_log(s);
	s->expires_us = lifetime_end(&pool->pools->conf);
	pools_lock(pool->pools, &deferred);
	if (good) {
		pool->retry_us = 0;
		pool->pools->created_total++;
		server_offer(s, &deferred);
	} else {
		if (!aborted)
			pool_login_failed(pool, &s->result, wait_us);
		server_drop(s, &deferred);
		pool_changed(pool, &deferred);
	}
	pools_unlock(pool->pools, &deferred);
}

void
server_login(void *arg)
{
	struct server *s = arg;

	flow_start(&s->flow, &pool_login_kind, s->worker, NULL);
}

/* ---- reset ---- */

/*
 * What DISCARD ALL does, statement by statement: DISCARD ALL itself may not run in a query string
 * with others (it refuses a transaction block), and the ROLLBACK must come first, all in one round
 * trip. DISCARD PLANS is left out: cached plans hold nothing of the last borrower's. In PgBouncer
 * this is server_reset_query.
 */
enum flow_rc
server_reset_session(struct flow *f, struct pg_conn *conn, struct pg_result *out)
{
	static const struct pg_query reset = {
		.sql = "ROLLBACK; CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; "
		       "DEALLOCATE ALL; UNLISTEN *; SELECT pg_catalog.pg_advisory_unlock_all(); "
		       "DISCARD TEMP; DISCARD SEQUENCES",
		.simple = true,
		.timeout_us = RESET_TIMEOUT_US,
	};

	return pg_run(f, conn, &reset, out);
}

static enum flow_rc
reset_run(struct flow *f)
{
	struct server *s = FLOW_OF(f, struct server, &reset_kind);

	return s->pool->pools->ops.reset(f, s->conn, &s->result);
}

/* A server that could not be reset is closed: nobody knows what its session holds. */
static void
reset_release(struct flow *f)
{
	struct server *s = FLOW_OF(f, struct server, &reset_kind);
	struct pool *pool = s->pool;
	struct pools *p = pool->pools;
	bool good =
	    !err_is(&f->err) && s->result.status == PG_OK && p->ops.state(s->conn) == PG_IDLE;
	struct deferred deferred;

	pg_clear(&s->result);
	pools_lock(p, &deferred);
	if (good) {
		server_offer(s, &deferred);
	} else {
		server_drop(s, &deferred);
		pool_changed(pool, &deferred);
	}
	pools_unlock(p, &deferred);
}

void
server_reset(struct server *s)
{
	flow_start(&s->flow, &reset_kind, s->worker, NULL);
}
