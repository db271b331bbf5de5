/* SPDX-License-Identifier: MIT */
/*
 * fake_pg: connections for the tests of the pool, without a server. The target's dbname is a
 * number, its key; open connections are counted for each key and in all, whatever thread opens
 * them: a limit that is passed for a microsecond stops the test. A host named "full" refuses what
 * is above fake.full_at with 53300. Logins and resets take time by timers, or by the test's own
 * clock when it sets fake_later.
 */
#ifndef TENANTGATE_TESTS_FAKE_PG_H
#define TENANTGATE_TESTS_FAKE_PG_H

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/pool.h"

enum { FAKE_KEYS = 512 };

/* The fake's own: wire/pg's is opaque to the pool. */
struct pg_conn {
	unsigned		 key;
	unsigned		 serial;
	enum pg_conn_state	 state;
	bool			 is_full_host;	/* the host named "full" */
	atomic_bool		 dead;		/* the server hung up, unnoticed so far */
	atomic_bool		 held;		/* by a borrower: never by two */
	/* the login or reset under way */
	struct flow		*flow;
	struct timer		 timer;
	struct pg_conn		**out;
	struct pg_result	*result;
};

static struct {
	atomic_uint	open, open_max, limit;
	atomic_uint	key_open[FAKE_KEYS], key_limit[FAKE_KEYS];	/* limit 0: not watched */
	atomic_uint	connects, resets, closes;
	atomic_uint	fail_logins, fail_resets, kill;			/* per mille */
	atomic_uint	login_us;
	atomic_uint	full_open, full_at;
	atomic_uint	max_connections, asks, lost_asks;	/* the next so many break */
	const char	*sqlstate, *message;				/* of refused logins */
	atomic_uint	lost_logins;		/* the next so many are refused, */
	enum pg_status	login_status;		/* as this; PG_OK: PG_LOST */
	atomic_uint	probes;
	atomic_bool	is_silent;		/* a probe gets no answer */
} fake;

/* NULL: timers. later calls fn(c) after so long, never calls a c that was given to it. */
static void (*fake_later)(struct pg_conn *c, uint64_t us, void (*fn)(void *));
static void (*fake_never)(struct pg_conn *c);

static _Thread_local uint64_t fake_rng = 88172645463325252ull;

static inline unsigned
fake_dice(unsigned sides)
{
	fake_rng ^= fake_rng << 13;
	fake_rng ^= fake_rng >> 7;
	fake_rng ^= fake_rng << 17;
	return (unsigned)((fake_rng >> 20) % sides);
}

static inline void
fake_start(struct pg_conn *c, uint64_t us, void (*fn)(void *))
{
	if (fake_later != NULL) {
		fake_later(c, us, fn);
		return;
	}
	if (!timer_init(&c->timer, c->flow->worker, fn, c))
		abort();
	timer_start(&c->timer, us);
}

static inline void
fake_stop(struct pg_conn *c)
{
	if (fake_never != NULL)
		fake_never(c);
	timer_free(&c->timer); /* made on this worker */
}

static inline void
fake_count_in(const struct pg_conn *c)
{
	unsigned open = atomic_fetch_add(&fake.open, 1) + 1;
	unsigned key_open = atomic_fetch_add(&fake.key_open[c->key], 1) + 1;

	assert(open <= fake.limit);
	assert(fake.key_limit[c->key] == 0 || key_open <= fake.key_limit[c->key]);
	fake.full_open += c->is_full_host;
	if (open > fake.open_max)
		fake.open_max = open;
}

static inline void
fake_count_out(const struct pg_conn *c)
{
	fake.full_open -= c->is_full_host;
	atomic_fetch_sub(&fake.key_open[c->key], 1);
	atomic_fetch_sub(&fake.open, 1);
}

static inline void
fake_close(struct pg_conn *c)
{
	assert(!c->held && c->flow == NULL);
	fake_count_out(c);
	fake.closes++;
	fake_stop(c);
	free(c);
}

static inline void
fake_login_cancel(void *arg)
{
	struct pg_conn *c = arg;

	c->flow = NULL;
	fake_close(c);
}

static inline bool
fake_refuses(struct pg_conn *c)
{
	bool full = c->is_full_host && fake.full_open > fake.full_at;
	const char *sqlstate = fake.sqlstate != NULL ? fake.sqlstate : "28P01";
	const char *message = fake.message != NULL ? fake.message : "the fake refuses";

	if (fake.lost_logins > 0)
		fake.lost_logins--;
	else if (!full && fake_dice(1000) >= fake.fail_logins)
		return false;
	c->result->status = fake.login_status != PG_OK ? fake.login_status : PG_LOST;
	snprintf(c->result->failure.sqlstate, 6, "%s", full ? "53300" : sqlstate);
	snprintf(c->result->failure.message, 60, "%s",
	    full ? "sorry, too many clients already" : message);
	return true;
}

