/* SPDX-License-Identifier: MIT */
/*
 * lookup_store.c: four maps under one lock.
 *
 *	found      id    -> record
 *	negative   asked -> record
 *	gone       id    -> what is remembered of a thing that was found, and is no more, or changed
 *	under_way  id    -> its fetches, of any worker and asker: a chain
 *
 * What always holds:
 *  - A thing is in found, or its askers may have it in negative; a found record and a negative one
 *    of the same asker never are there both.
 *  - A fetch is in under_way from its beginning to its end. Whoever learns that a thing is gone or
 *    has changed marks all fetches of it that are there, in the same hold of the lock in which the
 *    found record goes. So no fetch that might have read the old row puts it back.
 *  - found and negative own a reference each; under_way owns nothing.
 */
#include "loop/lookup_store.h"

#include <pthread.h>
#include <stdlib.h>

#include "loop/lookup_gone.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/map.h"

struct lookup_store {
	pthread_mutex_t mutex;
	size_t records_max;
	uint64_t serial;       /* of the record that was kept last */
	unsigned epoch;	       /* what was kept in an earlier one is stale: forgetting all */
	struct map *found;     /* owned */
	struct map *negative;  /* owned */
	struct map *gone;      /* owned: lookup_gone.h */
	struct map *under_way; /* owned: lookup_fetch, borrowed */
};

/* ---- under the lock ---- */

/* A map_drop_fn. */
static void
stored_record_drop(void *value)
{
	lookup_unref(value);
}

static struct lookup_record *
ref_or_null(struct lookup_record *r)
{
	return r != NULL ? lookup_ref(r) : NULL;
}

/* NULL when absent or expired. An expired record that may still be used stale stays in the map; any
 * other is dropped here, for nothing else walks the map in search of them. */
static struct lookup_record *
map_fresh(const struct lookup_store *s, struct map *m, struct slice key, uint64_t now)
{
	struct lookup_record *r = map_get(m, key);

	if (r == NULL || (now < r->expires_us && r->epoch == s->epoch))
		return r;
	if (now >= r->usable_until_us)
		map_del(m, key);
	return NULL;
}

static struct lookup_record *
fresh(struct lookup_store *s, struct lookup_key key)
{
	uint64_t now = clock_mono_us();
	struct lookup_record *r = map_fresh(s, s->found, key.id, now);

	return r != NULL ? r : map_fresh(s, s->negative, key.asked, now);
}

static void
chain_supersede(struct lookup_fetch *fetch)
{
	for (; fetch != NULL; fetch = fetch->peer)
		atomic_store(&fetch->is_superseded, true);
}

static void
supersede(struct lookup_store *s, struct slice id)
{
	chain_supersede(map_get(s->under_way, id));
}

/* A map_each_fn. */
static bool
supersede_each(struct slice id, void *value, void *arg)
{
	(void)id;
	(void)arg;
	chain_supersede(value);
	return true;
}

static void
times_set(struct lookup_store *s, struct lookup_record *r, const struct lookup_conf *conf)
{
	r->expires_us = clock_mono_us() + (r->is_negative ? conf->negative_ttl_us : conf->ttl_us);
	r->usable_until_us = r->expires_us + (r->is_negative ? 0 : conf->stale_us);
	r->epoch = s->epoch;
	r->serial = ++s->serial;
}

/* Without memory it is not kept, which costs another fetch. A record that the map has already keeps
 * its one reference. */
static void
map_keep(struct map *m, struct slice key, struct lookup_record *r)
{
	if (map_get(m, key) != r && !map_put(m, key, lookup_ref(r))) {
		lookup_unref(r);
		map_del(m, key); /* nor is what it replaces */
	}
}

static void
found_keep(struct lookup_store *s, struct lookup_key key, struct lookup_record *r)
{
	map_keep(s->found, key.id, r);
	map_del(s->negative, key.asked);
	gone_return(s->gone, key.id);
}

static void
negative_keep(struct lookup_store *s, struct lookup_key key, const struct lookup_conf *conf,
    struct lookup_record *r)
{
	supersede(s, key.id);
	map_keep(s->negative, key.asked, r);
	if (map_get(s->found, key.id) != NULL || r->is_revoked ||
	    gone_known(s->gone, key.id) != NULL)
		gone_remember(s->gone, key.id, conf, r);
	map_del(s->found, key.id);
}

