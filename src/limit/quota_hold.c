/* SPDX-License-Identifier: MIT */
/*
 * quota_hold: see the header. What Redis is told of a hold is told by one flow, an order after the
 * other, for which nobody waits:
 *
 *	quota_adjust(), quota_settle() --> [next] --> [evalsha] --NOSCRIPT--> [eval] --> [answered]
 *	                                     ^  ^______________________________________________/ |
 *	                                     \________________ [pause] <-----------no answer ----/
 *
 *	adjust	until it is confirmed, or the hold is settled; then its lease has the other name
 *	settle	for a lease's time; it counts where it takes the lease out
 *	count	once: the lease was gone, and no settlement can have counted before
 *
 * What always holds: what Redis has not confirmed is not taken for done. While nobody knows which
 * of two names the lease has, each order names both. What cannot be settled within a lease's time
 * Redis gives back by itself, and what the request has taken then is in the tenant's usage alone.
 */
#include "limit/quota_hold.h"

#include <stdio.h>
#include <stdlib.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/random.h"

#define PAUSE_US 500000
#define USED_MAX 1000000000000000ull /* what a server says that a request took may be any number */

static flow_step_fn hold_next, hold_evalsha, hold_eval, hold_answered, hold_again;
static flow_release_fn hold_release;

static const struct flow_step hold_steps[] = {
	{ "next", hold_next },
	{ "evalsha", hold_evalsha },
	{ "eval", hold_eval },
	{ "answered", hold_answered },
	{ "again", hold_again },
	{ NULL, NULL },
};

static const struct flow_kind hold_kind = { "quota_hold", hold_steps, NULL, hold_release };

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
	h->wanted = request->tokens;
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
	quota_hold_leave(h);
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
		.new_lease = h->other,
		.is_stream = h->request.is_stream,
		.lease_us = h->limiter->lease_us,
	};
}

/* ---- what the request learns of itself ---- */

static void
hold_run(struct quota_hold *h)
{
	if (h->is_running)
		return;
	h->is_running = true;
	flow_start(&h->flow, &hold_kind, h->limiter->worker, NULL);
}

void
quota_adjust(struct quota_hold *h, uint64_t tokens)
{
	struct quota_change c;

	if (h == NULL)
		return;
	tokens = quota_reserve(&h->request.quota, tokens);
	if (tokens == h->wanted)
		return;
	h->wanted = tokens;
	if (!h->is_local) {
		hold_run(h);
		return;
	}
	c = (struct quota_change){ .give_back = h->request.tokens, .take = tokens };
	limit_store_change(h->limiter->store, h->request.state_key, &h->request.quota,
	    quota_clock(), &c);
	h->request.tokens = tokens;
}

/* Nobody waits: where it is lost, the next request is told that the month is new, too. */
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
	struct quota_call call;

	if (l->redis == NULL || !redis_is_up(l->redis)) {
		limit_store_change(l->store, request->state_key, &request->quota, quota_clock(),
		    &c);
		return;
	}
	quota_call_make(&call, LIMIT_EVALSHA, &o, NULL, 0);
	redis_send(l->redis, call.words, call.count);
}

/* Its lease is not renewed any more. */
void
quota_settle(struct quota_hold **hold, uint64_t used)
{
	struct quota_hold *h = *hold;

	*hold = NULL;
	if (h == NULL)
		return;
	if (used > USED_MAX)
		used = USED_MAX;
	if (h->is_local) {
		const struct quota_change c = { .give_back = h->request.tokens,
			.used = used,
			.ends_stream = h->request.is_stream };

		limit_store_change(h->limiter->store, h->request.state_key, &h->request.quota,
		    quota_clock(), &c);
		quota_hold_free(h);
		return;
	}
	quota_hold_leave(h);
	h->is_settling = true;
	h->settling_us = clock_mono_us();
	h->used = used;
	hold_run(h);
}

/* ---- the flow ---- */

