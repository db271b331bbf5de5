/* SPDX-License-Identifier: MIT */
/*
 * lookup.c: two maps of records (found, negative) and one of flights. A flight is the one fetch of
 * a key that is under way, with those who wait for it.
 *
 *	flight:  [fetch: the owner's flow, as a child] --> [finish] --> its waiters are woken
 *
 * A flight is a flow around the owner's, so that it can use a stale record when the fetch has
 * failed, and the owner's flow need not know of caches and waiters.
 *
 * What always holds:
 *  - A key is in one of `found` and `negative` at most.
 *  - A flight is in `flights` until it has ended or was superseded; so a key has one there at most,
 *    and a superseded one may end beside its successor. `fetching` counts both.
 *  - Only the loop frees a flight, in flight_release(): `flights` owns nothing.
 */
#include "tenantgate/loop/lookup.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/map.h"

struct lookup_cache {
	struct worker *worker; /* borrowed */
	struct lookup_conf conf;
	struct map *found;    /* owned: key -> lookup_record, a reference */
	struct map *negative; /* owned: the same */
	struct map *flights;  /* owned: key -> lookup_flight, borrowed */
	size_t fetching;      /* flights in all, superseded ones among them */
};

struct lookup_flight {
	struct flow flow;
	struct join join;	      /* its waiters are members of struct lookup_waiter */
	struct lookup_cache *cache;   /* borrowed */
	struct lookup_fetch *fetch;   /* owned; its record is a reference */
	struct lookup_record *result; /* a reference: what everybody gets; NULL: a failure */
	struct err outcome;	      /* the fetch's; ERR_NONE: it filled its record */
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

/* ---- what is kept ---- */

/* A map_drop_fn. */
static void
record_drop(void *value)
{
	lookup_unref(value);
}

/* NULL when absent or expired. An expired record that may still be used stale stays in the map; any
 * other is dropped here, for nothing else walks the map in search of them. */
static struct lookup_record *
map_fresh(struct map *m, struct slice key, uint64_t now)
{
	struct lookup_record *r = map_get(m, key);

	if (r == NULL || now < r->expires_us)
		return r;
	if (now >= r->usable_until_us)
		map_del(m, key);
	return NULL;
}

struct lookup_record *
lookup_cached(struct lookup_cache *l, struct slice key)
{
	uint64_t now = clock_mono_us();
	struct lookup_record *r = map_fresh(l->found, key, now);

	return r != NULL ? r : map_fresh(l->negative, key, now);
}

struct lookup_record *
lookup_peek(struct lookup_cache *l, struct slice key)
{
	struct lookup_record *r = map_get(l->found, key);

	return r != NULL ? r : map_get(l->negative, key);
}

/* Sets the record's times and puts it into the map it belongs to, out of the other. Without memory
 * it is not kept, which costs another fetch. The key may lie in the record that is replaced: that
 * one is held until both maps are done with the key. A record that the map has already keeps its
 * one reference. */
static void
cache_keep(struct lookup_cache *l, struct slice key, struct lookup_record *r)
{
	uint64_t ttl = r->is_negative ? l->conf.negative_ttl_us : l->conf.ttl_us;
	struct map *to = r->is_negative ? l->negative : l->found;
	struct lookup_record *replaced = lookup_peek(l, key);

	r->expires_us = clock_mono_us() + ttl;
	r->usable_until_us = r->expires_us + (r->is_negative ? 0 : l->conf.stale_us);
	if (replaced != NULL)
		lookup_ref(replaced);
	if (map_get(to, key) != r && !map_put(to, key, lookup_ref(r)))
		lookup_unref(r);
	map_del(r->is_negative ? l->found : l->negative, key);
	lookup_unref(replaced);
}

/* A found record that may be used although its fetch has failed, or NULL. It counts as fresh until
 * the next try, so that the requests in between neither wait for nor burden what is failing. */
static struct lookup_record *
cache_stale(struct lookup_cache *l, struct slice key)
{
	struct lookup_record *r = map_get(l->found, key);
	uint64_t now = clock_mono_us();

	if (r == NULL || now >= r->usable_until_us)
		return NULL;
	if (now >= r->expires_us) {
		r->expires_us = now + l->conf.retry_us;
		if (r->expires_us > r->usable_until_us)
			r->expires_us = r->usable_until_us;
	}
	return r;
}

/* ---- a flight ---- */

static struct slice
flight_key(const struct lookup_flight *fl)
{
	return slice_of(fl->key, fl->key_len);
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

/* Decides what the waiters get. Those of a superseded fetch get its record, which was good when
 * they asked; it is not kept, for it may show the row as it was before the change. */
static enum flow_rc
flight_finish(struct flow *f)
{
	struct lookup_flight *fl = FLOW_OF(f, struct lookup_flight, &flight_kind);
	struct lookup_record *r = fl->fetch->record;

	if (!err_is(&fl->outcome)) {
		if (!fl->fetch->is_superseded)
			cache_keep(fl->cache, flight_key(fl), r);
		fl->result = lookup_ref(r);
		return FLOW_NEXT;
	}
	r = cache_stale(fl->cache, flight_key(fl));
	if (r == NULL)
		return flow_fail_err(f, &fl->outcome);
	log_event(LOG_WARNING, "lookup.stale", NULL,
	    "A %s could not be fetched, and its expired record stays in use for now: %s",
	    fl->cache->conf.noun, fl->outcome.detail);
	fl->result = lookup_ref(r);
	return FLOW_NEXT;
}

/* Also the end of an aborted flight (shutdown), which has no result. The flight leaves the map
 * before anybody is woken: whoever comes from now on starts the next one. A superseded flight has
 * left already, and the map may hold its successor under the same key. */
static void
flight_end(struct flow *f, const struct err *err)
{
	struct lookup_flight *fl = FLOW_OF(f, struct lookup_flight, &flight_kind);
	struct err reason = *err;
	struct join_waiter *waiter;

	if (reason.code == ERR_TIMEOUT)
		reason.code = fl->cache->conf.timeout_code;
	if (!fl->fetch->is_superseded)
		map_take(fl->cache->flights, flight_key(fl));
	fl->cache->fetching--;
	if (!err_is(err))
		TAILQ_FOREACH(waiter, &fl->join.waiters, link)
			((struct lookup_waiter *)waiter)->record = lookup_ref(fl->result);
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
	if (fl->fetch == NULL || fl->fetch->record == NULL || !map_put(l->flights, key, fl)) {
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
	flow_start(&fl->flow, &flight_kind, l->worker, NULL);
	return fl;
}

/* A map_each_fn: marks one flight, which the caller takes out of the map. */
static bool
flight_supersede(struct slice key, void *value, void *arg)
{
	struct lookup_flight *fl = value;

	(void)key;
	(void)arg;
	fl->fetch->is_superseded = true;
	return true;
}

static void
flight_detach(struct lookup_cache *l, struct slice key)
{
	struct lookup_flight *fl = map_take(l->flights, key);

	if (fl != NULL)
		flight_supersede(key, fl, NULL);
}

/* ---- the public functions ---- */

/* Overloaded, a stale record is better than a refusal. */
enum flow_rc
lookup_wait(struct flow *f, struct lookup_cache *l, struct slice key, struct lookup_waiter *waiter)
{
	struct lookup_record *r = lookup_cached(l, key);
	struct lookup_flight *fl = NULL;

	assert(waiter->record == NULL);
	if (r == NULL) {
		fl = map_get(l->flights, key);
		if (fl == NULL)
			fl = flight_start(l, key);
		if (fl != NULL)
			return join_wait(&fl->join, f, &waiter->waiter);
		r = cache_stale(l, key);
	}
	if (r == NULL)
		return flow_fail(f, ERR_OVERLOADED,
		    "Too many %s lookups are under way. Try again in a moment.", l->conf.noun);
	waiter->record = lookup_ref(r);
	return FLOW_NEXT;
}

void
lookup_waiter_clear(struct lookup_waiter *waiter)
{
	assert(waiter->waiter.join == NULL); /* its flow waits no more */
	lookup_unref(waiter->record);
	waiter->record = NULL;
}

/* The fetch under way is superseded: what it brings is older than r. */
void
lookup_put(struct lookup_cache *l, struct slice key, struct lookup_record *r)
{
	flight_detach(l, key);
	cache_keep(l, key, r);
}

void
lookup_forget(struct lookup_cache *l, struct slice key)
{
	flight_detach(l, key);
	/* Last, and in one map only: dropping the record may free the key. */
	if (!map_del(l->found, key))
		map_del(l->negative, key);
}

/* Freed and made anew: a map has no call that empties it. */
static void
map_renew(struct map **m, size_t max, map_drop_fn *drop)
{
	map_free(*m);
	*m = map_new(max, drop);
}

void
lookup_forget_all(struct lookup_cache *l)
{
	map_each(l->flights, flight_supersede, NULL);
	map_renew(&l->flights, 0, NULL);
	map_renew(&l->found, l->conf.records_max, record_drop);
	map_renew(&l->negative, l->conf.records_max, record_drop);
}

size_t
lookup_fetching(const struct lookup_cache *l)
{
	return l->fetching;
}

/* ---- open, close ---- */

struct lookup_cache *
lookup_open(struct worker *w, const struct lookup_conf *conf)
{
	struct lookup_cache *l = xcalloc(1, sizeof(*l));

	assert(conf->fetch_size >= sizeof(struct lookup_fetch));
	assert(conf->fetch_kind->release == NULL && conf->timeout_code != ERR_NONE);
	l->worker = w;
	l->conf = *conf;
	if (l->conf.records_max == 0) /* to a map that would mean: no ceiling */
		l->conf.records_max = 1;
	l->found = map_new(l->conf.records_max, record_drop);
	l->negative = map_new(l->conf.records_max, record_drop);
	l->flights = map_new(0, NULL);
	return l;
}

void
lookup_close(struct lookup_cache *l)
{
	if (l == NULL)
		return;
	assert(l->fetching == 0 && map_count(l->flights) == 0);
	map_free(l->found);
	map_free(l->negative);
	map_free(l->flights);
	free(l);
}
