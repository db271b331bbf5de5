/* SPDX-License-Identifier: MIT */
/*
 * server_login: the login of one server, a flow of its own; at the first one to a host its
 * max_connections is asked as well. A failure of that question means nothing, unless it has cost
 * the connection.
 *
 *	[connect] --> [connected] --> [ask] --> idle, or lent
 *	    ^              |
 *	    +--- pause ----+  the reason passes by itself, and server_connect_timeout is not over
 *
 * So a database that wakes or restarts costs those who wait for it their time, and no error. The
 * first login after a failure is not so patient: whoever comes while a database is away for longer
 * hears at once that it is.
 */
#include <stdio.h>
#include <stdlib.h>

#include "pool/pool_internal.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/random.h"

#define ASK_TIMEOUT_US (5 * 1000000ull)

static const struct backoff login_pause = { 200 * 1000, 1000000, 150 };

static flow_step_fn pool_login_connect, pool_login_connected, pool_login_ask;
static flow_release_fn pool_login_release;

static const struct flow_step pool_login_steps[] = {
	{ "connect", pool_login_connect },
	{ "connected", pool_login_connected },
	{ "ask", pool_login_ask },
	{ NULL, NULL },
};

static const struct flow_kind pool_login_kind = { "pool_login", pool_login_steps, NULL,
	pool_login_release };

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

/* Of server_connect_timeout, which is for all tries together. */
static uint64_t
login_left_us(const struct server *s)
{
	uint64_t now = clock_mono_us();
	uint64_t end_us = s->login_began_us + s->connect_timeout_us;

	return end_us > now ? end_us - now : 0;
}

/* (0 would be no deadline at all.) */
static enum flow_rc
pool_login_connect(struct flow *f)
{
	struct server *s = FLOW_OF(f, struct server, &pool_login_kind);
	struct pools *p = s->pool->pools;
	bool attached;
	struct dns *dns = server_dns(s, &attached);

	if (!attached)
		return flow_fail(f, ERR_SHUTDOWN, "The worker is shutting down. Try again.");
	s->tries++;
	return p->ops.connect(f, dns, &s->pool->target, login_left_us(s) + 1, &s->conn, &s->result);
}

/* Our own helpers' refusals are waited out always. A server that was never reached may be none: it
 * is not waited for. */
static bool
login_is_worth_waiting(const struct server *s)
{
	const struct pg_reason *reason = pg_reason(&s->result);

	return s->result.status == PG_REFUSED ||
	    (reason->passes && s->failures == 0 && !s->is_paced &&
		(s->is_known || !reason->is_contact));
}

