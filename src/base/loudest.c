/* SPDX-License-Identifier: MIT */
/*
 * loudest: see the header. A scan of a few dozen places by a hash of the name; the name itself is
 * compared where the hash is equal.
 */
#include "tenantgate/base/loudest.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"

struct loudest {
	pthread_mutex_t mutex;
	unsigned places, used;
	uint64_t counted;
	uint64_t *hashes; /* owned: of the place of the same number */
	struct loudest_place *list;
};

struct loudest *
loudest_new(unsigned places)
{
	struct loudest *l = xcalloc(1, sizeof(*l));

	pthread_mutex_init(&l->mutex, NULL);
	l->places = places;
	l->hashes = xcalloc(places, sizeof(*l->hashes));
	l->list = xcalloc(places, sizeof(*l->list));
	return l;
}

void
loudest_free(struct loudest *l)
{
	if (l == NULL)
		return;
	pthread_mutex_destroy(&l->mutex);
	free(l->hashes);
	free(l->list);
	free(l);
}

/* FNV-1a: a client that finds two names of one hash gains nothing by it. */
static uint64_t
name_hash(struct slice name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < name.len; i++)
		h = (h ^ (unsigned char)name.p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static struct loudest_place *
place_find(struct loudest *l, struct slice name, uint64_t hash)
{
	for (unsigned i = 0; i < l->used; i++)
		if (l->hashes[i] == hash && slice_is(name, l->list[i].name))
			return &l->list[i];
	return NULL;
}

/* A free one, or that of the least. */
static struct loudest_place *
place_seize(struct loudest *l, struct slice name, uint64_t hash)
{
	struct loudest_place *p = &l->list[0];
	uint64_t error;

	if (l->used < l->places)
		p = &l->list[l->used++];
	else
		for (unsigned i = 1; i < l->used; i++)
			p = l->list[i].count < p->count ? &l->list[i] : p;
	error = p->count;
	*p = (struct loudest_place){ .count = error, .error = error };
	memcpy(p->name, name.p, name.len);
	l->hashes[p - l->list] = hash;
	return p;
}

void
loudest_add(struct loudest *l, struct slice name, uint64_t us, bool failed)
{
	struct loudest_place *p;
	uint64_t hash;

	if (name.len > LOUDEST_NAME_MAX)
		name.len = LOUDEST_NAME_MAX;
	hash = name_hash(name);
	pthread_mutex_lock(&l->mutex);
	p = place_find(l, name, hash);
	if (p == NULL)
		p = place_seize(l, name, hash);
	l->counted++;
	p->count++;
	p->failed += failed;
	p->sum_us += us;
	pthread_mutex_unlock(&l->mutex);
}

unsigned
loudest_copy(struct loudest *l, struct loudest_place *out, unsigned max, uint64_t *all)
{
	unsigned n;

	pthread_mutex_lock(&l->mutex);
	n = l->used < max ? l->used : max;
	memcpy(out, l->list, n * sizeof(*out));
	*all = l->counted;
	pthread_mutex_unlock(&l->mutex);
	return n;
}
