/* SPDX-License-Identifier: MIT */
/*
 * meter: one writer, the worker, and readers that take what is there (as loop/flow_stat.c): every
 * number is an atomic of its own with relaxed order, so that the writer's addition is a load and a
 * store; the address of a series is published when what is behind it is whole.
 */
#include "tenantgate/loop/meter.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "loop/meter_table.h"
#include "loop/worker_internal.h"
#include "tenantgate/base/alloc.h"

struct meter_series {
	const struct meter_family *family; /* borrowed: static */
	uint64_t hash;
	uint8_t lengths[METER_LABELS_MAX]; /* of the values */
	char values[METER_LABELS_MAX][METER_VALUE_MAX + 1];
	_Atomic double sum;
	_Atomic uint64_t counts[]; /* of a histogram: one more than it has bounds */
};

static unsigned
label_count(const struct meter_family *family)
{
	unsigned n = 0;

	while (family->labels[n] != NULL)
		n++;
	return n;
}

static struct slice
value_cut(struct slice s)
{
	return slice_of(s.p, s.len < METER_VALUE_MAX ? s.len : METER_VALUE_MAX);
}

static uint64_t
hash_word(uint64_t h, uint64_t word)
{
	h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 32;
}

/* Eight bytes at a time, over the family's address too. What collides is only looked at one after
 * the other, and there are few of a family. */
static uint64_t
series_hash(const struct meter_family *family, const struct slice *values, unsigned n)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ (uintptr_t)family;

	for (unsigned i = 0; i < n; i++) {
		struct slice s = value_cut(values[i]);
		uint64_t word = 0;

		for (; s.len > sizeof(word);
		     s = slice_of(s.p + sizeof(word), s.len - sizeof(word))) {
			memcpy(&word, s.p, sizeof(word));
			h = hash_word(h, word);
		}
		word = s.len;
		if (s.len > 0)
			memcpy(&word, s.p, s.len);
		h = hash_word(h, word);
	}
	return h;
}

static bool
series_is(const struct meter_series *s, const struct meter_family *family, uint64_t hash,
    const struct slice *values, unsigned n)
{
	if (s->hash != hash || s->family != family)
		return false;
	for (unsigned i = 0; i < n; i++) {
		struct slice value = value_cut(values[i]);

		if (value.len != s->lengths[i] ||
		    (value.len > 0 && memcmp(value.p, s->values[i], value.len) != 0))
			return false;
	}
	return true;
}

/* False: the family has as many as it may, or there are more families than places. */
static bool
family_has_room(struct meter_table *table, const struct meter_family *family)
{
	unsigned i = 0;

	while (i < METER_FAMILIES_MAX && table->families[i].family != NULL &&
	    table->families[i].family != family)
		i++;
	assert(i < METER_FAMILIES_MAX); /* families are static: raise the number */
	table->families[i].family = family;
	if (table->families[i].series == METER_SERIES_MAX)
		return false;
	table->families[i].series++;
	return true;
}

static struct meter_series *
series_new(const struct meter_family *family, uint64_t hash, const struct slice *values, unsigned n)
{
	size_t buckets = family->type == METRIC_HISTOGRAM ? family->bound_count + 1 : 0;
	struct meter_series *s = xcalloc(1, sizeof(*s) + buckets * sizeof(s->counts[0]));

	s->family = family;
	s->hash = hash;
	for (unsigned i = 0; i < n; i++) {
		struct slice value = value_cut(values[i]);

		s->lengths[i] = (uint8_t)value.len;
		if (value.len > 0)
			memcpy(s->values[i], value.p, value.len);
	}
	return s;
}

/* The series of these labels, or the free slot where it belongs. */
static struct meter_series *_Atomic *
slot_find(struct meter_table *table, const struct meter_family *family, uint64_t hash,
    const struct slice *values, unsigned n)
{
	for (size_t i = 0; i < METER_SLOTS; i++) {
		struct meter_series *_Atomic *slot = &table->slots[(hash + i) % METER_SLOTS];
		const struct meter_series *s = atomic_load_explicit(slot, memory_order_relaxed);

		if (s == NULL || series_is(s, family, hash, values, n))
			return slot;
	}
	abort(); /* METER_FAMILIES_MAX times METER_SERIES_MAX are fewer */
}

static struct meter_series *
series_other(struct worker *w, const struct meter_family *family)
{
	struct slice others[METER_LABELS_MAX];

	for (unsigned i = 0; i < METER_LABELS_MAX; i++)
		others[i] = SLICE_LIT("other");
	return meter_series(w, family, others);
}

/* The one for all others has a place whatever the family has. */
static bool
is_other(const struct slice *values, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!slice_is(values[i], "other"))
			return false;
	return true;
}

struct meter_series *
meter_series(struct worker *w, const struct meter_family *family, const struct slice *values)
{
	struct meter_table *table = worker_meters(w);
	unsigned n = label_count(family);
	uint64_t hash = series_hash(family, values, n);
	struct meter_series *_Atomic *slot = slot_find(table, family, hash, values, n);
	struct meter_series *s = atomic_load_explicit(slot, memory_order_relaxed);

	if (s != NULL)
		return s;
	if (!family_has_room(table, family) && !is_other(values, n))
		return series_other(w, family);
	s = series_new(family, hash, values, n);
	atomic_store_explicit(slot, s, memory_order_release);
	return s;
}

void
meter_count(struct meter_series *s, double n)
{
	const struct meter_family *family = s->family;
	unsigned i = 0;

	atomic_store_explicit(&s->sum, atomic_load_explicit(&s->sum, memory_order_relaxed) + n,
	    memory_order_relaxed);
	if (family->type != METRIC_HISTOGRAM)
		return;
	while (i < family->bound_count && n > family->bounds[i])
		i++;
	atomic_store_explicit(&s->counts[i],
	    atomic_load_explicit(&s->counts[i], memory_order_relaxed) + 1, memory_order_relaxed);
}

void
meter_add(struct worker *w, const struct meter_family *family, const struct slice *values, double n)
{
	meter_count(meter_series(w, family, values), n);
}

void
meter_table_free(struct meter_table *table)
{
	for (size_t i = 0; i < METER_SLOTS; i++)
		free(atomic_load_explicit(&table->slots[i], memory_order_relaxed));
}

static struct meter_reading *
reading_of(const struct meter_series *s, struct meter_reading *readings, unsigned *count,
    unsigned max)
{
	for (unsigned i = 0; i < *count; i++)
		if (memcmp(readings[i].values, s->values, sizeof(s->values)) == 0)
			return &readings[i];
	if (*count == max)
		return NULL;
	memcpy(readings[*count].values, s->values, sizeof(s->values));
	return &readings[(*count)++];
}

bool
meter_gather(const struct worker *w, const struct meter_family *family,
    struct meter_reading *readings, unsigned *count, unsigned max)
{
	const struct meter_table *table = worker_meters_view(w);
	unsigned buckets = family->type == METRIC_HISTOGRAM ? family->bound_count + 1 : 0;
	bool all = true;

	for (size_t i = 0; i < METER_SLOTS; i++) {
		const struct meter_series *s =
		    atomic_load_explicit(&table->slots[i], memory_order_acquire);
		struct meter_reading *r;

		if (s == NULL || s->family != family)
			continue;
		r = reading_of(s, readings, count, max);
		if (r == NULL) {
			all = false;
			continue;
		}
		r->sum += atomic_load_explicit(&s->sum, memory_order_relaxed);
		for (unsigned b = 0; b < buckets; b++)
			r->counts[b] += atomic_load_explicit(&s->counts[b], memory_order_relaxed);
	}
	return all;
}
