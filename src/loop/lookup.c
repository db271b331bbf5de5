/* SPDX-License-Identifier: MIT */
/*
 * lookup.c: a worker's flights. A flight is the one fetch of a key that is under way here, with
 * those who wait for it. The records are in the store (lookup_store.c).
 *
 *	flight:  [fetch: the owner's flow, as a child] --> [finish] --> its waiters are woken
 *
 * It is a flow around the owner's, which so need not know of caches, stale records and waiters.
 *
 * What always holds:
 *  - A flight that may be joined is in `flights`; so a key has one there at most. One that was
 *    superseded, maybe by another worker, is taken out by whoever would have joined it, and may end
 *    beside its successor. `fetching` counts both.
 *  - Only the loop frees a flight, in flight_release(): `flights` owns nothing.
 */
#include "tenantgate/loop/lookup.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "loop/lookup_cache.h"
#include "loop/lookup_store.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/map.h"
#include "tenantgate/loop/timer.h"

struct lookup_flight {
	struct flow flow;
	struct join join;	      /* its waiters are members of struct lookup_waiter */
	struct lookup_cache *cache;   /* borrowed */
	struct lookup_fetch *fetch;   /* owned; its record is a reference */
	struct lookup_record *result; /* a reference: what everybody gets; NULL: a failure */
	struct err outcome;	      /* the fetch's; ERR_NONE: it filled its record */
	struct timer patience;	      /* set while there may be a stale record */
	bool is_overdue;	      /* it took longer: who has a stale record does not join */
	size_t key_len;
	char key[];
};

static flow_step_fn flight_fetch, flight_finish;
static flow_end_fn flight_end;
static flow_release_fn flight_release;

static const struct flow_step flight_steps[] = {
	{ "fetch", flight_fetch },
	{ "finish", flight_finish },
	{ NULL, NULL },
};

static const struct flow_kind flight_kind = { "lookup", flight_steps, flight_end, flight_release };

static struct lookup_key
key_of(const struct lookup_cache *l, struct slice asked)
{
	size_t len = l->conf.id_len;

	if (len == 0 || len > asked.len)
		len = asked.len;
	return (struct lookup_key){ .id = slice_of(asked.p, len), .asked = asked };
}

struct lookup_record *
lookup_cached(struct lookup_cache *l, struct slice key)
{
	return lookup_store_fresh(l->store, key_of(l, key));
}

struct lookup_record *
lookup_peek(struct lookup_cache *l, struct slice key)
{
	return lookup_store_peek(l->store, key_of(l, key));
}

/* ---- a flight ---- */

static struct lookup_key
flight_key(const struct lookup_flight *fl)
{
	return key_of(fl->cache, slice_of(fl->key, fl->key_len));
}

/* r: the caller's reference, given up; NULL: nobody is woken. */
static void
waiters_wake(struct lookup_flight *fl, struct lookup_record *r)
{
	const struct err fine = { .code = ERR_NONE };
	struct join_waiter *waiter;

	if (r == NULL)
		return;
	TAILQ_FOREACH(waiter, &fl->join.waiters, link)
		((struct lookup_waiter *)waiter)->record = lookup_ref(r);
	join_finish(&fl->join, &fine);
	lookup_unref(r);
}

static enum flow_rc
flight_fetch(struct flow *f)
{
	struct lookup_flight *fl = FLOW_OF(f, struct lookup_flight, &flight_kind);
	const struct lookup_conf *conf = &fl->cache->conf;
	enum flow_rc rc = flow_try(f, &fl->fetch->flow, conf->fetch_kind, &fl->outcome);

	/* On the fetch rather than on the flight: the reason then names the step that took too
	 * long, and the flight goes on to look for a stale record. */
	flow_deadline(&fl->fetch->flow, conf->deadline_us);
	return rc;
}

/* Whether the source was not reached, as against having told something that is no record. */
static bool
is_unreached(const struct lookup_cache *l, enum err_code code)
{
	return code == l->conf.timeout_code || code == ERR_TIMEOUT || code == ERR_OVERLOADED;
}

/* While the source is known to be ill, that has been said, and every record in use would say it. */
static bool
source_is_ill(const struct lookup_cache *l)
{
	return l->conf.is_ill != NULL && l->conf.is_ill(l->conf.owner);
}

/* A timer_fn. The waiters go on with what there is; the fetch too, for its record is wanted. */
static void
flight_overdue(void *arg)
{
	struct lookup_flight *fl = arg;

	fl->is_overdue = true;
	waiters_wake(fl, lookup_store_stale(fl->cache->store, flight_key(fl), &fl->cache->conf));
}

