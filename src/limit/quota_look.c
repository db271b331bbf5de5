/* SPDX-License-Identifier: MIT */
/*
 * quota_look: what is used of a rate and of quotas, without using any: the script that decides
 * reads both, by Redis's own clock, and writes nothing.
 */
#include <stdlib.h>

#include "limit/quota_hold.h"
#include "tenantgate/base/alloc.h"

/* A child of the caller's flow, allocated here and freed at its release. */
struct quota_looking {
	struct flow flow;	 /* first: FLOW_OF() */
	struct limiter *limiter; /* borrowed */
	struct limit_rules rules;
	struct quota_request ask;
	struct limit_use *rate; /* borrowed, as the next: the parent's */
	struct quota_use *quota;
	struct quota_order order;
	struct quota_call call;
	struct redis_reply reply; /* owned */
};

static flow_step_fn quota_look_evalsha, quota_look_eval, quota_look_read;
static flow_release_fn quota_look_release;

static const struct flow_step quota_look_steps[] = {
	{ "evalsha", quota_look_evalsha },
	{ "eval", quota_look_eval },
	{ "read", quota_look_read },
	{ NULL, NULL },
};

static const struct flow_kind quota_look_kind = { "quota_look", quota_look_steps, NULL,
	quota_look_release };

static struct quota_looking *
quota_looking_of(struct flow *f)
{
	return FLOW_OF(f, struct quota_looking, &quota_look_kind);
}

static void
use_fill(const struct quota_state *s, const char *source, struct quota_use *out)
{
	*out = (struct quota_use){
		.is_known = true,
		.month_is_known = s->has_seed,
		.minute = (uint64_t)s->level,
		.month = s->used + s->seeded + s->held,
		.streams = s->streams,
		.source = source,
	};
}

static enum flow_rc
quota_look_send(struct quota_looking *l, enum limit_call_kind kind)
{
	l->order = (struct quota_order){ .act = QUOTA_LOOK,
		.state_key = l->ask.state_key,
		.leases_key = l->ask.leases_key,
		.quota = l->ask.quota,
		.lease = "",
		.new_lease = "" };
	quota_call_make(&l->call, kind, &l->order, l->rules.list, l->rules.count);
	return redis_command(&l->flow, l->limiter->redis, l->call.words, l->call.count, &l->reply);
}

static enum flow_rc
quota_look_evalsha(struct flow *f)
{
	return quota_look_send(quota_looking_of(f), LIMIT_EVALSHA);
}

static enum flow_rc
quota_look_eval(struct flow *f)
{
	struct quota_looking *l = quota_looking_of(f);

	if (l->reply.status != REDIS_ERROR || !slice_starts(l->reply.text, "NOSCRIPT"))
		return FLOW_NEXT;
	redis_clear(&l->reply);
	return quota_look_send(l, LIMIT_EVAL);
}

static enum flow_rc
quota_look_read(struct flow *f)
{
	struct quota_looking *l = quota_looking_of(f);
	int64_t now, tat = 0;
	struct quota_state s;

	if (!quota_call_state(&l->reply, l->rules.count, &s) || !redis_int_at(&l->reply, 1, &now))
		return FLOW_DONE;
	use_fill(&s, "redis", l->quota);
	if (l->rules.count > 0 && redis_int_at(&l->reply, 2, &tat))
		limit_use_fill(&l->rules.list[0], tat > now ? (uint64_t)(tat - now) : 0, "redis",
		    l->rate);
	return FLOW_DONE;
}

static void
quota_look_release(struct flow *f)
{
	struct quota_looking *l = quota_looking_of(f);

	redis_clear(&l->reply);
	free(l);
}

/* A tenant that the store does not know of has used nothing here. */
static void
look_locally(struct limiter *l, const struct quota_request *ask, struct quota_use *out)
{
	struct quota_state s = { 0 };

	(void)limit_store_state(l->store, ask->state_key, &ask->quota, quota_clock(), &s);
	use_fill(&s, "local", out);
}

enum flow_rc
quota_look(struct flow *f, struct limiter *l, const struct limit_rule *rule,
    const struct quota_request *ask, struct limit_use *rate, struct quota_use *quota)
{
	struct quota_looking *looking;

	*quota = (struct quota_use){ 0 };
	if (l->redis == NULL || !redis_is_up(l->redis)) {
		if (l->store != NULL && (l->redis == NULL || l->mode == LIMIT_LOCAL))
			look_locally(l, ask, quota);
		return limit_look(f, l, rule, rate);
	}
	*rate = (struct limit_use){ 0 };
	looking = xcalloc(1, sizeof(*looking));
	looking->limiter = l;
	limit_rules_select(&looking->rules, rule, 1);
	looking->ask = *ask;
	looking->rate = rate;
	looking->quota = quota;
	return flow_call(f, &looking->flow, &quota_look_kind);
}
