/* SPDX-License-Identifier: MIT */
/*
 * quota: the check that reserves, and what becomes of the hold.
 *
 *	quota_check: no redis_url --> this process's store
 *	             link down    --> failure mode: store, let in without a hold, or ERR_LIMITER
 *	             link up      --> [evalsha] --NOSCRIPT--> [eval] --> [decide]
 *	aborted in the middle, or not answered: the script may have been run, and is followed by a
 *	settlement of 0
 *
 * What always holds: a hold that was given out is settled once, by its caller; one of Redis is on
 * quota_renew.c's lists meanwhile, and its lease is renewed each third of its time.
 */
#include <stdlib.h>

#include "limit/quota_hold.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"

/* One check by Redis: a child of the caller's flow. */
struct quota_check {
	struct flow flow;
	struct limiter *limiter;       /* borrowed */
	struct limit_verdict *verdict; /* borrowed, as the next two: the parent's */
	struct quota_verdict *quota_verdict;
	struct quota_hold **out;
	struct quota_hold *hold; /* owned until it is given out */
	struct limit_rules rules;
	struct quota_request ask;
	struct quota_order order;
	struct quota_call call;
	struct redis_reply reply; /* owned */
};

static flow_step_fn quota_check_evalsha, quota_check_eval, quota_check_decide;
static flow_end_fn quota_check_end;
static flow_release_fn quota_check_release;

static const struct flow_step quota_check_steps[] = {
	{ "evalsha", quota_check_evalsha },
	{ "eval", quota_check_eval },
	{ "decide", quota_check_decide },
	{ NULL, NULL },
};

static const struct flow_kind quota_check_kind = { "quota", quota_check_steps, quota_check_end,
	quota_check_release };

static struct quota_check *
quota_check_of(struct flow *f)
{
	return FLOW_OF(f, struct quota_check, &quota_check_kind);
}

struct quota_now
quota_clock(void)
{
	return (struct quota_now){ clock_mono_us(), clock_wall_us() / 1000000 };
}

/* Each process for itself and from zero. */
static enum flow_rc
take_locally(struct limiter *l, const struct limit_rules *rules, const struct quota_request *ask,
    struct limit_verdict *v, struct quota_verdict *q, struct quota_hold **out)
{
	if (limit_store_take(l->store, rules->list, rules->count, ask, quota_clock(), v, q))
		*out = quota_hold_new(l, ask, true);
	v->which = rules->count > 0 ? rules->index[v->which] : 0;
	return FLOW_NEXT;
}

static enum flow_rc
take_without_redis(struct flow *f, struct limiter *l, const struct limit_rules *rules,
    const struct quota_request *ask, struct limit_verdict *v, struct quota_verdict *q,
    struct quota_hold **out)
{
	if (l->mode == LIMIT_LOCAL)
		return take_locally(l, rules, ask, v, q, out);
	if (l->mode == LIMIT_CLOSED)
		return limit_refuse_closed(f);
	*v = (struct limit_verdict){ .allowed = true, .mode = "open" };
	return FLOW_NEXT;
}

/* ---- the check by Redis ---- */

static enum flow_rc
quota_check_send(struct quota_check *c, enum limit_call_kind kind)
{
	c->order = quota_hold_order(c->hold, QUOTA_TAKE, c->ask.tokens);
	quota_call_make(&c->call, kind, &c->order, c->rules.list, c->rules.count);
	return redis_command(&c->flow, c->limiter->redis, c->call.words, c->call.count, &c->reply);
}

static enum flow_rc
quota_check_evalsha(struct flow *f)
{
	return quota_check_send(quota_check_of(f), LIMIT_EVALSHA);
}

/* Nothing was charged before. */
static enum flow_rc
quota_check_eval(struct flow *f)
{
	struct quota_check *c = quota_check_of(f);

	if (c->reply.status != REDIS_ERROR || !slice_starts(c->reply.text, "NOSCRIPT"))
		return FLOW_NEXT;
	redis_clear(&c->reply);
	return quota_check_send(c, LIMIT_EVAL);
}

/* What Redis has not answered, or not as the script does, it may have taken all the same. */
static void
quota_check_return(struct quota_hold *hold, enum redis_status status)
{
	if (status == REDIS_ERROR || status == REDIS_BUSY)
		quota_hold_free(hold);
	else
		quota_settle(&hold, 0);
}

static enum flow_rc
quota_check_decide(struct flow *f)
{
	struct quota_check *c = quota_check_of(f);
	struct quota_hold *hold = c->hold;
	bool is_read = quota_call_read(&c->reply, &c->order, c->rules.list, c->rules.count,
	    c->verdict, c->quota_verdict);

	c->hold = NULL;
	if (!is_read) {
		quota_check_return(hold, c->reply.status);
		limit_refusal_note(c->limiter, &c->reply);
		return take_without_redis(f, c->limiter, &c->rules, &c->ask, c->verdict,
		    c->quota_verdict, c->out);
	}
	c->limiter->refused_us = 0;
	if (c->rules.count > 0)
		c->verdict->which = c->rules.index[c->verdict->which];
	if (c->verdict->allowed && c->quota_verdict->refused == QUOTA_NONE) {
		quota_hold_keep(hold);
		*c->out = hold;
	} else {
		quota_hold_free(hold);
	}
	return FLOW_NEXT;
}

static void
quota_check_end(struct flow *f, const struct err *err)
{
	struct quota_check *c = quota_check_of(f);

	if (err_is(err) && c->hold != NULL)
		quota_settle(&c->hold, 0);
}

static void
quota_check_release(struct flow *f)
{
	struct quota_check *c = quota_check_of(f);

	redis_clear(&c->reply);
	quota_hold_free(c->hold);
	free(c);
}

enum flow_rc
quota_check(struct flow *f, struct limiter *l, const struct limit_rule *rules, unsigned n,
    const struct quota_request *request, struct limit_verdict *v, struct quota_verdict *q,
    struct quota_hold **out)
{
	struct quota_request ask = *request;
	struct limit_rules active;
	struct quota_check *c;

	*q = (struct quota_verdict){ .refused = QUOTA_NONE };
	*out = NULL;
	ask.tokens = quota_reserve(&ask.quota, ask.tokens);
	limit_rules_select(&active, rules, n);
	if (l->redis == NULL)
		return take_locally(l, &active, &ask, v, q, out);
	if (!redis_is_up(l->redis))
		return take_without_redis(f, l, &active, &ask, v, q, out);
	c = xcalloc(1, sizeof(*c));
	c->limiter = l;
	c->verdict = v;
	c->quota_verdict = q;
	c->out = out;
	c->rules = active;
	c->ask = ask;
	c->hold = quota_hold_new(l, &ask, false);
	return flow_call(f, &c->flow, &quota_check_kind);
}
