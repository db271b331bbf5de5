/* SPDX-License-Identifier: MIT */
/*
 * quota_renew: the leases of a worker's holds in Redis, each renewed a third of its time after the
 * last time that Redis has confirmed. A flow for all of them, in batches:
 *
 *	(timer) --> [send] --NOSCRIPT--> [load] --> [renewed] --more are due--> [send]
 *	                                                 |  \--no answer, or another: as they were
 *	                                                 v
 *	                                               done
 *
 * What always holds: a hold that was taken in Redis is on one of the two lists until its settlement
 * begins; `kept` has the one that was renewed longest ago first. The last order of a batch tells of
 * all, for a link's replies come in the order of its commands, and what has no room for one command
 * has none for the next.
 */
#include <stdlib.h>

#include "limit/quota_hold.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"

TAILQ_HEAD(hold_list, quota_hold);

struct quota_renewals {
	struct flow flow;	 /* first */
	struct limiter *limiter; /* borrowed */
	struct timer timer;
	struct hold_list kept, renewing;
	struct quota_call call;	  /* the last one of a batch */
	struct redis_reply reply; /* owned */
	uint64_t sent_us;	  /* monotonic: the batch */
	bool is_running;
};

static flow_step_fn renewal_send, renewal_load, renewal_note;
static flow_end_fn renewal_end;
static flow_release_fn renewal_release;

static const struct flow_step renewal_steps[] = {
	{ "send", renewal_send },
	{ "load", renewal_load },
	{ "renewed", renewal_note },
	{ NULL, NULL },
};

static const struct flow_kind renewal_kind = { "quota_renewal", renewal_steps, renewal_end,
	renewal_release };

static struct quota_renewals *
renewals_of(struct flow *f)
{
	return FLOW_OF(f, struct quota_renewals, &renewal_kind);
}

/* ---- the lists ---- */

static void
hold_place_move(struct quota_hold *h, enum hold_place place)
{
	struct quota_renewals *r = h->limiter->renewals;

	if (h->place == HOLD_KEPT)
		TAILQ_REMOVE(&r->kept, h, link);
	else if (h->place == HOLD_RENEWING)
		TAILQ_REMOVE(&r->renewing, h, link);
	h->place = place;
	if (place == HOLD_KEPT)
		TAILQ_INSERT_TAIL(&r->kept, h, link);
	else if (place == HOLD_RENEWING)
		TAILQ_INSERT_TAIL(&r->renewing, h, link);
}

/* Nobody knows that they were renewed: they are first again, in their order. */
static void
renewing_put_back(struct quota_renewals *r)
{
	struct quota_hold *h;

	while ((h = TAILQ_LAST(&r->renewing, hold_list)) != NULL) {
		TAILQ_REMOVE(&r->renewing, h, link);
		h->place = HOLD_KEPT;
		TAILQ_INSERT_HEAD(&r->kept, h, link);
	}
}

static void
renewals_start_timer(struct quota_renewals *r)
{
	if (!TAILQ_EMPTY(&r->kept) && !r->timer.set && !r->is_running)
		timer_start(&r->timer, r->limiter->lease_us / 6);
}

void
quota_hold_keep(struct quota_hold *h)
{
	h->renewed_us = clock_mono_us();
	hold_place_move(h, HOLD_KEPT);
	renewals_start_timer(h->limiter->renewals);
}

void
quota_hold_leave(struct quota_hold *h)
{
	hold_place_move(h, HOLD_LOOSE);
}

/* ---- a batch ---- */

static void
renewal_call(struct quota_call *call, const struct quota_hold *h, enum limit_call_kind kind)
{
	struct quota_order o = quota_hold_order(h, QUOTA_RENEW, 0);

	quota_call_make(call, kind, &o, NULL, 0);
}

static void
renewing_fill(struct quota_renewals *r)
{
	uint64_t third = r->limiter->lease_us / 3;
	struct quota_hold *h;

	r->sent_us = clock_mono_us();
	for (unsigned n = 0; n < RENEW_BATCH; n++) {
		h = TAILQ_FIRST(&r->kept);
		if (h == NULL || r->sent_us < h->renewed_us + third)
			return;
		hold_place_move(h, HOLD_RENEWING);
	}
}

static enum flow_rc
renewal_send(struct flow *f)
{
	struct quota_renewals *r = renewals_of(f);
	struct redis *redis = r->limiter->redis;
	struct quota_hold *h;

	renewing_fill(r);
	TAILQ_FOREACH(h, &r->renewing, link) {
		renewal_call(&r->call, h, LIMIT_EVALSHA);
		if (TAILQ_NEXT(h, link) != NULL)
			redis_send(redis, r->call.words, r->call.count);
	}
	if (TAILQ_EMPTY(&r->renewing))
		return FLOW_DONE;
	return redis_command(f, redis, r->call.words, r->call.count, &r->reply);
}

/* A SCRIPT FLUSH takes the script, but no lease. Of the batch none was renewed: one is now, with
 * the script, and the others come again. */
static enum flow_rc
renewal_load(struct flow *f)
{
	struct quota_renewals *r = renewals_of(f);
	struct quota_hold *h;

	if (r->reply.status != REDIS_ERROR || !slice_starts(r->reply.text, "NOSCRIPT"))
		return FLOW_NEXT;
	renewing_put_back(r);
	h = TAILQ_FIRST(&r->kept);
	if (h == NULL)
		return FLOW_DONE;
	hold_place_move(h, HOLD_RENEWING);
	renewal_call(&r->call, h, LIMIT_EVAL);
	return redis_command(f, r->limiter->redis, r->call.words, r->call.count, &r->reply);
}

static enum flow_rc
renewal_note(struct flow *f)
{
	struct quota_renewals *r = renewals_of(f);
	struct quota_hold *h;

	if (!quota_call_is_run(&r->reply))
		return FLOW_DONE;
	while ((h = TAILQ_FIRST(&r->renewing)) != NULL) {
		h->renewed_us = r->sent_us;
		hold_place_move(h, HOLD_KEPT);
	}
	return flow_goto(f, renewal_send);
}

static void
renewal_end(struct flow *f, const struct err *err)
{
	struct quota_renewals *r = renewals_of(f);

	(void)err;
	renewing_put_back(r);
	redis_clear(&r->reply);
}

static void
renewal_release(struct flow *f)
{
	struct quota_renewals *r = renewals_of(f);

	r->is_running = false;
	renewals_start_timer(r);
}

/* ---- of a limiter ---- */

/* A timer_fn. */
static void
renewals_begin(void *arg)
{
	struct quota_renewals *r = arg;

	if (r->is_running)
		return;
	r->is_running = true;
	flow_start(&r->flow, &renewal_kind, r->limiter->worker, NULL);
}

void
quota_open(struct limiter *l)
{
	struct quota_renewals *r = xcalloc(1, sizeof(*r));

	r->limiter = l;
	TAILQ_INIT(&r->kept);
	TAILQ_INIT(&r->renewing);
	l->renewals = r;
	l->lease_us = LIMIT_LEASE_US;
	if (!timer_init(&r->timer, l->worker, renewals_begin, r))
		abort();
}

void
quota_close(struct limiter *l)
{
	timer_free(&l->renewals->timer);
	free(l->renewals);
}

void
limit_set_lease(struct limiter *l, uint64_t us)
{
	l->lease_us = us;
}
