/* SPDX-License-Identifier: MIT */
/*
 * limit: one limit check: by the script in Redis when the link is up, by the failure mode when not.
 *
 *	limit_check: no rule limits anything --> allowed
 *	             no redis_url            --> this process's store
 *	             link down               --> failure mode: store, allowed, or ERR_LIMITER
 *	             link up                 --> [evalsha] --NOSCRIPT--> [eval] --> [decide]
 *	[decide]: the verdict, or the failure mode when the reply is no result
 *
 * A Redis that hangs costs one check its time-out (redis_timeout); the link is down then, and
 * checks after it are decided at once. A Redis that refuses scripts is down too (wire/redis.h); one
 * that refuses this script alone is asked each time, and costs the wait for its reply.
 */
#include "tenantgate/limit.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limit/limit_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

/* The last check's refusal is the condition for so long, when no other check comes. */
#define REFUSAL_US (10 * 1000000ull)

/* One check by Redis: a child of the caller's flow, allocated here and freed at its release. */
struct limit_check {
	struct flow flow;	       /* first: FLOW_OF() */
	struct limiter *limiter;       /* borrowed */
	struct limit_verdict *verdict; /* borrowed: the parent's */
	struct limit_rules rules;
	struct limit_call call;	  /* the words of the last command */
	struct redis_reply reply; /* owned: of the last command */
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

void
limit_rules_select(struct limit_rules *active, const struct limit_rule *rules, unsigned n)
{
	assert(n <= LIMIT_RULES_MAX);
	active->count = 0;
	for (unsigned i = 0; i < n; i++) {
		assert(rules[i].key.len <= LIMIT_KEY_MAX);
		if (rules[i].count == 0)
			continue;
		active->list[active->count] = rules[i];
		active->index[active->count++] = i;
	}
}

/* By the monotonic clock: setting the system's clock neither locks out nor lets in. */
static enum flow_rc
decide_locally(struct limiter *l, const struct limit_rules *active, struct limit_verdict *v)
{
	limit_store_decide(l->store, active->list, active->count, clock_mono_us(), v);
	v->which = active->index[v->which];
	return FLOW_NEXT;
}

enum flow_rc
limit_refuse_closed(struct flow *f)
{
	struct err err = { .retry_after = 1 };

	err_set(&err, ERR_LIMITER, "The rate limiter cannot be reached; try again in a moment.");
	return flow_fail_err(f, &err);
}

/*
 * The failure mode trades. Local: each process counts for itself and from zero, so n replicas let
 * up to n times the rate through. Open: no limit at all. Closed: no request that has a limit is
 * served (503) while Redis is away.
 */
static enum flow_rc
decide_without_redis(struct flow *f, struct limiter *l, const struct limit_rules *active,
    struct limit_verdict *v)
{
	switch (l->mode) {
	case LIMIT_LOCAL:
		return decide_locally(l, active, v);
	case LIMIT_OPEN:
		*v = (struct limit_verdict){ .allowed = true, .mode = "open" };
		return FLOW_NEXT;
	case LIMIT_CLOSED:
		break;
	}
	return limit_refuse_closed(f);
}

/* ---- the check by Redis ---- */

/* By its digest: 40 bytes on the wire in place of the script. */
static enum flow_rc
limit_check_evalsha(struct flow *f)
{
	struct limit_check *check = FLOW_OF(f, struct limit_check, &limit_check_kind);

	limit_call_make(&check->call, LIMIT_EVALSHA, check->rules.list, check->rules.count);
	return redis_command(f, check->limiter->redis, check->call.words, check->call.count,
	    &check->reply);
}

/* NOSCRIPT: Redis does not know the digest, at the first time and after a restart or a SCRIPT
 * FLUSH. EVAL sends the script, runs it and keeps it for the next EVALSHA. Nothing was charged
 * before. */
static enum flow_rc
limit_check_eval(struct flow *f)
{
	struct limit_check *check = FLOW_OF(f, struct limit_check, &limit_check_kind);

	if (check->reply.status != REDIS_ERROR || !slice_starts(check->reply.text, "NOSCRIPT"))
		return FLOW_NEXT;
	limit_call_make(&check->call, LIMIT_EVAL, check->rules.list, check->rules.count);
	return redis_command(f, check->limiter->redis, check->call.words, check->call.count,
	    &check->reply);
}

/* What Redis answered, but not with a result (a server too old for the script, a key of another
 * type), is the limiter's to tell; a link that is down tells for itself. */
void
limit_refusal_note(struct limiter *l, const struct redis_reply *reply)
{
	static struct log_pace pace;
	struct slice why = SLICE_LIT("an unexpected reply");

	if (reply->status == REDIS_ERROR)
		why = reply->text;
	else if (reply->status != REDIS_OK)
		return;
	l->refused_us = clock_mono_us();
	(void)snprintf(l->refusal, sizeof(l->refusal), "%.*s", SLICE_ARG(why));
	if (log_pace_admit(&pace, LOG_MINUTE))
		log_event(LOG_ERR, "limit.script", NULL,
		    "Redis did not run the rate limit script (%.*s); redis_failure_mode decides "
		    "until it does.",
		    SLICE_ARG(why));
}

static enum flow_rc
limit_check_decide(struct flow *f)
{
	struct limit_check *check = FLOW_OF(f, struct limit_check, &limit_check_kind);
	uint64_t now_us;

	if (limit_call_read(&check->reply, check->rules.list, check->rules.count, check->verdict,
		&now_us)) {
		check->verdict->which = check->rules.index[check->verdict->which];
		check->limiter->refused_us = 0;
		return FLOW_NEXT;
	}
	limit_refusal_note(check->limiter, &check->reply);
	return decide_without_redis(f, check->limiter, &check->rules, check->verdict);
}

static void
limit_check_release(struct flow *f)
{
	struct limit_check *check = FLOW_OF(f, struct limit_check, &limit_check_kind);

	redis_clear(&check->reply);
	free(check);
}

/* Without Redis a check costs no flow and no wait. */
enum flow_rc
limit_check(struct flow *f, struct limiter *l, const struct limit_rule *rules, unsigned n,
    struct limit_verdict *verdict)
{
	struct limit_rules active;
	struct limit_check *check;

