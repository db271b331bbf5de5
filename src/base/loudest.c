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

struct loudest_shard {
	pthread_mutex_t mutex;
	unsigned places, used;
	uint64_t counted;
	uint64_t *hashes; /* owned: of the place of the same number */
	struct loudest_place *list;
};

struct loudest {
	unsigned places, shard_count;
	struct loudest_shard shards[];
};

struct loudest *
loudest_new(unsigned places, unsigned shards)
{
	struct loudest *l = xcalloc(1, sizeof(*l) + shards * sizeof(l->shards[0]));

	l->places = places;
	l->shard_count = shards;
	for (unsigned i = 0; i < shards; i++) {
		struct loudest_shard *s = &l->shards[i];

		pthread_mutex_init(&s->mutex, NULL);
		s->places = places;
		s->hashes = xcalloc(places, sizeof(*s->hashes));
		s->list = xcalloc(places, sizeof(*s->list));
	}
	return l;
}

void
loudest_free(struct loudest *l)
{
	if (l == NULL)
		return;
	for (unsigned i = 0; i < l->shard_count; i++) {
		pthread_mutex_destroy(&l->shards[i].mutex);
		free(l->shards[i].hashes);
		free(l->shards[i].list);
	}
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
place_find(struct loudest_shard *l, struct slice name, uint64_t hash)
{
	for (unsigned i = 0; i < l->used; i++)
		if (l->hashes[i] == hash && slice_is(name, l->list[i].name))
			return &l->list[i];
	return NULL;
}

/* A free one, or that of the least. */
static struct loudest_place *
place_seize(struct loudest_shard *l, struct slice name, uint64_t hash)
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
loudest_add(struct loudest *loudest, unsigned shard, struct slice name, uint64_t us, bool failed)
{
	struct loudest_shard *l = &loudest->shards[shard % loudest->shard_count];
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

/* That of the same name, or a new one: the list has room for the places of all shards. */
static struct loudest_place *
merged_place(struct loudest_place *list, unsigned *used, const char *name)
{
	struct loudest_place *p;

	for (unsigned i = 0; i < *used; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	p = &list[(*used)++];
	memcpy(p->name, name, sizeof(p->name));
	return p;
}

static void
shard_merge(struct loudest_shard *l, struct loudest_place *list, unsigned *used, uint64_t *all)
{
	pthread_mutex_lock(&l->mutex);
	for (unsigned i = 0; i < l->used; i++) {
		const struct loudest_place *from = &l->list[i];
		struct loudest_place *to = merged_place(list, used, from->name);

		to->count += from->count;
		to->error += from->error;
		to->failed += from->failed;
		to->sum_us += from->sum_us;
	}
	*all += l->counted;
	pthread_mutex_unlock(&l->mutex);
}

static int
by_count(const void *a, const void *b)
{
	const struct loudest_place *x = a, *y = b;

	return x->count < y->count ? 1 : x->count > y->count ? -1 : 0;
}

unsigned
loudest_copy(struct loudest *l, struct loudest_place *out, unsigned max, uint64_t *all)
{
	struct loudest_place *merged = xcalloc((size_t)l->places * l->shard_count, sizeof(*merged));
	unsigned n = 0;

	*all = 0;
	for (unsigned i = 0; i < l->shard_count; i++)
		shard_merge(&l->shards[i], merged, &n, all);
	qsort(merged, n, sizeof(*merged), by_count);
	if (n > max)
		n = max;
	memcpy(out, merged, n * sizeof(*out));
	free(merged);
	return n;
}
