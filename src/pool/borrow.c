/* SPDX-License-Identifier: MIT */
/*
 * borrow: over the counter. An idle connection is taken at once (the latest used, for it is the
 * least likely to have died; it is looked at first); else the flow waits its turn.
 *
 *	waiter:  [queued] --grant, failure--> [told] --task--> flow woken, freed
 *	             \                           \ flow aborted
 *	              late or aborted: freed      +--> [left] --task--> server goes back, freed
 *
 * A waiter is freed on its own worker only, never while its task is under way.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"

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

static void
waiter_notify(struct waiter *w, struct deferred *deferred)
{
	waiter_unqueue(w);
	w->state = WAITER_NOTIFIED;
	TAILQ_INSERT_TAIL(&deferred->notify, w, link);
}

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

/* What a waiter that leaves too late was waiting for. */
static void
wait_explain(const struct waiter *w, struct err *err)
{
	const struct pool *pool = w->pool;
	double s = (double)w->pools->conf.query_wait_timeout_us / 1e6;

	if (pool->count == 0)
		err_set(err, ERR_POOL_TIMEOUT, "all server connections are taken since %.1f s", s);
	else if (pool->count == pool->servers[SERVER_LOGIN])
		err_set(err, ERR_POOL_TIMEOUT, "no login was completed within %.1f s", s);
	else
		err_set(err, ERR_POOL_TIMEOUT, "no connection came free within %.1f s", s);
}

/* True when it stood in the queue and is ours now; else its task is on its way. */
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
		wait_explain(w, why);
		pool = w->pool;
		waiter_unqueue(w);
		pool_changed(pool, &deferred);
	}
	pools_unlock(p, &deferred);
	return queued;
}

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

/* ---- the counter ---- */

/* Why there is no point in waiting; err stays empty otherwise. */
static void
pool_refusal(const struct pool *pool, struct err *err)
{
	const struct pools *p = pool->pools;

	if (pool_live(pool) == 0 && pool_in_backoff(pool))
		*err = pool->failure;
	else if (pool->waiting >= p->conf.max_waiting)
		err_set(err, ERR_OVERLOADED, "%u requests wait for this database", pool->waiting);
}

static struct server *
idle_take(struct pool *pool, struct worker *w)
{
	struct server *s = TAILQ_FIRST(&pool->idle);

	if (s == NULL)
		return NULL;
	server_move(s, SERVER_ACTIVE);
	s->worker = w;
	pool->pools->borrowed_total++;
	return s;
}

/* Dead, or past its time while nobody looked. */
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

/* What came of asking: an idle server, or a place in the queue, or an error. */
struct decision {
	struct server	*server;
	struct waiter	*waiter;
	struct err	 err;
};

static void
borrow_decide(struct flow *f, struct pools *p, const struct pool_target *target,
    struct pool_lease *lease, struct decision *decision)
{
	struct deferred deferred;
	struct pool *pool;

	memset(decision, 0, sizeof(*decision));
	pools_lock(p, &deferred);
	pool = pool_find(p, target, &deferred);
	decision->server = idle_take(pool, f->worker);
	if (decision->server == NULL) {
		pool_refusal(pool, &decision->err);
		if (!err_is(&decision->err))
			decision->waiter = waiter_queue(f, pool, lease);
		pool_changed(pool, &deferred);
	}
	pools_unlock(p, &deferred);
}

/* The waiter may have been told by now, but its task comes to this thread, later. */
static enum flow_rc
borrow_wait(struct flow *f, struct waiter *w)
{
	if (!timer_init(&w->timer, f->worker, waiter_timed_out, w))
		abort();
	timer_start(&w->timer, w->pools->conf.query_wait_timeout_us);
	return flow_wait(f, waiter_cancelled, w);
}

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

void
pool_return(struct pool_lease *lease, enum pool_hygiene hygiene)
{
	struct server *s = lease->server;

	if (lease->conn == NULL)
		return;
	memset(lease, 0, sizeof(*lease));
	server_returned(s, hygiene);
}
