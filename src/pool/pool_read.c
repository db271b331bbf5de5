/* SPDX-License-Identifier: MIT */
/*
 * pool_read: a statement that may be sent twice, and is when its connection is lost.
 *
 *	[send] --> [check] --> done, whatever the result
 *	   ^          |
 *	   +----------+  lost, for the first time: a fresh connection in exchange
 *
 * The exchange gives the dead connection back and queues for another in one go, so the pool cannot
 * go between. Siblings that were idle are closed with it (pool_server_lost), so what comes is a
 * connection that was made, or has worked, since.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool_internal.h"
#include "tenantgate/base/alloc.h"

struct pool_reading {
	struct flow flow;
	struct pool_lease *lease; /* borrowed */
	struct pg_query query;	  /* its texts are borrowed */
	struct pg_result *out;	  /* borrowed */
	bool was_exchanged;
};

static flow_step_fn reading_send, reading_check;
static flow_release_fn reading_release;

static const struct flow_step reading_steps[] = {
	{ "send", reading_send },
	{ "check", reading_check },
	{ NULL, NULL },
};

static const struct flow_kind reading_kind = { "pool_read", reading_steps, NULL, reading_release };

static enum flow_rc
reading_send(struct flow *f)
{
	struct pool_reading *r = FLOW_OF(f, struct pool_reading, &reading_kind);

	pg_clear(r->out);
	return pg_run(f, r->lease->conn, &r->query, r->out);
}

/* The waiter is queued before the server is discarded: it keeps a retired pool in memory. */
static enum flow_rc
lease_exchange(struct flow *f, struct pool_lease *lease)
{
	struct server *s = lease->server;
	struct pool *pool = s->pool;
	struct pools *p = pool->pools;
	struct err err = { .code = ERR_NONE };
	struct waiter *w = NULL;
	struct deferred deferred;

	assert(s->state == SERVER_ACTIVE && worker_is_mine(s->worker));
	memset(lease, 0, sizeof(*lease));
	pools_lock(p, &deferred);
	pool_refusal(pool, &err);
	if (!err_is(&err))
		w = waiter_queue(f, pool, lease);
	pool_server_lost(s, &deferred);
	pools_unlock(p, &deferred);
	return w != NULL ? waiter_wait(w) : flow_fail_err(f, &err);
}

static enum flow_rc
reading_check(struct flow *f)
{
	struct pool_reading *r = FLOW_OF(f, struct pool_reading, &reading_kind);

	if (r->out->status != PG_LOST || r->was_exchanged || r->lease->server == NULL)
		return FLOW_DONE;
	r->was_exchanged = true;
	flow_goto(f, reading_send);
	return lease_exchange(f, r->lease);
}

static void
reading_release(struct flow *f)
{
	free(FLOW_OF(f, struct pool_reading, &reading_kind));
}

enum flow_rc
pool_read(struct flow *f, struct pool_lease *lease, const struct pg_query *query,
    struct pg_result *out)
{
	struct pool_reading *r = xcalloc(1, sizeof(*r));

	r->lease = lease;
	r->query = *query;
	r->out = out;
	return flow_call(f, &r->flow, &reading_kind);
}
