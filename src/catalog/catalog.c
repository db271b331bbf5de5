/* SPDX-License-Identifier: MIT */
/*
 * catalog: one statement at a time on a borrowed connection to the main database.
 *
 *	[turn] --> [borrow] --> [run] --> [check] --> caller woken
 *	               ^                     |
 *	               +---------------------+  once: an idle connection had died unnoticed
 *
 * How each ended is told to the breaker, which is asked before the turn, and once more after it:
 * what has waited in a lane that opened meanwhile fails at once.
 *
 * What always holds: the caller is woken plainly, whatever happened, and lease and turn are given
 * back before that. The run lives in memory of its own, for the caller has room for the result
 * only.
 */
#include "tenantgate/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/catalog_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/loop/worker.h"
#include "tenantgate/wire/pg_url.h"

#define CATALOG_KEY	      SLICE_LIT("catalog")
#define URL_ARENA_MAX	      (64 * 1024) /* the strings of catalog_url */
#define POOL_SIZE_DEFAULT     8
#define LOGIN_RETRY_US	      (300 * 1000ull) /* every request needs it: soon after its return */
#define QUERY_TIMEOUT_DEFAULT (10 * 1000000ull)

struct catalog_query {
	struct flow flow;
	struct catalog *catalog; /* borrowed */
	enum catalog_lane lane;
	struct slice holder;	 /* borrowed, as the query's strings */
	struct share_grant turn; /* in the lane */
	struct pg_query query;	 /* its strings are the caller's */
	struct pg_result result; /* owned until the caller has it */
	struct pg_result *out;	 /* borrowed: the caller's */
	struct err why;		 /* for flow_try(); its failure is in *out by then */
	struct pool_lease lease;
	bool was_replaced; /* the one repetition was used */
	bool has_turn;	   /* what is refused from now on, the server refuses */
	bool is_probe;	   /* let through an open lane: must be followed by a word */
};

static flow_step_fn query_turn, query_borrow, query_run, query_check;
static flow_end_fn query_end;
static flow_release_fn query_release;

static const struct flow_step query_steps[] = {
	{ "turn", query_turn },
	{ "borrow", query_borrow },
	{ "run", query_run },
	{ "check", query_check },
	{ NULL, NULL },
};

static const struct flow_kind query_kind = { "catalog", query_steps, query_end, query_release };

static void
query_lease_return(void *arg)
{
	pool_return(arg, POOL_CLEAN);
}

static enum flow_rc
query_refuse(struct catalog_query *q, int retry_after)
{
	struct err err = { .retry_after = retry_after };

	err_set(&err, ERR_CATALOG, "The main database does not answer now. Try again in a moment.");
	return flow_fail_err(&q->flow, &err);
}

static enum flow_rc
query_turn(struct flow *f)
{
	struct catalog_query *q = FLOW_OF(f, struct catalog_query, &query_kind);
	int retry_after = 0;

	if (!breaker_admits(&q->catalog->breaker, q->lane, clock_mono_us(), &q->is_probe,
		&retry_after))
		return query_refuse(q, retry_after);
	return share_take(f, q->catalog->lanes[q->lane], q->holder, 1, 1, &q->turn);
}

static enum flow_rc
query_borrow(struct flow *f)
{
	struct catalog_query *q = FLOW_OF(f, struct catalog_query, &query_kind);

	q->has_turn = true;
	if (!q->is_probe && breaker_is_open(&q->catalog->breaker, q->lane))
		return query_refuse(q, 1);
	return pool_borrow(f, q->catalog->pools, &q->catalog->target, &q->lease);
}

static enum flow_rc
query_run(struct flow *f)
{
	struct catalog_query *q = FLOW_OF(f, struct catalog_query, &query_kind);

	atomic_store_explicit(&q->catalog->reached, true, memory_order_relaxed);
	pg_clear(&q->result);
	return pg_run(f, q->lease.conn, &q->query, &q->result);
}

/* An idle connection died (a restarted server, a firewall that forgot it). Its siblings most
 * likely died with it, so all that are idle are closed before the one repetition. On a fresh
 * connection a loss is the caller's to know. */
static enum flow_rc
query_check(struct flow *f)
{
	struct catalog_query *q = FLOW_OF(f, struct catalog_query, &query_kind);
	bool died_idle = q->lease.reused && q->result.status == PG_LOST;

	if (!died_idle || q->was_replaced)
		return FLOW_DONE;
	q->was_replaced = true;
	pool_return(&q->lease, POOL_CLEAN);
	pool_forget(q->catalog->pools, q->catalog->target.key);
	return flow_goto(f, query_borrow);
}

