/* SPDX-License-Identifier: MIT */
/*
 * quota_hold: see the header. A settlement in Redis is a flow of its own, for which nobody waits:
 *
 *	[evalsha] --NOSCRIPT--> [eval] --> [settled] --no reply--> [pause] --> [evalsha]
 *
 * It is repeated as long as its lease can be there, for it counts only where it takes that out.
 * After that Redis has given everything back by itself, and what the request has taken is not in
 * its counters (it is in the tenant's usage).
 */
#include "limit/quota_hold.h"

#include <stdio.h>
#include <stdlib.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/random.h"

#define PAUSE_US 500000

static flow_step_fn settle_evalsha, settle_eval, settle_check, settle_again;
static flow_release_fn settle_release;

static const struct flow_step quota_settle_steps[] = {
	{ "evalsha", settle_evalsha },
	{ "eval", settle_eval },
	{ "settled", settle_check },
	{ "again", settle_again },
	{ NULL, NULL },
};

static const struct flow_kind quota_settle_kind = { "quota_settle", quota_settle_steps, NULL,
	settle_release };

/* What a lease holds is in its name, so that whoever takes it out knows. */
static void
lease_name(char out[QUOTA_LEASE_SIZE], uint64_t tokens, bool is_stream)
{
	char id[QUOTA_ID_LEN + 1];

	id_random(id, QUOTA_ID_LEN);
	(void)snprintf(out, QUOTA_LEASE_SIZE, "%s:%llu:%d", id, (unsigned long long)tokens,
	    is_stream);
}

struct quota_hold *
quota_hold_new(struct limiter *l, const struct quota_request *request, bool is_local)
{
	size_t state = request->state_key.len, leases = request->leases_key.len;
	struct quota_hold *h = xcalloc(1, sizeof(*h) + state + leases);

	h->limiter = l;
	h->request = *request;
	h->is_local = is_local;
	memcpy(h->keys, request->state_key.p, state);
	memcpy(h->keys + state, request->leases_key.p, leases);
	h->request.state_key = slice_of(h->keys, state);
	h->request.leases_key = slice_of(h->keys + state, leases);
	if (!is_local)
		lease_name(h->lease, request->tokens, request->is_stream);
	return h;
}

void
quota_hold_free(struct quota_hold *h)
{
	if (h == NULL)
		return;
	if (h->is_kept)
		TAILQ_REMOVE(&h->limiter->holds, h, link);
	redis_clear(&h->reply);
	timer_free(&h->pause);
	free(h);
}

struct quota_order
quota_hold_order(const struct quota_hold *h, enum quota_act act, uint64_t tokens)
{
	return (struct quota_order){
		.act = act,
		.state_key = h->request.state_key,
		.leases_key = h->request.leases_key,
		.quota = h->request.quota,
		.tokens = tokens,
		.lease = h->lease,
		.new_lease = "",
		.is_stream = h->request.is_stream,
		.lease_us = h->limiter->lease_us,
	};
}

/* Nobody waits. Where Redis has lost the script it has lost the leases, too. */
static void
order_send(const struct limiter *l, const struct quota_order *o)
{
	struct quota_call call;

	quota_call_make(&call, LIMIT_EVALSHA, o, NULL, 0);
	redis_send(l->redis, call.words, call.count);
}

/* ---- leases ---- */

static void
holds_renew(void *arg)
{
	struct limiter *l = arg;
	uint64_t now = clock_mono_us();
	struct quota_hold *h;

	TAILQ_FOREACH(h, &l->holds, link) {
		struct quota_order o = quota_hold_order(h, QUOTA_RENEW, 0);

		if (now - h->renewed_us < l->lease_us / 3)
			continue;
		h->renewed_us = now;
		order_send(l, &o);
	}
	if (!TAILQ_EMPTY(&l->holds))
		timer_start(&l->renewal, l->lease_us / 6);
}

void
quota_open(struct limiter *l)
{
	TAILQ_INIT(&l->holds);
	l->lease_us = LIMIT_LEASE_US;
	if (!timer_init(&l->renewal, l->worker, holds_renew, l))
		abort();
}

void
limit_set_lease(struct limiter *l, uint64_t us)
{
	l->lease_us = us;
}

void
quota_close(struct limiter *l)
{
	timer_free(&l->renewal);
}

