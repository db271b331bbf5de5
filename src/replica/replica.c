/* SPDX-License-Identifier: MIT */
/*
 * replica: the beat.
 *
 *	[wait] --> [collect] --> [tell] --NOSCRIPT--> [load] --> [hear] --+--> [wait]
 *	  2 s                      ^______ DIVISION_KEYS_MAX keys a call _|
 *
 * What always holds:
 *  - No limit changes but by a reply that was read whole, in the beat that asked for it: a call
 *    that failed leaves all as it was, but for what no reply was ever heard of.
 *  - A lowered limit is acknowledged by an early beat: until then it frees nothing for the others.
 */
#include "tenantgate/replica.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replica/division.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/random.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/loop/timer.h"

#define BEAT_US	 2000000ull
#define HURRY_US 200000ull /* the least time from one beat to the next */
#define ID_LEN	 16

/* All but live, is_posted and what does not change is worker 0's thread's. */
struct replicas {
	struct flow flow;	      /* first */
	struct replica_source source; /* each NULL: none */
	char environment[REPLICA_ENVIRONMENT_MAX + 1];
	char id[ID_LEN + 1];
	struct worker *worker; /* borrowed; worker 0, NULL before the attach */
	struct redis *redis;   /* borrowed: its link; NULL: none */
	atomic_uint live;
	struct task task; /* of replicas_hurry() */
	atomic_bool is_posted;
	struct timer timer;
	bool is_waiting;   /* between two beats */
	bool is_hurried;   /* the wait that comes is short */
	bool was_heard;	   /* Redis has answered once */
	uint64_t began_us; /* the last beat, monotonic; 0: none */
	uint64_t serial;   /* of the last call */
	struct division_call call;
	struct redis_reply reply; /* owned */
	unsigned count;		  /* demands of this beat */
	unsigned told;		  /* of these, as far as the calls have come */
	struct replica_demand demands[REPLICA_KEYS_MAX]; /* their keys are those below */
	char keys[REPLICA_KEYS_MAX][REPLICA_KEY_MAX];
};

static flow_step_fn beat_wait, beat_collect, beat_tell, beat_load, beat_hear;
static flow_end_fn beat_end;

static const struct flow_step beat_steps[] = {
	{ "wait", beat_wait },
	{ "collect", beat_collect },
	{ "tell", beat_tell },
	{ "load", beat_load },
	{ "hear", beat_hear },
	{ NULL, NULL },
};

static const struct flow_kind beat_kind = { "replica_beat", beat_steps, beat_end, NULL };

/* ---- the wait, which may be made shorter ---- */

static void
beat_due(void *arg)
{
	struct replicas *r = arg;

	r->is_waiting = false;
	flow_wake(&r->flow);
}

static void
beat_wait_cancel(void *arg)
{
	struct replicas *r = arg;

	r->is_waiting = false;
	timer_stop(&r->timer);
}

/* The first beat is at once. */
static void
beat_schedule(struct replicas *r)
{
	uint64_t due = r->began_us + (r->is_hurried ? HURRY_US : BEAT_US);
	uint64_t now = clock_mono_us();

	timer_start(&r->timer, r->began_us != 0 && due > now ? due - now : 0);
}

static enum flow_rc
beat_wait(struct flow *f)
{
	struct replicas *r = FLOW_OF(f, struct replicas, &beat_kind);

	r->is_waiting = true;
	beat_schedule(r);
	return flow_wait(f, beat_wait_cancel, r);
}

static void
replica_hurried(void *arg)
{
	struct replicas *r = arg;

	atomic_store(&r->is_posted, false);
	r->is_hurried = true;
	if (r->is_waiting)
		beat_schedule(r);
}

void
replicas_hurry(struct replicas *r)
{
	if (r->worker != NULL && !atomic_exchange(&r->is_posted, true))
		worker_post(r->worker, &r->task, replica_hurried, r);
}

/* ---- what is told ---- */

static unsigned
at_most(unsigned n, unsigned most)
{
	return n < most ? n : most;
}

bool
replicas_demand(struct replicas *r, const struct replica_demand *demand)
{
	struct replica_demand *d = &r->demands[r->count];

	assert(demand->key.len > 0);
	if (r->count == REPLICA_KEYS_MAX || demand->key.len > REPLICA_KEY_MAX)
		return false;
	*d = *demand;
	memcpy(r->keys[r->count], demand->key.p, demand->key.len);
	d->key.p = r->keys[r->count++];
	d->capacity = at_most(d->capacity, REPLICA_CAPACITY_MAX);
	d->used = at_most(d->used, REPLICA_CAPACITY_MAX);
	d->want = at_most(d->want, REPLICA_CAPACITY_MAX);
	d->limit = at_most(d->limit, REPLICA_CAPACITY_MAX);
	return true;
}

static enum flow_rc
beat_collect(struct flow *f)
{
	struct replicas *r = FLOW_OF(f, struct replicas, &beat_kind);

	r->began_us = clock_mono_us();
	r->is_hurried = false;
	r->count = r->told = 0;
	if (r->source.each != NULL)
		r->source.each(r, r->source.arg);
	return FLOW_NEXT;
}

static unsigned
batch_size(const struct replicas *r)
{
	return at_most(r->count - r->told, DIVISION_KEYS_MAX);
}

static struct division_caller
caller_of(const struct replicas *r)
{
	return (
	    struct division_caller){ r->environment, r->id, r->serial, redis_is_cluster(r->redis) };
}

