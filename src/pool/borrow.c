/* SPDX-License-Identifier: MIT */
/*
 * borrow: taking a connection from a pool and returning it. An idle one is taken at once: the last
 * used, as in PgBouncer, because it is the least likely to have died and because the others then
 * reach server_idle_timeout. It is checked before it is lent. Without an idle one the flow waits.
 *
 *	waiter:  [queued] --grant, failure--> [notified] --task--> flow woken, freed
 *	             \                             \ flow aborted
 *	              timeout, flow aborted:        +--> [left] --task--> server returned, freed
 *	              freed
 *
 * States are moved here: out of [queued] under the lock, by any worker; the rest on the waiter's
 * own. A waiter is freed on its own worker only, and never while its task is under way.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"

/* On the borrower's worker: from here on the server is the flow's until pool_return(). */
static void
lease_fill(struct pool_lease *lease, struct server *s)
{
	*lease = (struct pool_lease){
		.conn = s->conn,
		.pool = s->pool,
		.server = s,
		.reused = s->used,
	};
	s->used = true;
}

/* ---- the queue ---- */

/* Under the lock. The caller calls pool_changed(), for the pool may need one login less. */
static void
waiter_unqueue(struct waiter *w)
{
	struct pool *pool = w->pool;

	assert(w->state == WAITER_QUEUED && pool->waiting > 0);
	TAILQ_REMOVE(&pool->waiters, w, link);
	pool->waiting--;
	w->pools->waiting--;
	w->pools->wait_us_total += clock_mono_us() - w->since_us;
	w->pool = NULL;
}

/* Its task is posted after the lock; until it has run on the waiter's worker, nobody frees it. */
static void
waiter_notify(struct waiter *w, struct deferred *deferred)
{
	waiter_unqueue(w);
	w->state = WAITER_NOTIFIED;
	TAILQ_INSERT_TAIL(&deferred->notify, w, link);
}

/* The server is ACTIVE from now on, though its borrower does not know yet: nobody else can get it.
 */
void
waiter_grant(struct waiter *w, struct server *s, struct deferred *deferred)
{
	server_move(s, SERVER_ACTIVE);
	s->worker = w->worker;
	w->server = s;
	w->pools->borrowed_total++;
	waiter_notify(w, deferred);
}

void
waiter_fail(struct waiter *w, const struct err *err, struct deferred *deferred)
{
	w->err = *err;
	waiter_notify(w, deferred);
}

static void
waiter_free(struct waiter *w)
{
	timer_free(&w->timer);
	free(w);
}

/*
 * What becomes of a returned server. A clean one goes to the next borrower. A dirty one, or one
 * left in a transaction, is reset before: a borrower must never see another's settings or locks. A
 * reset needs a flow on this worker, so a worker that has detached closes the connection; so does a
 * retired pool, which would close it after the reset. A busy or broken one is of no use to anybody.
 */
static void
server_returned(struct server *s, enum pool_hygiene hygiene)
{
	struct pool *pool = s->pool;
	struct pools *p = pool->pools;
	enum pg_conn_state state = p->ops.state(s->conn);
	bool usable = state == PG_IDLE || state == PG_IN_TRANSACTION;
	bool clean = state == PG_IDLE && hygiene == POOL_CLEAN;
	struct deferred deferred;

	assert(s->state == SERVER_ACTIVE && worker_is_mine(s->worker));
	pools_lock(p, &deferred);
	if (usable && clean) {
		server_offer(s, &deferred);
	} else if (usable && !pool->retired &&
	    p->workers[worker_index(s->worker)].worker == s->worker) {
		server_move(s, SERVER_RESETTING);
		server_reset(s);
		pool_changed(pool, &deferred);
	} else {
		server_drop(s, &deferred);
		pool_changed(pool, &deferred);
	}
	pools_unlock(p, &deferred);
}

void
waiter_notified(void *arg)
{
	struct waiter *w = arg;

	if (w->state == WAITER_LEFT) {
		if (w->server != NULL)
			server_returned(w->server, POOL_CLEAN);
	} else if (w->server != NULL) {
		lease_fill(w->lease, w->server);
		flow_wake(w->flow);
	} else {
		flow_wake_err(w->flow, &w->err);
	}
	waiter_free(w);
}

/*
 * What a waiter has waited for in vain, so that the operator knows which limit to raise. A pool
 * without any server was given no slot of the process's budget; one whose servers are all logging
 * in waits for the database; else its own size is the limit. Under the lock, while still QUEUED.
 */
static void
wait_timeout_error(const struct waiter *w, struct err *err)
{
	const struct pool *pool = w->pool;
	double s = (double)w->pools->conf.query_wait_timeout_us / 1e6;

	if (pool->count == 0)
		err_set(err, ERR_POOL_TIMEOUT,
		    "All server connections have been in use for %.1f s; try again later or raise "
		    "max_server_connections.",
		    s);
	else if (pool->count == pool->servers[SERVER_LOGIN])
		err_set(err, ERR_POOL_TIMEOUT,
		    "No login to the database was completed within %.1f s; try again later or see "
		    "whether the database can be reached.",
		    s);
	else
		err_set(err, ERR_POOL_TIMEOUT,
		    "No connection to the database came free within %.1f s; try again later or "
		    "raise default_pool_size.",
		    s);
}

/* True when it was still queued: it is out of the queue and the caller's to free, and *why says
 * what it waited for. False: it is notified, and its task, which is on its way, will free it. */
static bool
waiter_leave(struct waiter *w, struct err *why)
{
	struct pools *p = w->pools;
	struct pool *pool;
	struct deferred deferred;
	bool queued;

	pools_lock(p, &deferred);
	queued = w->state == WAITER_QUEUED;
	if (queued) {
		wait_timeout_error(w, why);
		pool = w->pool;
		waiter_unqueue(w);
		pool_changed(pool, &deferred);
	}
	pools_unlock(p, &deferred);
	return queued;
}

