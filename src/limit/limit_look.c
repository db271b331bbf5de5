/* SPDX-License-Identifier: MIT */
/*
 * limit_look: what is used of a limit, without using any. What is used up lies between now and the
 * key's time (limit_gcra.c), which is how long Redis keeps the key: so its PTTL says it, by Redis's
 * own clock.
 */
#include <stdlib.h>

#include "limit/limit_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"

/* A child of the caller's flow, allocated here and freed at its release. */
struct limit_looking {
	struct flow flow;	 /* first: FLOW_OF() */
	struct limiter *limiter; /* borrowed */
	struct limit_rule rule;
	struct limit_use *out;	  /* borrowed: the parent's */
	struct redis_reply reply; /* owned */
};

static flow_step_fn limit_look_ask, limit_look_read;
static flow_release_fn limit_look_release;

static const struct flow_step limit_look_steps[] = {
	{ "pttl", limit_look_ask },
	{ "read", limit_look_read },
	{ NULL, NULL },
};

static const struct flow_kind limit_look_kind = {
	.name = "limit_look",
	.steps = limit_look_steps,
	.release = limit_look_release,
};

/* Of so much time until all is free: whole requests, and never more than the burst. */
void
limit_use_fill(const struct limit_rule *rule, uint64_t busy_us, const char *source,
    struct limit_use *out)
{
	struct gcra g = gcra_of(rule);

	if (busy_us > g.tolerance_us)
		busy_us = g.tolerance_us;
	*out = (struct limit_use){
		.is_known = true,
		.used = (unsigned)((busy_us + g.interval_us - 1) / g.interval_us),
		.source = source,
	};
}

static enum flow_rc
limit_look_ask(struct flow *f)
{
	struct limit_looking *l = FLOW_OF(f, struct limit_looking, &limit_look_kind);
	const struct slice argv[] = { SLICE_LIT("PTTL"), l->rule.key };

	return redis_command(f, l->limiter->redis, argv, 2, &l->reply);
}

/* -2: there is no such key, so nothing is used. Milliseconds, rounded up by a request's check: one
 * is taken off, lest a request more be shown. */
static enum flow_rc
limit_look_read(struct flow *f)
{
	struct limit_looking *l = FLOW_OF(f, struct limit_looking, &limit_look_kind);
	int64_t ms = l->reply.number;

	if (l->reply.status == REDIS_OK)
		limit_use_fill(&l->rule, ms > 1 ? (uint64_t)(ms - 1) * 1000 : 0, "redis", l->out);
	return FLOW_DONE;
}

static void
limit_look_release(struct flow *f)
{
	struct limit_looking *l = FLOW_OF(f, struct limit_looking, &limit_look_kind);

	redis_clear(&l->reply);
	free(l);
}

enum flow_rc
limit_look(struct flow *f, struct limiter *l, const struct limit_rule *rule, struct limit_use *out)
{
	struct limit_looking *looking;
	uint64_t tat, now = clock_mono_us();

	*out = (struct limit_use){ 0 };
	if (rule->count == 0 || (l->redis == NULL && l->store == NULL))
		return FLOW_NEXT;
	if (l->redis == NULL || (!redis_is_up(l->redis) && l->mode == LIMIT_LOCAL)) {
		tat = limit_store_look(l->store, rule->key);
		limit_use_fill(rule, tat > now ? tat - now : 0, "local", out);
		return FLOW_NEXT;
	}
	if (!redis_is_up(l->redis))
		return FLOW_NEXT;
	looking = xcalloc(1, sizeof(*looking));
	looking->limiter = l;
	looking->rule = *rule;
	looking->out = out;
	return flow_call(f, &looking->flow, &limit_look_kind);
}
