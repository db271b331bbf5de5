/* SPDX-License-Identifier: MIT */
/*
 * waiter: a flow in a pool's queue.
 *
 *	waiter:  [queued] --grant, failure--> [notified] --task--> flow woken, freed
 *	           ^ \                             | \ flow aborted
 *	           |  timeout, flow aborted:       |  +--> [left] --task--> server returned, freed
 *	           |  freed                        |
 *	           +---- the server was idle, and has died meanwhile
 *
 * States are moved here: out of [queued] under the lock, by any worker; the rest on the waiter's
 * own. A waiter is freed on its own worker only, and never while its task is under way.
 */
#include <assert.h>
#include <stdlib.h>

#include "pool/pool_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"

/* Under the lock. The caller calls pool_changed(), for the pool may need one login less. */
static void
waiter_unqueue(struct waiter *w)
{
	struct pool *pool = w->pool;

	assert(w->state == WAITER_QUEUED && pool->waiting > 0);
	TAILQ_REMOVE(&pool->waiters, w, link);
	pool->waiting--;
	w->pools->waiting--;
	w->pools->pools_waiting -= pool->waiting == 0;
	w->pools->wait_us_total += clock_mono_us() - w->queued_us;
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
	w->was_idle = s->state == SERVER_IDLE;
	w->server = s;
	s->worker = w->worker;
	waiter_notify(w, deferred);
	pool_count_use(s->pool);
	server_move(s, SERVER_ACTIVE);
}

void
waiter_fail(struct waiter *w, const struct err *err, struct deferred *deferred)
{
	w->err = *err;
	w->is_final = w->pool != NULL && w->pool->is_untrusted;
	w->is_refused = w->pool != NULL && w->pool->is_refused;
	waiter_notify(w, deferred);
}

static void
waiter_free(struct waiter *w)
{
	timer_free(&w->timer);
	free(w);
}

/* In the order of arrival, which is seldom anywhere but at the head or the end. */
static void
waiter_enqueue(struct waiter *w, struct pool *pool)
{
	struct waiter *next;

	w->state = WAITER_QUEUED;
	w->pool = pool;
	w->queued_us = clock_mono_us();
	next = TAILQ_LAST(&pool->waiters, waiter_list);
	if (next == NULL || next->serial < w->serial) {
		TAILQ_INSERT_TAIL(&pool->waiters, w, link);
	} else {
		TAILQ_FOREACH(next, &pool->waiters, link)
			if (next->serial > w->serial)
				break;
		TAILQ_INSERT_BEFORE(next, w, link);
	}
	pool->pools->pools_waiting += pool->waiting == 0;
	pool->waiting++;
	pool->pools->waiting++;
}

/* The server that it was granted is closed, or probed first, and it waits on, in its old place, for
 * what is left of its time. Its timer may have rung while it was notified. */
static void
waiter_requeue(struct waiter *w)
{
	struct pools *p = w->pools;
	struct server *s = w->server;
	uint64_t now = clock_mono_us(), end_us = w->since_us + w->wait_timeout_us;
	struct deferred deferred;

	timer_start(&w->timer, end_us > now ? end_us - now : 0);
	pools_lock(p, &deferred);
	w->server = NULL;
	p->borrowed_total--;
	waiter_enqueue(w, s->pool);
	if (s->is_suspect)
		server_probe(s, &deferred);
	else
		server_discard(s, &deferred);
	pools_unlock(p, &deferred);
}

static void
waiter_wake(struct waiter *w)
{
	if (w->server != NULL) {
		lease_fill(w->lease, w->server);
		flow_wake(w->flow);
	} else {
		w->lease->login_failed =
		    w->err.code == ERR_DATABASE || w->err.code == ERR_DATABASE_AWAY;
		w->lease->login_is_final = w->lease->login_failed && w->is_final;
		w->lease->login_refused = w->lease->login_failed && w->is_refused;
		flow_wake_err(w->flow, &w->err);
	}
}

void
waiter_notified(void *arg)
{
	struct waiter *w = arg;

	if (w->state == WAITER_LEFT) {
		if (w->server != NULL)
			server_returned(w->server, POOL_CLEAN);
	} else if (w->server != NULL && w->was_idle &&
	    (!server_is_fit(w->server) || w->server->is_suspect)) {
		waiter_requeue(w);
		return;
	} else {
		waiter_wake(w);
	}
	waiter_free(w);
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
		pool_timeout_error(w, why);
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

/* What is left of server_connect_timeout, while the pool has nothing but logins under way: then it
 * is not others who keep the connections, but the database that is slow, or wakes. 0: nothing. */
static uint64_t
waiter_login_left_us(struct waiter *w)
{
	struct pools *p = w->pools;
	struct deferred deferred;
	uint64_t now = clock_mono_us(), end_us = w->since_us + w->connect_timeout_us;
	bool waits;

	pools_lock(p, &deferred);
	waits = w->state == WAITER_QUEUED && w->pool->servers[SERVER_LOGIN] > 0 &&
	    pool_live(w->pool) == w->pool->servers[SERVER_LOGIN];
	pools_unlock(p, &deferred);
	return waits && end_us > now ? end_us - now : 0;
}

/* query_wait_timeout. A grant that is on its way wins: the connection is there, so it is used. */
static void
waiter_timed_out(void *arg)
{
	struct waiter *w = arg;
	struct err err = { .code = ERR_NONE };
	uint64_t more_us = waiter_login_left_us(w);

	if (more_us > 0) {
		timer_start(&w->timer, more_us);
		return;
	}
	if (!waiter_leave(w, &err))
		return;
	flow_wake_err(w->flow, &err);
	waiter_free(w);
}

/* The timer is added after the lock, on this same worker: waiter_wait(). */
struct waiter *
waiter_queue(struct flow *f, struct pool *pool, struct pool_lease *lease)
{
	struct waiter *w = xcalloc(1, sizeof(*w));

	w->pools = pool->pools;
	w->flow = f;
	w->worker = f->worker;
	w->lease = lease;
	w->since_us = clock_mono_us();
	w->wait_timeout_us = w->pools->conf.query_wait_timeout_us;
	w->connect_timeout_us = w->pools->conf.server_connect_timeout_us;
	w->serial = pool->pools->serial++;
	waiter_enqueue(w, pool);
	return w;
}

/* Another worker may have notified the waiter by now; but its task comes through this worker's
 * mailbox, and cannot run before this function has returned to the loop. */
enum flow_rc
waiter_wait(struct waiter *w)
{
	if (!timer_init(&w->timer, w->worker, waiter_timed_out, w))
		abort();
	timer_start(&w->timer, w->wait_timeout_us);
	return flow_wait(w->flow, waiter_cancelled, w);
}
