/* SPDX-License-Identifier: MIT */
/*
 * catalog_probe: whether the server answers at all, asked on worker 0 when the breaker wants to
 * know.
 *
 *	tick, every second --wanted--> [borrow] --> [run] --> [check] --> the breaker has its word
 *	                                   ^                     |
 *	                                   +---------------------+  once: it had died idle
 *
 * It waits in no lane: the lanes are what it is to open again.
 */
#include <stdlib.h>

#include "catalog/catalog_internal.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/loop/worker.h"

#define TICK_US	    1000000ull
#define DEADLINE_US 2000000ull /* from the borrowing on: a login is part of it */

static flow_step_fn probe_borrow, catalog_probe_run, probe_check;
static flow_end_fn catalog_probe_end;
static flow_release_fn catalog_probe_release;

static const struct flow_step probe_steps[] = {
	{ "borrow", probe_borrow },
	{ "run", catalog_probe_run },
	{ "check", probe_check },
	{ NULL, NULL },
};

static const struct flow_kind probe_kind = { "catalog_probe", probe_steps, catalog_probe_end,
	catalog_probe_release };

static enum flow_rc
probe_borrow(struct flow *f)
{
	struct catalog_probe *p = FLOW_OF(f, struct catalog_probe, &probe_kind);

	return pool_borrow(f, p->catalog->pools, &p->catalog->target, &p->lease);
}

static enum flow_rc
catalog_probe_run(struct flow *f)
{
	struct catalog_probe *p = FLOW_OF(f, struct catalog_probe, &probe_kind);
	struct pg_query q = { .sql = "SELECT 1", .timeout_us = DEADLINE_US };

	pg_clear(&p->result);
	return pg_run(f, p->lease.conn, &q, &p->result);
}

static enum flow_rc
probe_check(struct flow *f)
{
	struct catalog_probe *p = FLOW_OF(f, struct catalog_probe, &probe_kind);

	if (p->result.status != PG_LOST || !p->lease.reused || p->was_replaced)
		return FLOW_DONE;
	p->was_replaced = true;
	pool_return(&p->lease, POOL_CLEAN);
	pool_forget(p->catalog->pools, p->catalog->target.key);
	return flow_goto(f, probe_borrow);
}

/* Any answer is one, an error too; but for a server that is just going or coming up, which ends the
 * session: PG_LOST. At the shutdown nothing was learnt. */
static void
catalog_probe_end(struct flow *f, const struct err *err)
{
	struct catalog_probe *p = FLOW_OF(f, struct catalog_probe, &probe_kind);
	const char *reason = p->result.failure.message;
	enum catalog_word word = WORD_HEARD;

	if (p->result.status == PG_LOST || p->result.status == PG_TIMEOUT || err_is(err))
		word = WORD_UNREACHED;
	if (err->code == ERR_SHUTDOWN || catalog_is_queue_full(err))
		word = WORD_NONE;
	if (err_is(err))
		reason = err->cause[0] != '\0' ? err->cause : err->detail;
	breaker_probed(&p->catalog->breaker, word, reason, p->began_us, clock_mono_us());
	pg_clear(&p->result);
	pool_return(&p->lease, POOL_CLEAN);
}

static void
catalog_probe_release(struct flow *f)
{
	(FLOW_OF(f, struct catalog_probe, &probe_kind))->is_running = false;
}

static void
probe_begin(struct catalog_probe *p)
{
	p->is_running = true;
	p->was_replaced = false;
	p->began_us = clock_mono_us();
	flow_start(&p->flow, &probe_kind, p->worker, NULL);
	flow_deadline(&p->flow, DEADLINE_US);
}

static bool
is_wanted(struct catalog_probe *p)
{
	return breaker_may_want_probe(&p->catalog->breaker, clock_mono_us());
}

/* Ticks rest while all is well and nobody looks, for an idle process should not wake, until
 * probe_wanted(). That may come between the question and the rest: hence the question after it. */
static bool
rest_begins(struct catalog_probe *p)
{
	if (is_wanted(p) || atomic_load(&p->is_posted))
		return false;
	atomic_store(&p->rests, true);
	return !is_wanted(p) || !atomic_exchange(&p->rests, false);
}

/* Not before the catalog was reached once: until then migrations try. */
static void
probe_tick(void *arg)
{
	struct catalog_probe *p = arg;

	if (!p->is_running && catalog_was_reached(p->catalog) &&
	    breaker_wants_probe(&p->catalog->breaker, clock_mono_us()))
		probe_begin(p);
	if (!catalog_was_reached(p->catalog) || !rest_begins(p))
		timer_start(&p->timer, TICK_US);
}

static void
probe_rest_ended(void *arg)
{
	struct catalog_probe *p = arg;

	atomic_store(&p->is_posted, false);
	if (p->timer.event != NULL)
		timer_start(&p->timer, TICK_US);
}

void
probe_wanted(struct catalog *c)
{
	struct catalog_probe *p = &c->probe;

	if (!atomic_exchange(&p->rests, false))
		return;
	atomic_store(&p->is_posted, true);
	worker_post(p->worker, &p->task, probe_rest_ended, p);
}

void
probe_attach(struct catalog *c, struct worker *w)
{
	c->probe.catalog = c;
	c->probe.worker = w;
	if (!timer_init(&c->probe.timer, w, probe_tick, &c->probe))
		abort();
	timer_start(&c->probe.timer, TICK_US);
}

void
probe_detach(struct catalog *c)
{
	atomic_store(&c->probe.rests, false);
	timer_free(&c->probe.timer);
}
