/* SPDX-License-Identifier: MIT */
/*
 * server_probe: a suspect server proves that it still answers before it is lent.
 *
 *	[idle] --wanted--> [resetting]: one round trip --> offered, or discarded
 *
 * When one connection went silent (a network that forgot it, a host that is gone without a word),
 * each of its siblings would cost its borrower a whole deadline to find out. A probe costs a round
 * trip, or its own short deadline; and the first that stays unanswered closes all suspects that are
 * idle. Whoever wanted the server waits in the pool's queue meanwhile, which gives it the next idle
 * one: so several are probed at once, and together they take no longer than one.
 */
#include "pool/pool_internal.h"

#define PROBE_TIMEOUT_US (2 * 1000000ull)

static flow_step_fn probe_run;
static flow_release_fn probe_release;

static const struct flow_step probe_steps[] = { { "probe", probe_run }, { NULL, NULL } };

static const struct flow_kind probe_kind = { "pool_probe", probe_steps, NULL, probe_release };

enum flow_rc
server_probe_session(struct flow *f, struct pg_conn *conn, struct pg_result *out)
{
	static const struct pg_query probe = { .sql = "SELECT 1", .timeout_us = PROBE_TIMEOUT_US };

	return pg_run(f, conn, &probe, out);
}

static enum flow_rc
probe_run(struct flow *f)
{
	struct server *s = FLOW_OF(f, struct server, &probe_kind);

	return s->pool->pools->ops.probe(f, s->conn, &s->result);
}

/* Those that were idle when the pool became suspect; the last used come first. */
static void
suspects_drop(struct pool *pool, struct deferred *deferred)
{
	struct server *s, *next;

	for (s = TAILQ_FIRST(&pool->idle); s != NULL; s = next) {
		next = TAILQ_NEXT(s, pool_link);
		if (s->idle_since_us <= pool->suspect_us)
			server_drop(s, deferred);
	}
}

static void
probe_release(struct flow *f)
{
	struct server *s = FLOW_OF(f, struct server, &probe_kind);
	struct pools *p = s->pool->pools;
	bool answers =
	    !err_is(&f->err) && s->result.status == PG_OK && p->ops.state(s->conn) == PG_IDLE;
	bool is_silent = s->result.status == PG_TIMEOUT;
	struct deferred deferred;

	pg_clear(&s->result);
	pools_lock(p, &deferred);
	if (is_silent)
		suspects_drop(s->pool, &deferred);
	if (answers)
		server_offer(s, &deferred);
	else
		server_discard(s, &deferred);
	pools_unlock(p, &deferred);
}

void
server_probe(struct server *s, struct deferred *deferred)
{
	struct pool *pool = s->pool;

	server_move(s, SERVER_RESETTING);
	flow_start(&s->flow, &probe_kind, s->worker, NULL);
	pool_changed(pool, deferred);
}