static enum flow_rc
beat_send(struct replicas *r, enum division_command command)
{
	struct division_caller caller = caller_of(r);

	division_call_make(&r->call, command, &caller, &r->demands[r->told], batch_size(r));
	return redis_command(&r->flow, r->redis, r->call.words, r->call.count, &r->reply);
}

/* ---- what is heard ---- */

static void
limit_set(struct replicas *r, const struct replica_demand *d, unsigned limit)
{
	if (d->is_told && limit == d->limit)
		return;
	if (d->is_told && limit < d->limit)
		r->is_hurried = true;
	r->source.limit(d->key, limit, r->source.arg);
}

/* Without redis_url nobody else is there. */
static void
limits_be_whole(struct replicas *r)
{
	for (unsigned i = 0; i < r->count; i++)
		limit_set(r, &r->demands[i], r->demands[i].capacity);
}

static void
limits_keep(struct replicas *r)
{
	for (unsigned i = r->told; i < r->count; i++)
		if (!r->demands[i].is_told)
			limit_set(r, &r->demands[i], division_first(r->demands[i].capacity));
}

/* A roll that is not settled may lack somebody: it does not lower the number. */
static void
live_set(struct replicas *r, const struct division_result *result)
{
	unsigned before = atomic_load(&r->live);

	if (result->live == before || (result->live < before && !result->is_settled))
		return;
	atomic_store(&r->live, result->live);
	log_event(LOG_NOTICE, "replica.live", NULL,
	    "Replicas alive with this Redis and environment: %u. Each takes its part of the "
	    "databases' connections.",
	    result->live);
}

static enum flow_rc
beat_tell(struct flow *f)
{
	struct replicas *r = FLOW_OF(f, struct replicas, &beat_kind);

	if (r->redis == NULL) {
		limits_be_whole(r);
		return flow_goto(f, beat_wait);
	}
	r->serial++;
	return beat_send(r, DIVISION_EVALSHA);
}

static enum flow_rc
beat_load(struct flow *f)
{
	struct replicas *r = FLOW_OF(f, struct replicas, &beat_kind);

	if (r->reply.status != REDIS_ERROR || !slice_starts(r->reply.text, "NOSCRIPT"))
		return FLOW_NEXT;
	return beat_send(r, DIVISION_EVAL);
}

/* At the start the link comes up a moment later: until the first word it is asked for often. A link
 * that is down logs for itself. */
static void
reply_refuse(struct replicas *r)
{
	static struct log_pace pace;

	limits_keep(r);
	if (!r->was_heard)
		r->is_hurried = true;
	if ((r->reply.status == REDIS_OK || r->reply.status == REDIS_ERROR) &&
	    log_pace_admit(&pace, LOG_MINUTE))
		log_event(LOG_ERR, "replica.script", NULL,
		    "Redis did not run the script that divides connections among replicas "
		    "(%.*s); the limits stay as they are until it does. Use Redis 5 or later.",
		    SLICE_ARG(r->reply.status == REDIS_ERROR ? r->reply.text
							     : SLICE_LIT("an unexpected reply")));
}

static enum flow_rc
beat_hear(struct flow *f)
{
	struct replicas *r = FLOW_OF(f, struct replicas, &beat_kind);
	const struct replica_demand *batch = &r->demands[r->told];
	unsigned n = batch_size(r);
	struct division_result result;

	if (!division_call_read(&r->reply, batch, n, &result)) {
		reply_refuse(r);
		return flow_goto(f, beat_wait);
	}
	r->was_heard = true;
	live_set(r, &result);
	for (unsigned i = 0; i < n; i++)
		limit_set(r, &batch[i], result.limits[i]);
	r->told += n;
	return flow_goto(f, r->told < r->count ? beat_tell : beat_wait);
}

/* The shutdown: others get this replica's part at their next beat, not ten seconds later. Of keys
 * that were told in the last beat; after a call that lies in the link already. */
static void
beat_end(struct flow *f, const struct err *err)
{
	struct replicas *r = FLOW_OF(f, struct replicas, &beat_kind);
	struct division_caller caller = caller_of(r);

	(void)err;
	redis_clear(&r->reply);
	if (r->redis == NULL)
		return;
	for (unsigned i = 0; i < r->count; i++)
		division_leave(r->redis, &caller, &r->demands[i]);
	division_leave(r->redis, &caller, NULL);
}

/* ---- open and close ---- */

struct replicas *
replicas_open(const char *environment, const struct replica_source *source)
{
	struct replicas *r = xcalloc(1, sizeof(*r));

	(void)snprintf(r->environment, sizeof(r->environment), "%s", environment);
	if (source != NULL)
		r->source = *source;
	id_random(r->id, ID_LEN);
	atomic_init(&r->live, 1);
	atomic_init(&r->is_posted, false);
	return r;
}

void
replicas_close(struct replicas *r)
{
	free(r);
}

void
replicas_attach(struct replicas *r, struct worker *w, struct redis *redis)
{
	if (worker_index(w) != 0)
		return;
	r->worker = w;
	r->redis = redis;
	if (!timer_init(&r->timer, w, beat_due, r))
		abort();
	flow_start(&r->flow, &beat_kind, w, NULL);
}

void
replicas_detach(struct replicas *r, struct worker *w)
{
	if (worker_index(w) != 0)
		return;
	timer_free(&r->timer);
}

unsigned
replicas_live(const struct replicas *r)
{
	return atomic_load(&r->live);
}