/* The key may lie in the record that is replaced: that one is held until the maps are done with the
 * key. */
static void
keep(struct lookup_store *s, struct lookup_key key, const struct lookup_conf *conf,
    struct lookup_record *r)
{
	struct lookup_record *found = ref_or_null(map_get(s->found, key.id));
	struct lookup_record *negative = ref_or_null(map_get(s->negative, key.asked));

	times_set(s, r, conf);
	if (r->is_negative)
		negative_keep(s, key, conf, r);
	else
		found_keep(s, key, r);
	lookup_unref(found);
	lookup_unref(negative);
}

static void
count_as_fresh(const struct lookup_store *s, struct lookup_record *r, uint64_t until_us)
{
	r->epoch = s->epoch;
	r->expires_us = until_us < r->usable_until_us ? until_us : r->usable_until_us;
}

static struct lookup_record *
gone_usable(struct lookup_store *s, struct lookup_key key, uint64_t until_us)
{
	struct lookup_record *r = gone_known(s->gone, key.id);

	if (r == NULL)
		return NULL;
	map_keep(s->negative, key.asked, r);
	r->usable_until_us = until_us;
	count_as_fresh(s, r, until_us);
	return r;
}

static struct lookup_record *
usable(struct lookup_store *s, struct lookup_key key, const struct lookup_conf *conf)
{
	struct lookup_record *r = map_get(s->found, key.id);
	uint64_t now = clock_mono_us();

	if (conf->stale_us == 0)
		return NULL;
	if (r == NULL)
		return gone_usable(s, key, now + conf->retry_us);
	if (now >= r->usable_until_us)
		return NULL;
	if (now >= r->expires_us || r->epoch != s->epoch)
		count_as_fresh(s, r, now + conf->retry_us);
	return r;
}

/* Freed and made anew: a map has no call that empties it. The old one is freed without the lock. */
static struct map *
map_renew(struct map **m, size_t max)
{
	struct map *old = *m;

	*m = map_new(max, stored_record_drop);
	return old;
}

/* ---- for lookup.c ---- */

struct lookup_record *
lookup_store_fresh(struct lookup_store *s, struct lookup_key key)
{
	struct lookup_record *r;

	pthread_mutex_lock(&s->mutex);
	r = ref_or_null(fresh(s, key));
	pthread_mutex_unlock(&s->mutex);
	return r;
}

struct lookup_record *
lookup_store_peek(struct lookup_store *s, struct lookup_key key)
{
	struct lookup_record *r;

	pthread_mutex_lock(&s->mutex);
	r = map_get(s->found, key.id);
	r = ref_or_null(r != NULL ? r : map_get(s->negative, key.asked));
	pthread_mutex_unlock(&s->mutex);
	return r;
}

struct lookup_record *
lookup_store_stale(struct lookup_store *s, struct lookup_key key, const struct lookup_conf *conf)
{
	struct lookup_record *r;

	pthread_mutex_lock(&s->mutex);
	r = ref_or_null(usable(s, key, conf));
	pthread_mutex_unlock(&s->mutex);
	return r;
}

bool
lookup_store_fetch_begin(struct lookup_store *s, struct lookup_key key, struct lookup_fetch *fetch)
{
	bool fits;

	pthread_mutex_lock(&s->mutex);
	fetch->serial = s->serial;
	fetch->is_fenced = gone_fences(s->gone, key.id);
	fetch->peer = map_get(s->under_way, key.id);
	fits = map_put(s->under_way, key.id, fetch);
	pthread_mutex_unlock(&s->mutex);
	return fits;
}

/* Replacing a value of the map needs no memory. */
void
lookup_store_fetch_end(struct lookup_store *s, struct lookup_key key, struct lookup_fetch *fetch)
{
	struct lookup_fetch *first, **link;

	pthread_mutex_lock(&s->mutex);
	first = map_get(s->under_way, key.id);
	for (link = &first; *link != fetch; link = &(*link)->peer)
		continue;
	*link = fetch->peer;
	if (first == NULL)
		map_take(s->under_way, key.id);
	else
		(void)map_put(s->under_way, key.id, first);
	pthread_mutex_unlock(&s->mutex);
}

