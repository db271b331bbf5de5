/* SPDX-License-Identifier: MIT */
/*
 * refuse: the end of a request whose key is not valid.
 *
 *	within the rate of its network --> 401 at once
 *	over it     --> [hold] --> [fail]: the same 401, later the further over
 *	over it, and HOLDS_MAX are held already --> 429 at once
 *
 * Only failures are counted, in this process, after the key was found not to be valid. So a good
 * key is never held up, whatever comes from the same address: behind a load balancer all clients
 * have one.
 *
 * Why hold: whoever floods from a bounded number of connections gets a few answers a second, and
 * costs as little. Why 429 and not a closed connection beyond that: it would have to be made anew,
 * perhaps with TLS, and that costs us more than the sentence.
 */
#include "api/refuse.h"

#include <stdlib.h>

#include "api/request_count.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

#define MINUTE_US   (60 * 1000000ull)
#define HOLD_MAX_US (5 * 1000000ull)
#define HOLDS_MAX   1024u /* in the process: each is a request's memory and a connection */

struct key_refusal {
	struct flow flow;
	struct timer timer;
	uint64_t hold_us;
	struct api_shared *shared; /* borrowed */
	const char *cause; /* static */
};

static flow_step_fn refusal_hold, refusal_fail;
static flow_release_fn refusal_release;

static const struct flow_step refusal_steps[] = {
	{ "hold", refusal_hold },
	{ "fail", refusal_fail },
	{ NULL, NULL },
};

static const struct flow_kind refusal_kind = { "refusal", refusal_steps, NULL, refusal_release };

static enum flow_rc
refusal_hold(struct flow *f)
{
	struct key_refusal *r = FLOW_OF(f, struct key_refusal, &refusal_kind);

	return flow_sleep(f, &r->timer, r->hold_us);
}

/* One sentence for a missing, malformed, unknown, revoked, expired or wrong credential: another one
 * for each would let an attacker find out which key ids exist. The log has what is known of it. */
static enum flow_rc
refuse_credential(struct flow *f, const char *cause)
{
	struct err err = { 0 };

	err_set(&err, ERR_UNAUTHENTICATED,
	    "The API key or token is missing or not valid; send a valid one in the Authorization "
	    "field, after the word Bearer.");
	if (cause != NULL)
		err_cause(&err, "%s", cause);
	return flow_fail_err(f, &err);
}

static enum flow_rc
refusal_fail(struct flow *f)
{
	return refuse_credential(f, (FLOW_OF(f, struct key_refusal, &refusal_kind))->cause);
}

static void
refusal_release(struct flow *f)
{
	struct key_refusal *r = FLOW_OF(f, struct key_refusal, &refusal_kind);

	atomic_fetch_sub(&r->shared->refusals, 1);
	free(r);
}

static enum flow_rc
refusal_too_many(struct flow *f, unsigned over, unsigned per_minute)
{
	struct err err = { .retry_after = (int)((60ull * over + per_minute - 1) / per_minute) };

	err_set(&err, ERR_RATE_LIMITED,
	    "Too many requests without a valid API key came from this address; correct the key "
	    "and try again in %d s.",
	    err.retry_after);
	err.policy = "network";
	return flow_fail_err(f, &err);
}

/* The rule has room for twice the rate, so that it also says how far over the rate a network is: 1
 * to per_minute. The slice is of the connection's memory: the store copies it. */
unsigned
refusals_over(struct limit_store *store, struct slice network, unsigned per_minute, uint64_t now_us)
{
	struct limit_rule rule = {
		.key = network,
		.count = per_minute,
		.period_us = MINUTE_US,
		.burst = 2 * per_minute,
	};
	struct limit_verdict v;

	limit_store_decide(store, &rule, 1, now_us, &v);
	if (!v.allowed)
		return per_minute;
	return v.remaining < per_minute ? per_minute - v.remaining : 0;
}

static unsigned
refusal_count(const struct request *req)
{
	unsigned per_minute = req->conf->auth_failures_per_minute, over;

	if (per_minute == 0)
		return 0;
	over = refusals_over(req->ctx->failures, http_network(req->x), per_minute, clock_mono_us());
	if (over == 1)
		log_event(LOG_NOTICE, "auth.slowed", req->request_id,
		    "Over %u requests a minute without a valid key come from %s; such are slowed "
		    "from now on.",
		    per_minute, http_remote(req->x));
	return over;
}

enum flow_rc
request_refuse(struct flow *f)
{
	const struct request *req = request_of(f);
	unsigned per_minute = req->conf->auth_failures_per_minute, over = refusal_count(req);
	struct api_shared *shared = req->ctx->shared;
	struct key_refusal *r;

	if (over == 0)
		return refuse_credential(f, req->caller.cause);
	if (atomic_fetch_add(&shared->refusals, 1) >= HOLDS_MAX) {
		request_count_decision(req, "network", "refused", "local");
		atomic_fetch_sub(&shared->refusals, 1);
		return refusal_too_many(f, over, per_minute);
	}
	request_count_decision(req, "network", "slowed", "local");
	/* The route's may be shorter, and would make a 504 of it. */
	flow_deadline(f, 2 * HOLD_MAX_US);
	r = xcalloc(1, sizeof(*r));
	r->shared = shared;
	r->cause = req->caller.cause;
	r->hold_us = HOLD_MAX_US * over / per_minute;
	return flow_call(f, &r->flow, &refusal_kind);
}
