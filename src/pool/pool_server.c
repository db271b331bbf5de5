/* SPDX-License-Identifier: MIT */
/*
 * server: one connection's life.
 *
 *	launch --> [login] --> [idle] <--> [lent] --> [resetting] --> [idle]
 *	               |          |           |            |
 *	               +----------+-----------+------------+--drop--> [closing] --> gone
 *
 * A login and a reset are flows of their own, on the worker of whoever made them needed; what
 * comes of them is decided in the flow's release, its last moment, for from then on another worker
 * may take the server.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/random.h"

#define RESET_TIMEOUT_US (5 * 1000000ull)

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

/* On the worker of the one who has waited longest. */
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

/* Its slot is free when it has been closed. The caller calls pool_changed(). */
void
server_drop(struct server *s, struct deferred *deferred)
{
	server_move(s, SERVER_CLOSING);
	TAILQ_INSERT_TAIL(&deferred->closes, s, link);
}

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

/* With the budget out, a pool that has none and has waited longer than anybody here. */
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

static bool
server_is_expired(const struct server *s)
{
	return (s->pool->retired && s->used) || clock_mono_us() >= s->expires_us;
}

/* A good server without a borrower: to the first who waits, or idle. */
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
		return flow_fail(f, ERR_SHUTDOWN, "the worker leaves");
	return p->ops.connect(f, dns, &s->pool->target, p->conf.server_connect_timeout_us, &s->conn,
	    &s->result);
}

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

static void
pool_login_log(const struct server *s)
{
	const struct pg_target *t = &s->pool->target;

	log_event(LOG_WARNING, "pool.login_failed", NULL, "%s at %s:%u: %s %s", t->dbname, t->host,
	    t->port, s->result.failure.sqlstate, s->result.failure.message);
}

/* A login cut short (err) says nothing about the database. */
static void
pool_login_release(struct flow *f)
{
	struct server *s = FLOW_OF(f, struct server, &pool_login_kind);
	struct pool *pool = s->pool;
	bool cut = err_is(&f->err), good = !cut && s->conn != NULL;
	uint64_t wait_us = cut || good ? 0 : pool_login_wait(&pool->pools->conf);
	struct deferred deferred;

	if (!cut && !good)
		pool_login_log(s);
	s->expires_us = lifetime_end(&pool->pools->conf);
	pools_lock(pool->pools, &deferred);
	if (good) {
		pool->retry_us = 0;
		pool->pools->created_total++;
		server_offer(s, &deferred);
	} else {
		if (!cut)
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

/* One simple query: DISCARD ALL may not be in one with others. Cached plans stay. */
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