/* Only when there is something to go on with, fresh no more. Without memory they wait longer. */
static void
patience_begin(struct lookup_flight *fl)
{
	struct lookup_cache *l = fl->cache;
	struct lookup_record *r = NULL;

	if (l->conf.patience_us > 0 && l->conf.stale_us > 0)
		r = lookup_store_peek(l->store, flight_key(fl));
	if (r != NULL && timer_init(&fl->patience, l->worker, flight_overdue, fl))
		timer_start(&fl->patience, l->conf.patience_us);
	lookup_unref(r);
}

/* Decides what the waiters get. Those of a superseded fetch get its record, which was good when
 * they asked; it is not kept, for it may show the row as it was before the change. */
static enum flow_rc
flight_finish(struct flow *f)
{
	struct lookup_flight *fl = FLOW_OF(f, struct lookup_flight, &flight_kind);
	struct lookup_cache *l = fl->cache;

	if (!err_is(&fl->outcome)) {
		fl->result = lookup_store_keep(l->store, flight_key(fl), &l->conf, fl->fetch);
		return FLOW_NEXT;
	}
	if (is_unreached(l, fl->outcome.code))
		fl->result = lookup_store_stale(l->store, flight_key(fl), &l->conf);
	if (fl->result == NULL)
		return flow_fail_err(f, &fl->outcome);
	if (!source_is_ill(l))
		log_event(LOG_WARNING, "lookup.stale", NULL,
		    "A %s could not be fetched, and its expired record stays in use for now: %s",
		    l->conf.noun, fl->outcome.detail);
	return FLOW_NEXT;
}

static void
flight_leave_map(struct lookup_flight *fl)
{
	struct lookup_cache *l = fl->cache;
	struct slice asked = slice_of(fl->key, fl->key_len);

	if (map_get(l->flights, asked) == fl)
		map_take(l->flights, asked);
}

/* Also the end of an aborted flight (shutdown), which has no result. The flight leaves the map
 * before anybody is woken: whoever comes from now on starts the next one. A superseded flight may
 * have left already, and the map may hold its successor under the same key. */
static void
flight_end(struct flow *f, const struct err *err)
{
	struct lookup_flight *fl = FLOW_OF(f, struct lookup_flight, &flight_kind);
	struct err reason = *err;

	timer_free(&fl->patience);
	if (reason.code == ERR_TIMEOUT)
		reason.code = fl->cache->conf.timeout_code;
	flight_leave_map(fl);
	lookup_store_fetch_end(fl->cache->store, flight_key(fl), fl->fetch);
	fl->cache->fetching--;
	if (!err_is(err))
		waiters_wake(fl, lookup_ref(fl->result));
	join_finish(&fl->join, &reason);
}

static void
flight_free(struct lookup_flight *fl)
{
	if (fl->fetch != NULL)
		lookup_unref(fl->fetch->record);
	lookup_unref(fl->result);
	free(fl->fetch);
	free(fl);
}

static void
flight_release(struct flow *f)
{
	flight_free(FLOW_OF(f, struct lookup_flight, &flight_kind));
}

static bool
flight_enter(struct lookup_flight *fl)
{
	struct lookup_cache *l = fl->cache;

	if (!map_put(l->flights, slice_of(fl->key, fl->key_len), fl))
		return false;
	if (lookup_store_fetch_begin(l->store, flight_key(fl), fl->fetch))
		return true;
	flight_leave_map(fl);
	return false;
}

/* In the map, not yet started. NULL: no memory. That is checked, not fatal as for other small
 * structs: clients choose how many keys are looked up. */
static struct lookup_flight *
flight_new(struct lookup_cache *l, struct slice key)
{
	struct lookup_flight *fl = calloc(1, sizeof(*fl) + key.len);

	if (fl == NULL)
		return NULL;
	fl->cache = l;
	fl->key_len = key.len;
	if (key.len > 0)
		memcpy(fl->key, key.p, key.len);
	join_init(&fl->join);
	fl->fetch = calloc(1, l->conf.fetch_size);
	if (fl->fetch != NULL)
		fl->fetch->record = l->conf.record_new(key);
	if (fl->fetch == NULL || fl->fetch->record == NULL || !flight_enter(fl)) {
		flight_free(fl);
		return NULL;
	}
	fl->fetch->owner = l->conf.owner;
	return fl;
}

