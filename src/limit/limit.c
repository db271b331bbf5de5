/* SPDX-License-Identifier: MIT */
/*
 * limit: a visit to the limiter: Redis's script when Redis is there, and what the failure mode
 * says when it is not. A Redis that hangs costs one visit its timeout; the link is down then, and
 * those after it are decided at once.
 */
#include "tenantgate/limit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "limit/limit_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

struct limiter {
	struct redis *redis;	   /* borrowed; NULL: the store decides */
	struct limit_store *store; /* borrowed */
	enum limit_failure_mode mode;
};

/* The asks that limit anything, and where they stood. */
struct limit_rules {
	struct limit_rule list[LIMIT_RULES_MAX];
	unsigned from[LIMIT_RULES_MAX];
	unsigned count;
};

struct limit_check {
	struct flow flow;
	struct limiter *limiter;       /* borrowed */
	struct limit_verdict *verdict; /* borrowed: the parent's */
	struct limit_rules rules;
	struct limit_call call;
	struct redis_reply reply;
};

static flow_step_fn limit_check_evalsha, limit_check_eval, limit_check_decide;
static flow_release_fn limit_check_release;

static const struct flow_step limit_check_steps[] = {
	{ "evalsha", limit_check_evalsha },
	{ "eval", limit_check_eval },
	{ "decide", limit_check_decide },
	{ NULL, NULL },
};

static const struct flow_kind limit_check_kind = {
	.name = "limit",
	.steps = limit_check_steps,
	.release = limit_check_release,
};

static void
rules_select(struct limit_rules *a, const struct limit_rule *rules, unsigned n)
{
	assert(n <= LIMIT_RULES_MAX);
	a->count = 0;
	for (unsigned i = 0; i < n; i++) {
		assert(rules[i].key.len <= LIMIT_KEY_MAX);
		if (rules[i].count == 0)
			continue;
		a->list[a->count] = rules[i];
		a->from[a->count++] = i;
	}
}

static enum flow_rc
decide_locally(struct limiter *l, const struct limit_rules *a, struct limit_verdict *v)
{
	limit_store_decide(l->store, a->list, a->count, clock_mono_us(), v);
	v->which = a->from[v->which];
	return FLOW_NEXT;
}

static enum flow_rc
decide_without_redis(struct flow *f, struct limiter *l, const struct limit_rules *a,
    struct limit_verdict *v)
{
	struct err err = { .retry_after = 1 };

	switch (l->mode) {
	case LIMIT_LOCAL:
		return decide_locally(l, a, v);
	case LIMIT_OPEN:
		*v = (struct limit_verdict){ .allowed = true, .mode = "open" };
		return FLOW_NEXT;
	case LIMIT_CLOSED:
		break;
	}
	err_set(&err, ERR_LIMITER, "The rate limiter does not answer.");
	return flow_fail_err(f, &err);
}

/* ---- the visit to Redis ---- */

static enum flow_rc
limit_check_evalsha(struct flow *f)
{
	struct limit_check *v = FLOW_OF(f, struct limit_check, &limit_check_kind);

	limit_call_make(&v->call, LIMIT_EVALSHA, v->rules.list, v->rules.count);
	return redis_command(f, v->limiter->redis, v->call.words, v->call.count, &v->reply);
}

/* The first time, and after a restart or a SCRIPT FLUSH: Redis has to be told the script. */
static enum flow_rc
limit_check_eval(struct flow *f)
{
	struct limit_check *v = FLOW_OF(f, struct limit_check, &limit_check_kind);

	if (v->reply.status != REDIS_ERROR || !slice_starts(v->reply.text, "NOSCRIPT"))
		return FLOW_NEXT;
	limit_call_make(&v->call, LIMIT_EVAL, v->rules.list, v->rules.count);
	return redis_command(f, v->limiter->redis, v->call.words, v->call.count, &v->reply);
}

static enum flow_rc
limit_check_decide(struct flow *f)
{
	struct limit_check *v = FLOW_OF(f, struct limit_check, &limit_check_kind);
	uint64_t now_us;

	if (limit_call_read(&v->reply, v->rules.list, v->rules.count, v->verdict, &now_us)) {
		v->verdict->which = v->rules.from[v->verdict->which];
		return FLOW_NEXT;
	}
	if (v->reply.status == REDIS_OK || v->reply.status == REDIS_ERROR)
		log_event(LOG_ERR, "limit.script", f->request_id, "%.*s",
		    SLICE_ARG(v->reply.status == REDIS_ERROR ? v->reply.text
							     : SLICE_LIT("a strange reply")));
	return decide_without_redis(f, v->limiter, &v->rules, v->verdict);
}

static void
limit_check_release(struct flow *f)
{
	struct limit_check *v = FLOW_OF(f, struct limit_check, &limit_check_kind);

	redis_clear(&v->reply);
	free(v);
}

enum flow_rc
limit_check(struct flow *f, struct limiter *l, const struct limit_rule *rules, unsigned n,
    struct limit_verdict *verdict)
{
	struct limit_rules a;
	struct limit_check *v;

	rules_select(&a, rules, n);
	if (a.count == 0) {
		*verdict = (struct limit_verdict){ .allowed = true, .mode = "local" };
		return FLOW_NEXT;
	}
	if (l->redis == NULL)
		return decide_locally(l, &a, verdict);
	if (!redis_is_up(l->redis))
		return decide_without_redis(f, l, &a, verdict);
	v = xcalloc(1, sizeof(*v));
	v->limiter = l;
	v->verdict = verdict;
	v->rules = a;
	return flow_call(f, &v->flow, &limit_check_kind);
}

struct limiter *
limit_open(struct worker *w, struct redis *redis, struct limit_store *store,
    enum limit_failure_mode mode)
{
	struct limiter *l = xcalloc(1, sizeof(*l));

	(void)w; /* a visit runs on its flow's worker; the redis link is that worker's */
	l->redis = redis;
	l->store = store;
	l->mode = mode;
	return l;
}

void
limit_close(struct limiter *l)
{
	free(l);
}
