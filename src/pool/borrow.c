/* SPDX-License-Identifier: MIT */
/*
 * borrow: taking a connection from a pool and returning it. When nobody waits who is before it in
 * the order, and the rule admits it, an idle one is taken at once: the last used, as in PgBouncer,
 * because it is the least likely to have died and because the others then reach
 * server_idle_timeout. It is checked before it is lent. Else the flow waits (waiter.c).
 */
#include <assert.h>
#include <string.h>

#include "pool/pool_internal.h"
#include "tenantgate/base/clock.h"

/* On the borrower's worker: from here on the server is the flow's until pool_return(). */
void
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

/*
 * What becomes of a returned server. A clean one goes to the next borrower. A dirty one, or one
 * left in a transaction, is reset before: a borrower must never see another's settings or locks. A
 * reset needs a flow on this worker, so a worker that has detached closes the connection; so does a
 * retired pool, which would close it after the reset. A suspect one comes back unused, from a
 * waiter that has left: the reset proves it. A busy or broken one is of no use to anybody, and
 * makes those suspect that are idle.
 */
void
server_returned(struct server *s, enum pool_hygiene hygiene)
{
	struct pool *pool = s->pool;
	struct pools *p = pool->pools;
	enum pg_conn_state state = p->ops.state(s->conn);
	bool usable = state == PG_IDLE || state == PG_IN_TRANSACTION;
	bool clean = state == PG_IDLE && hygiene == POOL_CLEAN && !s->is_suspect;
	struct deferred deferred;

	assert(s->state == SERVER_ACTIVE && worker_is_mine(s->worker));
	pools_lock(p, &deferred);
	if (!usable)
		pool->suspect_us = clock_mono_us();
	if (usable && clean) {
		server_offer(s, &deferred);
	} else if (usable && !pool->retired &&
	    p->workers[worker_index(s->worker)].worker == s->worker) {
		server_move(s, SERVER_RESETTING);
		server_reset(s);
		pool_changed(pool, &deferred);
	} else {
		server_discard(s, &deferred);
	}
	pools_unlock(p, &deferred);
}

/* ---- borrowing ---- */

/* The last used, or NULL. Under the lock; ACTIVE from now on, so that it can be checked after it.
 * Whom the rule admits has nobody before it: those who wait in the order are not admitted, and the
 * rule asks more of those behind them. */
static struct server *
borrow_idle(struct pool *pool, struct worker *w)
{
	struct server *s = TAILQ_FIRST(&pool->idle);

	if (s == NULL || pool->waiting > 0 || !budget_admits(&pool->holder, 1) ||
	    !budget_admits(&pool->host_holder, 1) || pool_host_is_busy(pool))
		return NULL;
	pool_count_use(pool);
	s->worker = w;
	server_move(s, SERVER_ACTIVE);
	return s;
}

/* Dead, or past its lifetime since the janitor's last round? A system call: not under the lock. */
bool
server_is_fit(struct server *s)
{
	return clock_mono_us() < s->expires_us && s->pool->pools->ops.alive(s->conn);
}

/* It was not lent after all, so the total goes back by one. */
static void
borrow_undo(struct pools *p, struct server *s)
{
	struct deferred deferred;

	pools_lock(p, &deferred);
	p->borrowed_total--;
	server_discard(s, &deferred);
	pools_unlock(p, &deferred);
}

/* It is probed while the flow waits, as its pool's first: for this server, or for another. */
static enum flow_rc
borrow_probed(struct flow *f, struct pool_lease *lease, struct server *s)
{
	struct pools *p = s->pool->pools;
	struct deferred deferred;
	struct waiter *w;

	pools_lock(p, &deferred);
	p->borrowed_total--;
	w = waiter_queue(f, s->pool, lease);
	server_probe(s, &deferred);
	pools_unlock(p, &deferred);
	return waiter_wait(w);
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

/* Checking a connection is a system call, hence outside the lock; a dead one is discarded and the
 * pool is asked anew. Each turn takes an idle server away, so the loop ends. */
enum flow_rc
pool_borrow(struct flow *f, struct pools *p, const struct pool_target *target,
    struct pool_lease *lease)
{
	struct decision decision;

	assert(lease->conn == NULL && target->key.len > 0);
	assert(worker_index(f->worker) < POOL_WORKERS_MAX);
	lease->login_failed = false;
	lease->login_is_final = false;
	lease->login_refused = false;
	for (;;) {
		borrow_decide(f, p, target, lease, &decision);
		if (decision.waiter != NULL)
			return waiter_wait(decision.waiter);
		if (decision.server == NULL)
			return flow_fail_err(f, &decision.err);
		if (!server_is_fit(decision.server)) {
			borrow_undo(p, decision.server);
			continue;
		}
		if (decision.server->is_suspect)
			return borrow_probed(f, lease, decision.server);
		lease_fill(lease, decision.server);
		return FLOW_NEXT;
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

void
pool_set_aside(struct pool_lease *lease)
{
	struct server *s = lease->server;
	struct deferred deferred;

	assert(s != NULL && s->state == SERVER_ACTIVE && worker_is_mine(s->worker));
	pools_lock(s->pool->pools, &deferred);
	s->pool->aside += !s->is_aside;
	s->is_aside = true;
	pool_changed(s->pool, &deferred);
	pools_unlock(s->pool->pools, &deferred);
}