	limit_rules_select(&active, rules, n);
	if (active.count == 0) {
		*verdict = (struct limit_verdict){ .allowed = true, .mode = "local" };
		return FLOW_NEXT;
	}
	if (l->redis == NULL)
		return decide_locally(l, &active, verdict);
	if (!redis_is_up(l->redis))
		return decide_without_redis(f, l, &active, verdict);
	check = xcalloc(1, sizeof(*check));
	check->limiter = l;
	check->verdict = verdict;
	check->rules = active;
	return flow_call(f, &check->flow, &limit_check_kind);
}

struct limiter *
limit_open(struct worker *w, struct redis *redis, struct limit_store *store,
    enum limit_failure_mode mode)
{
	struct limiter *l = xcalloc(1, sizeof(*l));

	l->worker = w;
	l->redis = redis;
	l->store = store;
	l->mode = mode;
	quota_open(l);
	return l;
}

void
limit_set_mode(struct limiter *l, enum limit_failure_mode mode)
{
	l->mode = mode;
}

void
limiter_condition(const struct limiter *l, struct condition *c)
{
	static const char *const effects[] = {
		[LIMIT_LOCAL] = "Each process counts limits for itself",
		[LIMIT_OPEN] = "No limits are in force",
		[LIMIT_CLOSED] = "Requests with a limit are refused",
	};
	const char *effect = effects[l->mode];

	if (l->redis == NULL)
		return;
	if (!redis_is_up(l->redis))
		condition_ill(c, "%s: %s", effect, redis_trouble(l->redis));
	else if (l->refused_us != 0 && clock_mono_us() - l->refused_us < REFUSAL_US)
		condition_ill(c, "%s: Redis does not run their script (%s).", effect, l->refusal);
}

void
limit_close(struct limiter *l)
{
	if (l == NULL)
		return;
	quota_close(l);
	free(l);
}
