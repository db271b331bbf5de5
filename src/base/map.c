/* SPDX-License-Identifier: MIT */
/*
 * map.c: a hash table with chained buckets, and one list of all entries from the most to the least
 * recently used, by which the oldest is found without a search.
 *
 *	buckets[hash & (nbuckets - 1)] -> entry -> entry -> NULL
 *	used:  most recent <-> ... <-> least recent: evicted first
 *
 * What always holds: an entry is in exactly one bucket and once on the list, until map_unlink()
 * takes it from both and frees it; count <= max, when there is one. The table doubles when it holds
 * more than one entry a bucket on average; it never shrinks, for a cache fills again.
 */
#include "tenantgate/base/map.h"

#include <sys/queue.h>

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/siphash.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/random.h"

#define MAP_FIRST_BUCKETS 16

struct entry {
	TAILQ_ENTRY(entry) used;
	struct entry *next; /* owned: of the bucket */
	void *value;	    /* the caller's; never NULL */
	uint64_t hash;	    /* of the key; kept for map_grow() */
	size_t len;	    /* of the key, bytes */
	char key[];	    /* no NUL */
};

TAILQ_HEAD(entry_list, entry);

struct map {
	struct entry_list used; /* most recently used first */
	struct entry **buckets; /* owned; nbuckets of them, a power of two */
	size_t nbuckets;
	size_t count;
	size_t max;	   /* 0: none */
	map_drop_fn *drop; /* or NULL */
	uint8_t seed[SIPHASH_KEY_SIZE];
};

/* The seed is secret and each map's own: whoever knew it could choose keys that all fall into one
 * bucket, and make every look-up walk them. */
struct map *
map_new(size_t max, map_drop_fn *drop)
{
	struct map *m = xcalloc(1, sizeof(*m));

	m->nbuckets = MAP_FIRST_BUCKETS;
	m->buckets = xcalloc(m->nbuckets, sizeof(*m->buckets));
	m->max = max;
	m->drop = drop;
	TAILQ_INIT(&m->used);
	bytes_random(m->seed, sizeof(m->seed));
	return m;
}

/* The link that points at the key's entry, or the NULL link where a new entry goes. Valid until the
 * table changes. */
static struct entry **
map_find(struct map *m, struct slice key, uint64_t hash)
{
	struct entry **link = &m->buckets[hash & (m->nbuckets - 1)];

	while (*link != NULL) {
		struct entry *e = *link;

		if (e->hash == hash && e->len == key.len &&
		    (key.len == 0 || memcmp(e->key, key.p, key.len) == 0))
			break;
		link = &e->next;
	}
	return link;
}

/* The one way an entry leaves a living map: unlinks and frees it, and returns its value. */
static void *
map_unlink(struct map *m, struct entry **link)
{
	struct entry *e = *link;
	void *value = e->value;

	*link = e->next;
	TAILQ_REMOVE(&m->used, e, used);
	m->count--;
	free(e);
	return value;
}

static void
map_drop(struct map *m, void *value)
{
	if (m->drop != NULL)
		m->drop(value);
}

/* The buckets are left as they are: drop may not call the map, so nobody looks at them again. */
void
map_free(struct map *m)
{
	struct entry *e;

	if (m == NULL)
		return;
	while ((e = TAILQ_FIRST(&m->used)) != NULL) {
		TAILQ_REMOVE(&m->used, e, used);
		map_drop(m, e->value);
		free(e);
	}
	free(m->buckets);
	free(m);
}

/* Makes the entry the most recently used. */
static void
map_touch(struct map *m, struct entry *e)
{
	if (TAILQ_FIRST(&m->used) == e)
		return;
	TAILQ_REMOVE(&m->used, e, used);
	TAILQ_INSERT_HEAD(&m->used, e, used);
}

void *
map_get(struct map *m, struct slice key)
{
	struct entry *e = *map_find(m, key, siphash(m->seed, key));

	if (e == NULL)
		return NULL;
	map_touch(m, e);
	return e->value;
}

/* Chains the entries anew, by their kept hashes. Without memory the old table stays: longer chains
 * are slower, not wrong. */
static void
map_grow(struct map *m)
{
	size_t n = m->nbuckets * 2;
	struct entry **buckets = calloc(n, sizeof(*buckets));
	struct entry *e;

	if (buckets == NULL)
		return;
	TAILQ_FOREACH(e, &m->used, used) {
		e->next = buckets[e->hash & (n - 1)];
		buckets[e->hash & (n - 1)] = e;
	}
	free(m->buckets);
	m->buckets = buckets;
	m->nbuckets = n;
}

/* The entry that was just put is the first of the list, so it is never the one evicted. */
static void
map_evict_last(struct map *m)
{
	struct entry *e = TAILQ_LAST(&m->used, entry_list);
	struct entry **link = &m->buckets[e->hash & (m->nbuckets - 1)];

	while (*link != e)
		link = &(*link)->next;
	map_drop(m, map_unlink(m, link));
}

/* The entry is whole again before drop is called. */
static void
map_replace(struct map *m, struct entry *e, void *value)
{
	void *old = e->value;

	e->value = value;
	map_touch(m, e);
	/* The same value put again stays in the map, so it is not dropped. */
	if (old != value)
		map_drop(m, old);
}

/* A full map takes the new entry first and evicts then, so count is max + 1 for a moment. */
bool
map_put(struct map *m, struct slice key, void *value)
{
	uint64_t hash = siphash(m->seed, key);
	struct entry **link = map_find(m, key, hash);
	struct entry *e = *link;

	assert(value != NULL);
	if (e != NULL) {
		map_replace(m, e, value);
		return true;
	}
	e = malloc(sizeof(*e) + key.len);
	if (e == NULL)
		return false;
	if (key.len > 0)
		memcpy(e->key, key.p, key.len);
	e->len = key.len;
	e->hash = hash;
	e->value = value;
	e->next = NULL;
	*link = e;
	TAILQ_INSERT_HEAD(&m->used, e, used);
	m->count++;
	if (m->max != 0 && m->count > m->max)
		map_evict_last(m);
	else if (m->count > m->nbuckets)
		map_grow(m);
	return true;
}

void *
map_take(struct map *m, struct slice key)
{
	struct entry **link = map_find(m, key, siphash(m->seed, key));

	return *link == NULL ? NULL : map_unlink(m, link);
}

bool
map_del(struct map *m, struct slice key)
{
	void *value = map_take(m, key);

	if (value == NULL)
		return false;
	map_drop(m, value);
	return true;
}

/* From the most to the least recently used, without touching them. */
void
map_each(struct map *m, map_each_fn *fn, void *arg)
{
	struct entry *e;

	TAILQ_FOREACH(e, &m->used, used) {
		if (!fn(slice_of(e->key, e->len), e->value, arg))
			return;
	}
}

size_t
map_count(const struct map *m)
{
	return m->count;
}