/* NULL: too many, or no memory. The ceiling keeps a flood of invented keys from becoming as many
 * queries of the catalog. */
static struct lookup_flight *
flight_start(struct lookup_cache *l, struct slice key)
{
	struct lookup_flight *fl;

	if (l->fetching >= l->conf.fetches_max)
		return NULL;
	fl = flight_new(l, key);
	if (fl == NULL)
		return NULL;
	l->fetching++;
	patience_begin(fl);
	flow_start(&fl->flow, &flight_kind, l->worker, NULL);
	return fl;
}

/* The one that is under way, or a new one. */
static struct lookup_flight *
flight_of(struct lookup_cache *l, struct slice key)
{
	struct lookup_flight *fl = map_get(l->flights, key);

	if (fl != NULL && !atomic_load(&fl->fetch->is_superseded))
		return fl;
	map_take(l->flights, key);
	return flight_start(l, key);
}

/* ---- the public functions ---- */

/* What is known to be ill, or too slow this time, is not waited for by whoever has something to go
 * on with; but it is asked behind his back, for that is how its recovery is noticed. */
static struct lookup_record *
stale_at_once(struct lookup_cache *l, struct slice key)
{
	struct lookup_record *r = NULL;
	const struct lookup_flight *fl = map_get(l->flights, key);

	if ((fl != NULL && fl->is_overdue) || source_is_ill(l))
		r = lookup_store_stale(l->store, key_of(l, key), &l->conf);
	if (r != NULL)
		(void)flight_of(l, key);
	return r;
}

/* Overloaded, a stale record is better than a refusal. */
enum flow_rc
lookup_wait(struct flow *f, struct lookup_cache *l, struct slice key, struct lookup_waiter *waiter)
{
	struct lookup_record *r = lookup_cached(l, key);
	struct lookup_flight *fl;

	assert(waiter->record == NULL);
	if (r == NULL)
		r = stale_at_once(l, key);
	if (r == NULL) {
		fl = flight_of(l, key);
		if (fl != NULL)
			return join_wait(&fl->join, f, &waiter->waiter);
		r = lookup_store_stale(l->store, key_of(l, key), &l->conf);
	}
	if (r == NULL)
		return flow_fail(f, ERR_OVERLOADED,
		    "Too many %s lookups are under way. Try again in a moment.", l->conf.noun);
	waiter->record = r;
	return FLOW_NEXT;
}

void
lookup_waiter_clear(struct lookup_waiter *waiter)
{
	assert(waiter->waiter.join == NULL); /* its flow waits no more */
	lookup_unref(waiter->record);
	waiter->record = NULL;
}

void
lookup_put(struct lookup_cache *l, struct slice key, struct lookup_record *r)
{
	lookup_store_put(l->store, key_of(l, key), &l->conf, r);
}

void
lookup_forget(struct lookup_cache *l, struct slice key)
{
	lookup_store_forget(l->store, key_of(l, key), &l->conf);
}

void
lookup_expire(struct lookup_cache *l, struct slice key)
{
	lookup_store_expire(l->store, key_of(l, key), &l->conf);
}

void
lookup_forget_all(struct lookup_cache *l)
{
	lookup_store_forget_all(l->store, &l->conf);
}

size_t
lookup_fetching(const struct lookup_cache *l)
{
	return l->fetching;
}

struct lookup_cache *
lookup_open(struct worker *w, const struct lookup_conf *conf)
{
	struct lookup_cache *l = xcalloc(1, sizeof(*l));

	assert(conf->fetch_size >= sizeof(struct lookup_fetch));
	assert(conf->fetch_kind->release == NULL && conf->timeout_code != ERR_NONE);
	l->worker = w;
	l->conf = *conf;
	l->own = conf->store == NULL ? lookup_store_new(conf->records_max) : NULL;
	l->store = conf->store != NULL ? conf->store : l->own;
	l->flights = map_new(0, NULL);
	return l;
}

void
lookup_close(struct lookup_cache *l)
{
	if (l == NULL)
		return;
	assert(l->fetching == 0 && map_count(l->flights) == 0);
	map_free(l->flights);
	lookup_store_free(l->own);
	free(l);
}

void
lookup_set_times(struct lookup_cache *l, uint64_t ttl_us, uint64_t negative_ttl_us,
    uint64_t stale_us, uint64_t copies_us)
{
	l->conf.ttl_us = ttl_us;
	l->conf.negative_ttl_us = negative_ttl_us;
	l->conf.stale_us = stale_us;
	l->conf.copies_us = copies_us;
}