void
quota_hold_keep(struct quota_hold *h)
{
	struct limiter *l = h->limiter;

	h->is_kept = true;
	h->renewed_us = clock_mono_us();
	TAILQ_INSERT_TAIL(&l->holds, h, link);
	if (!l->renewal.set)
		timer_start(&l->renewal, l->lease_us / 6);
}

/* ---- what the request learns of itself ---- */

void
quota_adjust(struct quota_hold *h, uint64_t tokens)
{
	char name[QUOTA_LEASE_SIZE];
	struct quota_order o;
	struct quota_change c;

	if (h == NULL)
		return;
	tokens = quota_reserve(&h->request.quota, tokens);
	if (tokens == h->request.tokens)
		return;
	if (h->is_local) {
		c = (struct quota_change){ .give_back = h->request.tokens, .take = tokens };
		limit_store_change(h->limiter->store, h->request.state_key, &h->request.quota,
		    quota_clock(), &c);
	} else {
		lease_name(name, tokens, h->request.is_stream);
		o = quota_hold_order(h, QUOTA_ADJUST, tokens);
		o.new_lease = name;
		order_send(h->limiter, &o);
		memcpy(h->lease, name, sizeof(name));
	}
	h->request.tokens = tokens;
}

void
quota_seed(struct limiter *l, const struct quota_request *request, uint64_t tokens)
{
	const struct quota_change c = { .seeds = true, .seed = tokens };
	const struct quota_order o = { .act = QUOTA_SEED,
		.state_key = request->state_key,
		.leases_key = request->leases_key,
		.quota = request->quota,
		.tokens = tokens,
		.lease = "",
		.new_lease = "" };

	if (l->redis != NULL && redis_is_up(l->redis))
		order_send(l, &o);
	else
		limit_store_change(l->store, request->state_key, &request->quota, quota_clock(),
		    &c);
}

/* ---- the settlement ---- */

static struct quota_hold *
hold_of(struct flow *f)
{
	return FLOW_OF(f, struct quota_hold, &quota_settle_kind);
}

static enum flow_rc
settle_send(struct quota_hold *h, enum limit_call_kind kind)
{
	redis_clear(&h->reply);
	h->order = quota_hold_order(h, QUOTA_SETTLE, h->used);
	quota_call_make(&h->call, kind, &h->order, NULL, 0);
	return redis_command(&h->flow, h->limiter->redis, h->call.words, h->call.count, &h->reply);
}

static enum flow_rc
settle_evalsha(struct flow *f)
{
	return settle_send(hold_of(f), LIMIT_EVALSHA);
}

static enum flow_rc
settle_eval(struct flow *f)
{
	struct quota_hold *h = hold_of(f);

	if (h->reply.status != REDIS_ERROR || !slice_starts(h->reply.text, "NOSCRIPT"))
		return FLOW_NEXT;
	return settle_send(h, LIMIT_EVAL);
}

static enum flow_rc
settle_check(struct flow *f)
{
	struct quota_hold *h = hold_of(f);
	uint64_t age = clock_mono_us() - h->renewed_us;

	if (quota_call_is_run(&h->reply) || age >= h->limiter->lease_us)
		return FLOW_DONE;
	return flow_sleep(f, &h->pause, PAUSE_US);
}

static enum flow_rc
settle_again(struct flow *f)
{
	return flow_goto(f, settle_evalsha);
}

static void
settle_release(struct flow *f)
{
	quota_hold_free(hold_of(f));
}

/* Its lease is not renewed any more, and is no longer on the list. */
void
quota_settle(struct quota_hold **hold, uint64_t used)
{
	struct quota_hold *h = *hold;

	*hold = NULL;
	if (h == NULL)
		return;
	if (h->is_local) {
		const struct quota_change c = { .give_back = h->request.tokens,
			.used = used,
			.ends_stream = h->request.is_stream };

		limit_store_change(h->limiter->store, h->request.state_key, &h->request.quota,
		    quota_clock(), &c);
		quota_hold_free(h);
		return;
	}
	if (h->is_kept)
		TAILQ_REMOVE(&h->limiter->holds, h, link);
	else
		h->renewed_us = clock_mono_us();
	h->is_kept = false;
	h->used = used;
	flow_start(&h->flow, &quota_settle_kind, h->limiter->worker, NULL);
}