/* A superseded fetch has found that there is none. It is not kept, but neither is what may have
 * been read before it: another fetch's, or a found record. One that was there when the fetch began
 * was; of one that came meanwhile nobody knows, so the next who asks looks. */
static void
older_drop(struct lookup_store *s, struct lookup_key key, const struct lookup_conf *conf,
    struct lookup_fetch *fetch)
{
	struct lookup_record *found = map_get(s->found, key.id);

	supersede(s, key.id);
	if (found == NULL)
		return;
	gone_remember(s->gone, key.id, conf, found->serial <= fetch->serial ? fetch->record : NULL);
	map_del(s->found, key.id);
}

struct lookup_record *
lookup_store_keep(struct lookup_store *s, struct lookup_key key, const struct lookup_conf *conf,
    struct lookup_fetch *fetch)
{
	struct lookup_record *r = fetch->record, *known;

	pthread_mutex_lock(&s->mutex);
	if (!atomic_load(&fetch->is_superseded)) {
		keep(s, key, conf, r);
	} else if (r->is_negative) {
		older_drop(s, key, conf, fetch);
	} else if (map_get(s->found, key.id) == NULL) {
		known = map_fresh(s, s->negative, key.asked, clock_mono_us());
		if (known == NULL)
			known = gone_known(s->gone, key.id);
		r = known != NULL ? known : r;
	}
	lookup_ref(r);
	pthread_mutex_unlock(&s->mutex);
	return r;
}

void
lookup_store_put(struct lookup_store *s, struct lookup_key key, const struct lookup_conf *conf,
    struct lookup_record *r)
{
	pthread_mutex_lock(&s->mutex);
	supersede(s, key.id);
	keep(s, key, conf, r);
	pthread_mutex_unlock(&s->mutex);
}

void
lookup_store_forget(struct lookup_store *s, struct lookup_key key, const struct lookup_conf *conf)
{
	struct lookup_record *found;

	pthread_mutex_lock(&s->mutex);
	supersede(s, key.id);
	gone_remember(s->gone, key.id, conf, NULL);
	/* Last: dropping a record may free the key. */
	found = map_take(s->found, key.id);
	map_del(s->negative, key.asked);
	lookup_unref(found);
	pthread_mutex_unlock(&s->mutex);
}

/* What is remembered as gone stays so: a doubt does not bring it back. */
void
lookup_store_expire(struct lookup_store *s, struct lookup_key key, const struct lookup_conf *conf)
{
	struct lookup_record *found;

	pthread_mutex_lock(&s->mutex);
	supersede(s, key.id);
	gone_fence(s->gone, key.id, conf);
	found = map_get(s->found, key.id);
	if (found != NULL)
		found->expires_us = clock_mono_us();
	pthread_mutex_unlock(&s->mutex);
}

void
lookup_store_forget_all(struct lookup_store *s, const struct lookup_conf *conf)
{
	struct map *found = NULL, *negative;

	pthread_mutex_lock(&s->mutex);
	map_each(s->under_way, supersede_each, NULL);
	s->epoch++;
	negative = map_renew(&s->negative, s->records_max);
	if (conf->stale_us == 0)
		found = map_renew(&s->found, s->records_max);
	pthread_mutex_unlock(&s->mutex);
	map_free(negative);
	map_free(found);
}

/* ---- new, free ---- */

struct lookup_store *
lookup_store_new(size_t records_max)
{
	struct lookup_store *s = xcalloc(1, sizeof(*s));

	if (pthread_mutex_init(&s->mutex, NULL) != 0)
		abort();
	s->records_max = records_max > 0 ? records_max : 1; /* to a map 0 means: no ceiling */
	s->found = map_new(s->records_max, stored_record_drop);
	s->negative = map_new(s->records_max, stored_record_drop);
	s->gone = gone_map_new(s->records_max);
	s->under_way = map_new(0, NULL);
	return s;
}

void
lookup_store_free(struct lookup_store *s)
{
	if (s == NULL)
		return;
	map_free(s->found);
	map_free(s->negative);
	map_free(s->gone);
	map_free(s->under_way);
	pthread_mutex_destroy(&s->mutex);
	free(s);
}