static struct quota_hold *
hold_of(struct flow *f)
{
	return FLOW_OF(f, struct quota_hold, &hold_kind);
}

/* An adjustment that nobody knows of is sent again as it was, before there is another. */
static enum flow_rc
hold_next(struct flow *f)
{
	struct quota_hold *h = hold_of(f);

	if (h->is_settling) {
		h->has_settled = true;
		h->order = quota_hold_order(h, h->is_lost ? QUOTA_COUNT : QUOTA_SETTLE, h->used);
		return FLOW_NEXT;
	}
	if (h->other[0] == '\0') {
		if (h->wanted == h->request.tokens)
			return FLOW_DONE;
		h->other_tokens = h->wanted;
		lease_name(h->other, h->wanted, h->request.is_stream);
	}
	h->order = quota_hold_order(h, QUOTA_ADJUST, h->other_tokens);
	return FLOW_NEXT;
}

static enum flow_rc
hold_send(struct quota_hold *h, enum limit_call_kind kind)
{
	redis_clear(&h->reply);
	h->was_up = redis_is_up(h->limiter->redis);
	quota_call_make(&h->call, kind, &h->order, NULL, 0);
	return redis_command(&h->flow, h->limiter->redis, h->call.words, h->call.count, &h->reply);
}

static enum flow_rc
hold_evalsha(struct flow *f)
{
	return hold_send(hold_of(f), LIMIT_EVALSHA);
}

static enum flow_rc
hold_eval(struct flow *f)
{
	struct quota_hold *h = hold_of(f);

	if (h->reply.status != REDIS_ERROR || !slice_starts(h->reply.text, "NOSCRIPT"))
		return FLOW_NEXT;
	return hold_send(h, LIMIT_EVAL);
}

/* Redis may have run it all the same. Not so what it refuses: the script's first write is refused,
 * or none is; nor what had no link, or no room on it. */
static bool
is_in_doubt(const struct quota_hold *h)
{
	switch (h->reply.status) {
	case REDIS_ERROR:
	case REDIS_BUSY:
		return false;
	case REDIS_DOWN:
		return h->was_up;
	default:
		return !quota_call_is_run(&h->reply);
	}
}

static enum flow_rc
hold_adjusted(struct quota_hold *h)
{
	memcpy(h->lease, h->other, sizeof(h->lease));
	h->other[0] = '\0';
	h->request.tokens = h->other_tokens;
	return flow_goto(&h->flow, hold_next);
}

/* A lease that was gone at the first settlement was over, or Redis has lost it. At a later one it
 * may have been the settlement before that took it. */
static enum flow_rc
hold_settled(struct quota_hold *h)
{
	if (h->is_lost || quota_call_was_there(&h->reply) || h->is_doubtful || h->used == 0)
		return FLOW_DONE;
	h->is_lost = true;
	return flow_goto(&h->flow, hold_next);
}

static enum flow_rc
hold_answered(struct flow *f)
{
	struct quota_hold *h = hold_of(f);
	bool was_settling = h->order.act != QUOTA_ADJUST;

	if (quota_call_is_run(&h->reply))
		return was_settling ? hold_settled(h) : hold_adjusted(h);
	if (!was_settling && h->is_settling)
		return flow_goto(f, hold_next);
	if (was_settling && is_in_doubt(h)) {
		if (h->is_lost)
			return FLOW_DONE;
		h->is_doubtful = true;
	}
	if (was_settling && clock_mono_us() - h->settling_us >= h->limiter->lease_us)
		return FLOW_DONE;
	return flow_sleep(f, &h->pause, PAUSE_US);
}

static enum flow_rc
hold_again(struct flow *f)
{
	return flow_goto(f, hold_next);
}

/* One that was aborted over an adjustment (the process ends) is settled all the same, once. */
static void
hold_release(struct flow *f)
{
	struct quota_hold *h = hold_of(f);

	h->is_running = false;
	if (h->has_settled)
		quota_hold_free(h);
	else if (h->is_settling)
		hold_run(h);
}