/* By the lane, or the pool. When the server has no connection free for us, its words are the cause:
 * that is a login that failed. */
bool
catalog_is_queue_full(const struct err *err)
{
	return err->code == ERR_OVERLOADED && err->cause[0] == '\0';
}

static enum pg_status
query_status(const struct err *err)
{
	if (catalog_is_queue_full(err))
		return PG_REFUSED;
	if (err->code == ERR_CATALOG)
		return PG_UNSENT;
	return err->code == ERR_TIMEOUT ? PG_TIMEOUT : PG_LOST;
}

/* The server says that it ends, starts or recovers (57P01 to 57P03), or that connections are no
 * more (class 08): as if there was none. */
static bool
is_farewell(const char *sqlstate)
{
	return strncmp(sqlstate, "57P0", 4) == 0 || strncmp(sqlstate, "08", 2) == 0;
}

static enum catalog_word
query_word(const struct catalog_query *q, const struct err *err)
{
	switch (err->code) {
	case ERR_NONE:
		if (q->result.status == PG_OK)
			return WORD_HEARD;
		if (q->result.status == PG_TIMEOUT)
			return WORD_HUNG;
		return q->result.status == PG_SQL_ERROR && !is_farewell(q->result.failure.sqlstate)
		    ? WORD_HEARD
		    : WORD_UNREACHED;
	case ERR_DATABASE:
	case ERR_DATABASE_AWAY:
	case ERR_DATABASE_QUOTA:
		return WORD_UNREACHED;
	case ERR_POOL_TIMEOUT: /* of connections that hang, or that are not to be had */
	case ERR_TIMEOUT:
		return WORD_HUNG;
	case ERR_OVERLOADED:
		return catalog_is_queue_full(err) ? WORD_NONE : WORD_UNREACHED;
	default: /* refused by the breaker; whoever asked left */
		return WORD_NONE;
	}
}

/* Hands the result over. A run that failed (there was no connection) or was aborted has none: it
 * becomes a lost or refused one, with the reason as its message. */
static void
query_end(struct flow *f, const struct err *err)
{
	struct catalog_query *q = FLOW_OF(f, struct catalog_query, &query_kind);

	struct pg_failure *why = &q->result.failure;

	if (err_is(err)) {
		pg_clear(&q->result);
		q->result.status = query_status(err);
		why->retry_after = err->retry_after > 0 ? err->retry_after : 1;
	}
	if (q->result.status == PG_REFUSED)
		snprintf(why->message, sizeof(why->message),
		    "Too many %s wait for the main database; try again in %d s, or raise "
		    "catalog_pool_size.",
		    catalog_lane_noun(q->lane), why->retry_after);
	else if (err_is(err))
		snprintf(why->message, sizeof(why->message), "%.*s", (int)sizeof(why->message) - 1,
		    err->cause[0] != '\0' ? err->cause : err->detail);
	breaker_word(&q->catalog->breaker, q->lane, q->is_probe, query_word(q, err),
	    err_is(err) && err->cause[0] != '\0' ? err->cause : why->message, clock_mono_us());
	if (q->result.status != PG_OK)
		probe_wanted(q->catalog);
	q->result.is_repeated = q->was_replaced;
	*q->out = q->result;
	memset(&q->result, 0, sizeof(q->result));
}

static void
query_release(struct flow *f)
{
	free(f);
}

/* The lease goes back before the turn: the next in the lane finds it in the pool. */
enum flow_rc
catalog_run(struct flow *f, struct catalog *c, enum catalog_lane lane, struct slice holder,
    const struct pg_query *query, struct pg_result *out)
{
	struct catalog_query *q = xcalloc(1, sizeof(*q));
	enum flow_rc rc;

	pg_clear(out);
	q->catalog = c;
	q->lane = lane;
	q->holder = holder;
	q->query = *query;
	q->out = out;
	if (q->query.timeout_us == 0)
		q->query.timeout_us = c->query_timeout_us;
	rc = flow_try(f, &q->flow, &query_kind, &q->why);
	flow_defer(&q->flow, share_give_later, &q->turn);
	flow_defer(&q->flow, query_lease_return, &q->lease);
	return rc;
}

/* A refusal is not logged: there are many in a flood or an outage, and each is in the access log;
 * that a lane opened was said. */