static enum flow_rc
pool_login_connected(struct flow *f)
{
	struct server *s = FLOW_OF(f, struct server, &pool_login_kind);
	uint64_t pause_us;

	if (s->conn != NULL || !login_is_worth_waiting(s))
		return FLOW_NEXT;
	pause_us = backoff_us(&login_pause, s->tries, 0);
	if (pause_us >= login_left_us(s))
		return FLOW_NEXT;
	flow_goto(f, pool_login_connect);
	return flow_sleep(f, &s->pause, pause_us);
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

/* One login asks for all: the time is noted before the answer is there (and taken back when none
 * comes: pool_login_told). */
static bool
ask_is_due(struct server *s)
{
	struct pools *p = s->pool->pools;
	struct pool_host *host = s->pool->host;
	uint64_t now = clock_mono_us();
	struct deferred deferred;
	bool due;

	if (p->ops.ask == NULL)
		return false;
	pools_lock(p, &deferred);
	due = host->asked_us == 0 || now - host->asked_us >= POOL_ASK_AGAIN_US;
	if (due)
		host->asked_us = now;
	s->asks = due;
	pools_unlock(p, &deferred);
	return due;
}

static enum flow_rc
pool_login_ask(struct flow *f)
{
	struct server *s = FLOW_OF(f, struct server, &pool_login_kind);

	if (s->conn == NULL || !ask_is_due(s))
		return FLOW_DONE;
	return s->pool->pools->ops.ask(f, s->conn, &s->asked);
}

/* What the question lost is reported as a failed login. */
static const struct pg_result *
pool_login_failure(const struct server *s)
{
	return s->conn == NULL ? &s->result : &s->asked;
}

static bool
login_failure_is_news(struct pool *pool, const char *reason)
{
	struct deferred deferred;
	bool is_news;

	pools_lock(pool->pools, &deferred);
	is_news = pool_failure_is_news(pool, reason);
	pools_unlock(pool->pools, &deferred);
	return is_news;
}

/* For the operator; the waiters get the same reason without host and database. */
static void
pool_login_log(const struct server *s)
{
	const struct pg_target *t = &s->pool->target;
	char reason[LOGIN_REASON_SIZE];

	pool_login_reason(&pool_login_failure(s)->failure, reason);
	if (pool_login_failure(s)->status == PG_REFUSED) {
		log_event(LOG_WARNING, "pool.login_refused", NULL,
		    "A login to a database could not be computed here: %s. See whether the "
		    "processors keep up with the logins.",
		    reason);
		return;
	}
	if (!login_failure_is_news(s->pool, reason))
		return;
	log_event(LOG_WARNING, "pool.login_failed", NULL,
	    "Login to the database %s at %s:%u failed: %s. See whether the server runs, and "
	    "whether this role and its password are still valid.",
	    t->dbname, t->host, t->port, reason);
}

/* Under the lock; max_connections is 0 when the server did not say it. Without an answer the next
 * login asks again: a shared server has two connections until then (pool_host.c). */
static void
pool_login_told(struct server *s, unsigned max_connections, struct deferred *deferred)
{
	struct pool *pool = s->pool;

	if (max_connections > 0)
		pool_host_told(pool->pools, pool->host, max_connections, deferred);
	else if (s->asks)
		pool->host->asked_us = 0;
}

/* Under the lock. */
static void
pool_login_good(struct server *s, struct deferred *deferred)
{
	struct pool *pool = s->pool;

	s->logged_in_us = clock_mono_us();
	s->login_us = s->logged_in_us - s->login_began_us;
	pool->pools->created_total++;
	pool_login_worked(s);
	server_offer(s, deferred);
}

/* A login that was aborted (the worker is shutting down) says nothing about the database: it is
 * neither logged nor followed by a back-off. Log and random numbers come before the lock. */
static void
pool_login_release(struct flow *f)
{
	struct server *s = FLOW_OF(f, struct server, &pool_login_kind);
	struct pools *p = s->pool->pools;
	bool aborted = err_is(&f->err);
	bool good = !aborted && s->conn != NULL && p->ops.state(s->conn) == PG_IDLE;
	uint64_t wait_us;
	unsigned told = good && p->ops.ask != NULL ? p->ops.told(&s->asked) : 0;
	struct deferred deferred;

	if (!aborted && !good)
		pool_login_log(s);
	pools_lock(p, &deferred);
	s->expires_us = lifetime_end(&p->conf);
	wait_us = aborted || good ? 0 : pool_login_wait(&p->conf, s->failures + 1);
	pool_login_told(s, told, &deferred);
	if (good)
		pool_login_good(s, &deferred);
	if (!aborted && !good)
		pool_login_failed(s, pool_login_failure(s), wait_us);
	if (!good)
		server_discard(s, &deferred);
	pools_unlock(p, &deferred);
}

void
server_login(void *arg)
{
	struct server *s = arg;

	s->login_began_us = clock_mono_us();
	flow_start(&s->flow, &pool_login_kind, s->worker, NULL);
}

/* ---- struct pool_ops' question, over a real connection ---- */

enum flow_rc
server_ask(struct flow *f, struct pg_conn *conn, struct pg_result *out)
{
	static const struct pg_query ask = {
		.sql = "SELECT pg_catalog.current_setting('max_connections')",
		.timeout_us = ASK_TIMEOUT_US,
	};

	return pg_run(f, conn, &ask, out);
}

unsigned
server_told(const struct pg_result *r)
{
	return pg_rows(r) == 1 ? (unsigned)strtoul(pg_text(r, 0, 0), NULL, 10) : 0;
}