static inline void
fake_login_over(void *arg)
{
	struct pg_conn *c = arg;
	struct flow *f = c->flow;

	fake_stop(c);
	c->flow = NULL;
	if (fake_refuses(c)) {
		fake_close(c);
	} else {
		*c->out = c;
	}
	flow_wake(f);
}

static inline enum flow_rc
fake_connect(struct flow *f, struct dns *dns, const struct pg_target *t, uint64_t timeout_us,
    struct pg_conn **out, struct pg_result *why)
{
	struct pg_conn *c = calloc(1, sizeof(*c));

	(void)dns;
	(void)timeout_us;
	assert(c != NULL);
	c->key = (unsigned)strtoul(t->dbname, NULL, 10);
	c->serial = ++fake.connects;
	c->flow = f;
	c->out = out;
	c->result = why;
	c->is_full_host = strcmp(t->host, "full") == 0;
	fake_count_in(c);
	fake_start(c, fake.login_us == 0 ? 0 : fake_dice(fake.login_us), fake_login_over);
	return flow_wait(f, fake_login_cancel, c);
}

static inline void
fake_reset_cancel(void *arg)
{
	struct pg_conn *c = arg;

	fake_stop(c);
	c->flow = NULL;
	c->state = PG_BROKEN;
}

static inline void
fake_reset_over(void *arg)
{
	struct pg_conn *c = arg;
	struct flow *f = c->flow;
	bool good = fake_dice(1000) >= fake.fail_resets;

	fake_stop(c);
	c->flow = NULL;
	c->state = good ? PG_IDLE : PG_BROKEN;
	c->result->status = good ? PG_OK : PG_LOST;
	flow_wake(f);
}

static inline enum flow_rc
fake_reset(struct flow *f, struct pg_conn *c, struct pg_result *out)
{
	assert(!c->held);
	fake.resets++;
	c->flow = f;
	c->result = out;
	fake_start(c, 10, fake_reset_over);
	return flow_wait(f, fake_reset_cancel, c);
}

static inline enum flow_rc
fake_probe(struct flow *f, struct pg_conn *c, struct pg_result *out)
{
	(void)f;
	assert(!c->held);
	fake.probes++;
	out->status = fake.is_silent ? PG_TIMEOUT : PG_OK;
	if (fake.is_silent)
		c->state = PG_BROKEN;
	return FLOW_NEXT;
}

static inline bool
fake_alive(struct pg_conn *c)
{
	return !c->dead && fake_dice(1000) >= fake.kill;
}

static inline enum pg_conn_state
fake_state(const struct pg_conn *c)
{
	return c->state;
}

static inline enum flow_rc
fake_ask(struct flow *f, struct pg_conn *c, struct pg_result *out)
{
	(void)f;
	fake.asks++;
	if (fake.lost_asks > 0) {
		fake.lost_asks--;
		c->state = PG_BROKEN;
		out->status = PG_LOST;
		return FLOW_NEXT;
	}
	out->changed = fake.max_connections;
	return FLOW_NEXT;
}

static inline unsigned
fake_told(const struct pg_result *r)
{
	return (unsigned)r->changed;
}

/* The server's side ends at once, or, when a test holds it, with fake_end_now(). */
static struct pg_conn *fake_ending;
static bool fake_holds_ends;

static inline void
fake_end_cancel(void *arg)
{
	struct pg_conn *c = arg;

	c->flow = NULL;
	fake_close(c);
}

static inline enum flow_rc
fake_end(struct flow *f, struct pg_conn *c, uint64_t timeout_us)
{
	(void)timeout_us;
	if (!fake_holds_ends) {
		fake_close(c);
		return FLOW_NEXT;
	}
	c->flow = f;
	fake_ending = c;
	return flow_wait(f, fake_end_cancel, c);
}

static inline void
fake_end_now(void)
{
	struct flow *f = fake_ending->flow;

	fake_end_cancel(fake_ending);
	flow_wake(f);
}

/* Without `end`: a close is all there is, and done at once. */
static const struct pool_ops fake_ops = {
	.connect = fake_connect,
	.reset = fake_reset,
	.probe = fake_probe,
	.alive = fake_alive,
	.state = fake_state,
	.close = fake_close,
	.ask = fake_ask,
	.told = fake_told,
};

static const struct pool_ops fake_ending_ops = {
	.connect = fake_connect,
	.reset = fake_reset,
	.probe = fake_probe,
	.alive = fake_alive,
	.state = fake_state,
	.close = fake_close,
	.end = fake_end,
	.ask = fake_ask,
	.told = fake_told,
};

#endif