enum flow_rc
catalog_check(struct flow *f, const struct pg_result *r, const char *what)
{
	struct err refused = { .retry_after = r->failure.retry_after };

	if (r->status == PG_OK)
		return FLOW_NEXT;
	if (r->status == PG_REFUSED) {
		err_set(&refused, ERR_OVERLOADED, "%s", r->failure.message);
		return flow_fail_err(f, &refused);
	}
	if (r->status != PG_UNSENT)
		log_event(LOG_WARNING, "catalog.failed", f->request_id,
		    "The catalog failed (%s%s%s); look at the server of catalog_url: %s", what,
		    r->failure.sqlstate[0] != '\0' ? ", SQLSTATE " : "", r->failure.sqlstate,
		    r->failure.message);
	if (refused.retry_after == 0)
		refused.retry_after = 1;
	err_set(&refused, ERR_CATALOG,
	    "The main database could not be used (%s). Try again in a moment.", what);
	return flow_fail_err(f, &refused);
}

static unsigned
catalog_pool_size(const struct catalog_conf *conf)
{
	return conf->pool_size > 0 ? conf->pool_size : POOL_SIZE_DEFAULT;
}

unsigned
catalog_connections_at(const struct catalog *c, struct slice host_key)
{
	const struct pg_target *t = &c->target.pg;
	char key[DNS_NAME_MAX + sizeof(":65535")];

	snprintf(key, sizeof(key), "%.*s:%u", DNS_NAME_MAX, t->host, (unsigned)t->port);
	return slice_is(host_key, key) ? c->pool_size : 0;
}

/* Pools apart from the tenants', with a budget of their own: the budget is this one pool. */
static struct pools *
catalog_pools(struct catalog *c, const struct catalog_conf *conf)
{
	struct pool_conf pc;

	pool_conf_init(&pc);
	pc.default_pool_size = catalog_pool_size(conf);
	pc.max_server_connections = pc.default_pool_size;
	pc.single_owner = true;
	pc.server_login_retry_us = LOGIN_RETRY_US;
	if (conf->max_scram_iterations > 0)
		pc.max_scram_iterations = conf->max_scram_iterations;
	if (conf->connect_timeout_us > 0)
		pc.server_connect_timeout_us = conf->connect_timeout_us;
	c->connect_timeout_us = pc.server_connect_timeout_us;
	return pools_open(&pc, NULL);
}

struct catalog *
catalog_open(const struct catalog_conf *conf, struct err *err)
{
	struct catalog *c = xcalloc(1, sizeof(*c));

	c->arena = arena_new(URL_ARENA_MAX);
	atomic_init(&c->reached, false);
	breaker_init(&c->breaker);
	c->query_timeout_us =
	    conf->query_timeout_us > 0 ? conf->query_timeout_us : QUERY_TIMEOUT_DEFAULT;
	c->target.key = CATALOG_KEY;
	if (!pg_url_read(c->arena, conf->url, PG_URL_STRICT, &c->target.pg, err)) {
		catalog_close(c);
		return NULL;
	}
	if (c->target.pg.sslrootcert == NULL && conf->ca_file != NULL)
		c->target.pg.sslrootcert = c->ca_file = xstrdup(conf->ca_file);
	c->target.pg.scram_iterations_max = conf->max_scram_iterations > 0
	    ? conf->max_scram_iterations
	    : PG_SCRAM_ITERATIONS_DEFAULT;
	c->pools = catalog_pools(c, conf);
	c->pool_size = catalog_pool_size(conf);
	catalog_lanes_open(c->lanes, c->pool_size);
	if (c->pools == NULL) {
		err_set(err, ERR_INTERNAL,
		    "The catalog's connections could not be set up; look at catalog_pool_size.");
		catalog_close(c);
		return NULL;
	}
	return c;
}

void
catalog_close(struct catalog *c)
{
	if (c == NULL)
		return;
	if (c->pools != NULL)
		pools_close(c->pools);
	catalog_lanes_close(c->lanes);
	breaker_destroy(&c->breaker);
	arena_free(c->arena);
	free(c->ca_file);
	free(c);
}

void
catalog_attach(struct catalog *c, struct worker *w, struct dns *dns)
{
	c->dns[worker_index(w)] = dns;
	pools_attach(c->pools, w, dns);
	if (worker_index(w) == 0)
		probe_attach(c, w);
}

void
catalog_detach(struct catalog *c, struct worker *w)
{
	if (worker_index(w) == 0)
		probe_detach(c);
	pools_detach(c->pools, w);
	c->dns[worker_index(w)] = NULL;
}

bool
catalog_was_reached(const struct catalog *c)
{
	return atomic_load_explicit(&c->reached, memory_order_relaxed);
}

bool
catalog_is_failing(struct catalog *c, enum catalog_lane lane)
{
	return breaker_is_open(&c->breaker, lane);
}

void
catalog_condition(struct catalog *c, struct condition *condition)
{
	breaker_condition(&c->breaker, condition, clock_mono_us());
	probe_wanted(c);
}
