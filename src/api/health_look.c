/* SPDX-License-Identifier: MIT */
/*
 * health_look: see health_look.h. One flow a subject, in memory that stays: it starts anew for each
 * look.
 *
 *	catalog:  [ask_catalog: select 1] --> [judge_catalog] --> who waits is woken
 *	redis:    [ask_redis: PING]       --> [judge_redis]   --> who waits is woken
 */
#include "api/health_look.h"

#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"

struct health_look {
	struct flow flow;	    /* first */
	struct health_looks *looks; /* borrowed */
	struct join waiting;	    /* for its end */
	bool is_under_way;	    /* until the flow is released */
	uint64_t began_us;	    /* monotonic: the last one; 0: there was none */
	struct pg_result result;    /* owned: of the catalog */
	struct redis_reply reply;   /* owned: of Redis */
	struct condition found;	    /* of the look that is under way */
	struct condition condition; /* of the last one that is over */
};

struct health_looks {
	struct worker *worker; /* borrowed, as the next two */
	struct catalog *catalog;
	struct redis *redis; /* NULL: there is none */
	struct health_look looks[HEALTH_SUBJECTS];
};

static flow_step_fn ask_catalog, judge_catalog, ask_redis, judge_redis;
static flow_end_fn look_end;
static flow_release_fn look_release;

static const struct flow_step catalog_look_steps[] = {
	{ "ask_catalog", ask_catalog },
	{ "judge_catalog", judge_catalog },
	{ NULL, NULL },
};

static const struct flow_step redis_look_steps[] = {
	{ "ask_redis", ask_redis },
	{ "judge_redis", judge_redis },
	{ NULL, NULL },
};

static const struct flow_kind look_kinds[HEALTH_SUBJECTS] = {
	[HEALTH_CATALOG] = { "look_catalog", catalog_look_steps, look_end, look_release },
	[HEALTH_REDIS] = { "look_redis", redis_look_steps, look_end, look_release },
};

static const char *const ill_sentences[HEALTH_SUBJECTS] = {
	[HEALTH_CATALOG] = "The catalog did not answer in time; look at the server of catalog_url.",
	[HEALTH_REDIS] = "Redis did not answer in time; look at the server of redis_url.",
};

static enum flow_rc
ask_catalog(struct flow *f)
{
	struct health_look *l = FLOW_OF(f, struct health_look, &look_kinds[HEALTH_CATALOG]);
	struct pg_query query = { .sql = "select 1", .timeout_us = HEALTH_LOOK_MAX_US };

	return catalog_run(f, l->looks->catalog, CATALOG_LOOKS, SLICE_LIT("health"), &query,
	    &l->result);
}

/* Refused: it is only that too much waits for it, as the shares show. */
static enum flow_rc
judge_catalog(struct flow *f)
{
	struct health_look *l = FLOW_OF(f, struct health_look, &look_kinds[HEALTH_CATALOG]);

	if (l->result.status != PG_OK && l->result.status != PG_REFUSED)
		condition_ill(&l->found,
		    "The catalog cannot be used (%s%s%s); look at the server of catalog_url.",
		    l->result.failure.message, l->result.failure.sqlstate[0] != '\0' ? ", " : "",
		    l->result.failure.sqlstate);
	return FLOW_NEXT;
}

static enum flow_rc
ask_redis(struct flow *f)
{
	struct health_look *l = FLOW_OF(f, struct health_look, &look_kinds[HEALTH_REDIS]);
	struct slice ping = SLICE_LIT("PING");

	return redis_command(f, l->looks->redis, &ping, 1, &l->reply);
}

/* A link that is down has a reason of its own (redis_condition). */
static enum flow_rc
judge_redis(struct flow *f)
{
	struct health_look *l = FLOW_OF(f, struct health_look, &look_kinds[HEALTH_REDIS]);

	if (l->reply.status == REDIS_ERROR)
		condition_ill(&l->found, "Redis answers with an error (%.*s); look at it.",
		    SLICE_ARG(l->reply.text));
	else if (l->reply.status == REDIS_TIMEOUT)
		condition_ill(&l->found, "%s", ill_sentences[HEALTH_REDIS]);
	return FLOW_NEXT;
}

static struct health_look *
look_of(struct flow *f)
{
	return f->kind == &look_kinds[HEALTH_CATALOG]
	    ? FLOW_OF(f, struct health_look, &look_kinds[HEALTH_CATALOG])
	    : FLOW_OF(f, struct health_look, &look_kinds[HEALTH_REDIS]);
}

/* Its deadline has passed, or the process ends. */
static void
look_end(struct flow *f, const struct err *err)
{
	struct health_look *l = look_of(f);

	if (err_is(err) && err->code != ERR_SHUTDOWN)
		condition_ill(&l->found, "%s", ill_sentences[f->kind - look_kinds]);
	l->condition = l->found;
	pg_clear(&l->result);
	redis_clear(&l->reply);
}

/* The waiters are woken when the flow may be started anew. */
static void
look_release(struct flow *f)
{
	struct health_look *l = look_of(f);

	l->is_under_way = false;
	join_finish(&l->waiting, &(struct err){ .code = ERR_NONE });
}

static void
look_begin(struct health_look *l, enum health_subject subject, uint64_t now_us)
{
	if (l->is_under_way || (l->began_us != 0 && now_us - l->began_us < HEALTH_LOOK_KEPT_US))
		return;
	l->began_us = now_us;
	l->is_under_way = true;
	l->found = (struct condition){ .is_ill = false };
	flow_start(&l->flow, &look_kinds[subject], l->looks->worker, NULL);
	flow_deadline(&l->flow, HEALTH_LOOK_MAX_US);
}

void
health_looks_begin(struct health_looks *h)
{
	uint64_t now_us = clock_mono_us();

	look_begin(&h->looks[HEALTH_CATALOG], HEALTH_CATALOG, now_us);
	if (h->redis != NULL)
		look_begin(&h->looks[HEALTH_REDIS], HEALTH_REDIS, now_us);
}

enum flow_rc
health_look_wait(struct flow *f, struct health_looks *h, enum health_subject subject,
    struct join_waiter *waiter)
{
	struct health_look *l = &h->looks[subject];

	return l->is_under_way ? join_wait(&l->waiting, f, waiter) : FLOW_NEXT;
}

void
health_look_condition(const struct health_looks *h, enum health_subject subject,
    struct condition *out)
{
	const struct condition *c = &h->looks[subject].condition;

	if (c->is_ill)
		condition_ill(out, "%s", c->reason);
}

struct health_looks *
health_looks_open(struct worker *w, struct catalog *catalog, struct redis *redis)
{
	struct health_looks *h = xcalloc(1, sizeof(*h));

	h->worker = w;
	h->catalog = catalog;
	h->redis = redis;
	for (unsigned i = 0; i < HEALTH_SUBJECTS; i++) {
		h->looks[i].looks = h;
		join_init(&h->looks[i].waiting);
	}
	return h;
}

void
health_looks_close(struct health_looks *h)
{
	free(h);
}
