/* SPDX-License-Identifier: MIT */
/*
 * server_close: the end of one server. Its slot is free when the database server has ended its
 * side, too: until then that server counts the connection as one of its max_connections.
 *
 *	[closing] --task, on its worker--> flow: close, wait for the other side --> gone
 *	     \_______ no connection, or the worker has detached: closed at once ______/
 *
 * Not under the lock. A closing server belongs to the thread whose deferred list it was on, then to
 * its worker.
 */
#include "pool/pool_internal.h"

#define END_TIMEOUT_US 1000000ull /* a server that takes longer is not waited for */

static flow_step_fn server_close_wait;
static flow_release_fn server_close_release;

static const struct flow_step server_close_steps[] = { { "close", server_close_wait },
	{ NULL, NULL } };

static const struct flow_kind server_close_kind = { "pool_close", server_close_steps, NULL,
	server_close_release };

static void
server_closed(struct server *s)
{
	struct pools *p = s->pool->pools;
	struct deferred deferred;

	pg_clear(&s->result);
	pg_clear(&s->asked);
	pools_lock(p, &deferred);
	server_gone(s, &deferred);
	pools_unlock(p, &deferred);
}

static enum flow_rc
server_close_wait(struct flow *f)
{
	struct server *s = FLOW_OF(f, struct server, &server_close_kind);
	struct pg_conn *conn = s->conn;

	s->conn = NULL;
	return s->pool->pools->ops.end(f, conn, END_TIMEOUT_US);
}

/* Aborted before its first step it still has the connection. */
static void
server_close_release(struct flow *f)
{
	struct server *s = FLOW_OF(f, struct server, &server_close_kind);

	if (s->conn != NULL)
		s->pool->pools->ops.close(s->conn);
	server_closed(s);
}

/* By address alone: the worker may have been freed. */
static bool
server_is_attached(const struct server *s)
{
	struct pools *p = s->pool->pools;
	struct deferred deferred;
	bool attached = false;

	pools_lock(p, &deferred);
	for (unsigned i = 0; i < POOL_WORKERS_MAX && !attached; i++)
		attached = p->workers[i].worker == s->worker;
	pools_unlock(p, &deferred);
	return attached;
}

static void
server_close_at_once(struct server *s)
{
	if (s->conn != NULL)
		s->pool->pools->ops.close(s->conn);
	server_closed(s);
}

/* A task's fn. The worker may have detached since it was posted. */
static void
server_close_begin(void *arg)
{
	struct server *s = arg;

	if (server_is_attached(s))
		flow_start(&s->flow, &server_close_kind, s->worker, NULL);
	else
		server_close_at_once(s);
}

/* A worker that is attached is not freed before all have detached (pools_detach). */
void
server_close(struct server *s)
{
	if (s->conn == NULL || s->pool->pools->ops.end == NULL || !server_is_attached(s))
		server_close_at_once(s);
	else
		worker_post(s->worker, &s->task, server_close_begin, s);
}