/* The flow's cancel: it was aborted (deadline, departed client, shutdown) and must not be touched
 * any more. A server that was granted meanwhile is returned by the task. */
static void
waiter_cancelled(void *arg)
{
	struct waiter *w = arg;
	struct err unused = { .code = ERR_NONE };

	if (waiter_leave(w, &unused))
		waiter_free(w);
	else
		w->state = WAITER_LEFT;
}

/* query_wait_timeout. A grant that is on its way wins: the connection is there, so it is used. */
static void
waiter_timed_out(void *arg)
{
	struct waiter *w = arg;
	struct err err = { .code = ERR_NONE };

	if (!waiter_leave(w, &err))
		return;
	flow_wake_err(w->flow, &err);
	waiter_free(w);
}

/* Under the lock. The timer is added after it, on this same worker: borrow_wait(). */
static struct waiter *
waiter_queue(struct flow *f, struct pool *pool, struct pool_lease *lease)
{
	struct waiter *w = xcalloc(1, sizeof(*w));

	w->pools = pool->pools;
	w->pool = pool;
	w->flow = f;
	w->worker = f->worker;
	w->lease = lease;
	w->since_us = clock_mono_us();
	w->serial = pool->pools->serial++;
	TAILQ_INSERT_TAIL(&pool->waiters, w, link);
	pool->waiting++;
	pool->pools->waiting++;
	return w;
}

/* ---- borrowing ---- */

/* Why there is no point in waiting; err stays empty otherwise. Under the lock. The ceiling of the
 * queue bounds the requests that a tenant's burst keeps in memory until they time out. */
static void
pool_refusal(const struct pool *pool, struct err *err)
{
	const struct pools *p = pool->pools;

	if (pool_live(pool) == 0 && pool_in_backoff(pool))
		*err = pool->failure;
	else if (pool->waiting >= p->conf.max_waiting)
		err_set(err, ERR_OVERLOADED,
		    "%u requests already wait for this database; try again later or raise "
		    "max_waiting.",
		    pool->waiting);
}

/* The last used, or NULL. Under the lock; ACTIVE from now on, so that it can be checked after it.
 */
static struct server *
borrow_idle(struct pool *pool, struct worker *w)
{
	struct server *s = TAILQ_FIRST(&pool->idle);

	if (s == NULL)
		return NULL;
	server_move(s, SERVER_ACTIVE);
	s->worker = w;
	pool->pools->borrowed_total++;
	return s;
}

/* An idle server that turned out to be dead, or past its lifetime since the janitor's last round.
 * It was not lent after all, so the total goes back by one. */
static void
server_discard(struct pools *p, struct server *s)
{
	struct pool *pool = s->pool;
	struct deferred deferred;

	pools_lock(p, &deferred);
	p->borrowed_total--;
	server_drop(s, &deferred);
	pool_changed(pool, &deferred);
	pools_unlock(p, &deferred);
}

/* What a borrow comes to under the lock: exactly one of the three is set. */
struct decision {
	struct server *server; /* idle until now, still to be checked */
	struct waiter *waiter; /* queued */
	struct err err;	       /* no use in waiting */
};

/* The one critical section of a borrow. The pool is made when the target is new. */
static void
borrow_decide(struct flow *f, struct pools *p, const struct pool_target *target,
    struct pool_lease *lease, struct decision *decision)
{
	struct deferred deferred;
	struct pool *pool;

	memset(decision, 0, sizeof(*decision));
	pools_lock(p, &deferred);
	pool = pool_find(p, target, &deferred);
	decision->server = borrow_idle(pool, f->worker);
	if (decision->server == NULL) {
		pool_refusal(pool, &decision->err);
		if (!err_is(&decision->err))
			decision->waiter = waiter_queue(f, pool, lease);
		pool_changed(pool, &deferred);
	}
	pools_unlock(p, &deferred);
}

/* Another worker may have notified the waiter by now; but its task comes through this worker's
 * mailbox, and cannot run before this function has returned to the loop. */
static enum flow_rc
borrow_wait(struct flow *f, struct waiter *w)
{
	if (!timer_init(&w->timer, f->worker, waiter_timed_out, w))
		abort();
	timer_start(&w->timer, w->pools->conf.query_wait_timeout_us);
	return flow_wait(f, waiter_cancelled, w);
}

/* Checking a connection is a system call, hence outside the lock; a dead one is discarded and the
 * pool is asked anew. Each turn takes an idle server away, so the loop ends. */
enum flow_rc
pool_borrow(struct flow *f, struct pools *p, const struct pool_target *target,
    struct pool_lease *lease)
{
	struct decision decision;

	assert(lease->conn == NULL && target->key.len > 0);
	assert(worker_index(f->worker) < POOL_WORKERS_MAX);
	for (;;) {
		borrow_decide(f, p, target, lease, &decision);
		if (decision.waiter != NULL)
			return borrow_wait(f, decision.waiter);
		if (decision.server == NULL)
			return flow_fail_err(f, &decision.err);
		if (clock_mono_us() < decision.server->expires_us &&
		    p->ops.alive(decision.server->conn)) {
			lease_fill(lease, decision.server);
			return FLOW_NEXT;
		}
		server_discard(p, decision.server);
	}
}

/* The lease is emptied first: the server may be another worker's before server_returned() is back.
 */
void
pool_return(struct pool_lease *lease, enum pool_hygiene hygiene)
{
	struct server *s = lease->server;

	if (lease->conn == NULL)
		return;
	memset(lease, 0, sizeof(*lease));
	server_returned(s, hygiene);
}
