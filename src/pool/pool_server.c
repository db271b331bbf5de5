/* SPDX-License-Identifier: MIT */
/*
 * pool_server: one server connection from its launch to its close.
 *
 *	launch --> [login] --> [idle] <--> [active] --> [resetting] --> [idle]
 *	  ^            |          |           |              |
 *	  |            +----------+-----------+--------------+--drop--> [closing] --> gone
 *	  |                       |                                                     |
 *	  +---- with its slot ----+--- the victim of a launch ------> [closing] --> gone +
 *
 * server_move() alone changes the state, under the lock. What becomes of a server that has logged
 * in, was returned or was reset is server_offer()'s to say. An idle server that is closed for
 * another's login hands its slot on: nobody else can take it in between, and the login starts when
 * the connection has been closed, so that there is never one too many.
 *
 * A login (server_login.c) and a reset are flows of their own, so that the borrower may leave
 * without ending them. They run on the worker of the waiter that caused the login, or of the
 * borrower that returned the server. What comes of them is decided in the flow's release function,
 * the engine's last touch of the flow: once the lock is free again, another worker may take the
 * server or free it.
 */
#include <assert.h>
#include <stdlib.h>

#include "pool/pool_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"

#define RESET_TIMEOUT_US (5 * 1000000ull) /* a server that takes longer is closed instead */

static flow_step_fn reset_run;
static flow_release_fn reset_release;

static const struct flow_step reset_steps[] = { { "reset", reset_run }, { NULL, NULL } };

static const struct flow_kind reset_kind = { "pool_reset", reset_steps, NULL, reset_release };

/* Whether it counts as held in the budgets. An idle one does not, and one whose slot an heir gets
 * does not: the heir does. */
static bool
server_is_held(const struct server *s)
{
	return s->state != SERVER_IDLE && s->heir == NULL;
}

static void
server_enter(struct server *s, enum server_state state)
{
	struct pool *pool = s->pool;

	s->state = state;
	pool->servers[state]++;
	pool->host->servers[state]++;
	pool->pools->servers[state]++;
	if (state == SERVER_ACTIVE)
		server_is_young(s);
	if (!server_is_held(s))
		return;
	budget_take(&pool->holder, 1);
	budget_take(&pool->host_holder, 1);
}

static void
server_exit(struct server *s)
{
	struct pool *pool = s->pool;

	pool->servers[s->state]--;
	pool->host->servers[s->state]--;
	pool->pools->servers[s->state]--;
	server_is_young_no_more(s);
	pool->aside -= s->is_aside;
	s->is_aside = false;
	if (!server_is_held(s))
		return;
	budget_give(&pool->holder, 1);
	budget_give(&pool->host_holder, 1);
}

/* Keeps the counts, both budgets, both idle lists and the pool's place in step with the state.
 * Nothing leaves [closing] but by server_gone(). */
void
server_move(struct server *s, enum server_state to)
{
	struct pool *pool = s->pool;
	struct pools *p = pool->pools;

	assert(s->state != SERVER_CLOSING);
	if (s->state == SERVER_IDLE) {
		s->is_suspect = p->ops.probe != NULL && s->idle_since_us <= pool->suspect_us;
		TAILQ_REMOVE(&pool->idle, s, pool_link);
		TAILQ_REMOVE(&p->idle, s, link);
	}
	if (to == SERVER_RESETTING) /* a round trip, which proves it */
		s->is_suspect = false;
	server_exit(s);
	server_enter(s, to);
	if (to == SERVER_IDLE) {
		s->idle_since_us = clock_mono_us();
		TAILQ_INSERT_HEAD(&pool->idle, s, pool_link);
		TAILQ_INSERT_TAIL(&p->idle, s, link);
	}
	pool_place_update(pool);
}

/* The victim is out of its budgets before its state changes, for it is held no more; its host's
 * slot goes with it, unless the heir is at another host, which counts the heir from now on. */
static void
victim_close(struct server *victim, struct server *heir, struct deferred *deferred)
{
	assert(victim->state == SERVER_IDLE);
	victim->pool->leaving++;
	if (victim->pool->host != heir->pool->host)
		heir->pool->host->open++;
	server_exit(victim);
	TAILQ_REMOVE(&victim->pool->idle, victim, pool_link);
	TAILQ_REMOVE(&victim->pool->pools->idle, victim, link);
	victim->heir = heir;
	server_enter(victim, SERVER_CLOSING);
	TAILQ_INSERT_TAIL(&deferred->closes, victim, link);
	pool_place_update(victim->pool);
}

/* The login runs on the worker of the pool's first waiter, but not for that waiter alone: whoever
 * is first in the queue when it is done gets the server. */
void
server_launch(struct pool *pool, struct server *victim, struct deferred *deferred)
{
	struct server *s = xcalloc(1, sizeof(*s));

	s->pool = pool;
	s->worker = TAILQ_FIRST(&pool->waiters)->worker;
	s->generation = pool->generation;
	s->failures = pool->failures;
	pool->host->launched_us = pool->pools->launched_us = clock_mono_us();
	s->is_known = pool->has_worked;
	s->is_paced = pool->is_paced;
	s->connect_timeout_us = pool->pools->conf.server_connect_timeout_us;
	server_enter(s, SERVER_LOGIN);
	pool->count++;
	if (victim != NULL) {
		victim_close(victim, s, deferred);
	} else {
		pool->pools->open++;
		pool->host->open++;
		TAILQ_INSERT_TAIL(&deferred->logins, s, link);
	}
	pool_place_update(pool);
}

void
server_drop(struct server *s, struct deferred *deferred)
{
	server_move(s, SERVER_CLOSING);
	TAILQ_INSERT_TAIL(&deferred->closes, s, link);
}

void
server_discard(struct server *s, struct deferred *deferred)
{
	server_drop(s, deferred);
	pool_changed(s->pool, deferred);
}

/* The slot of a closed server: free, or its heir's, whose login may start. */
static void
server_slot_pass(struct server *s, struct deferred *deferred)
{
	struct pool_host *host = s->pool->host;

	if (s->heir == NULL) {
		assert(s->pool->pools->open > 0 && host->open > 0);
		s->pool->pools->open--;
		host->open--;
		return;
	}
	s->pool->leaving--;
	if (s->heir->pool->host != host)
		host->open--;
	TAILQ_INSERT_TAIL(&deferred->logins, s->heir, link);
}

/* Called with the lock when its connection has been closed. Only now is the slot free: counted out
 * earlier, the process could have more connections open than max_server_connections. */
void
server_gone(struct server *s, struct deferred *deferred)
{
	struct pool *pool = s->pool;

	assert(s->state == SERVER_CLOSING && pool->count > 0);
	server_exit(s);
	server_slot_pass(s, deferred);
	pool->count--;
	free(s);
	pool_changed(pool, deferred);
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

	pg_forget(conn);
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
	struct pools *p = s->pool->pools;
	bool good =
	    !err_is(&f->err) && s->result.status == PG_OK && p->ops.state(s->conn) == PG_IDLE;
	struct deferred deferred;

	pg_clear(&s->result);
	pools_lock(p, &deferred);
	if (good)
		server_offer(s, &deferred);
	else
		server_discard(s, &deferred);
	pools_unlock(p, &deferred);
}

void
server_reset(struct server *s)
{
	flow_start(&s->flow, &reset_kind, s->worker, NULL);
}
