/* SPDX-License-Identifier: MIT */
/*
 * index_tenants: see the header. A tenant whose entry was forgotten, or for whom there was no
 * memory, may have two flows: the lease in its database keeps them apart.
 */
#include "retrieval/index_tenants.h"

#include <stdlib.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/mutation.h"

#define TENANTS_KEPT 16384 /* the least asked for goes: it is looked at once more */
/* A tenant's own flows are one; what waits is short of a Neon compute's time until it sleeps. */
#define TURN_TIMEOUT_US (240 * 1000000ull)

struct index_tenant {
	bool is_running;
	bool has_changed;  /* since the flow has looked */
	bool has_failed;   /* until then even a change is left alone */
	uint64_t until_us; /* monotonic: nothing is to be done before */
};

void
index_conf_init(struct index_conf *c)
{
	*c = (struct index_conf){ .parallel_max = 4, .memory_max = (size_t)256 << 20 };
}

struct indexing *
indexing_open(const struct index_conf *conf)
{
	const struct share_conf budget = {
		.noun = "builds of indexes",
		.setting = "max_index_builds",
		.capacity = conf->parallel_max,
		.ceiling = 1,
		.waiting_max = 1,
		.wait_timeout_us = TURN_TIMEOUT_US,
	};
	struct indexing *x = xcalloc(1, sizeof(*x));

	atomic_init(&x->memory_max, conf->memory_max);
	x->budget = share_open(&budget);
	x->tenants = map_new(TENANTS_KEPT, free);
	if (pthread_mutex_init(&x->mutex, NULL) != 0)
		abort();
	return x;
}

void
indexing_configure(struct indexing *x, const struct index_conf *conf)
{
	atomic_store(&x->memory_max, conf->memory_max);
	share_resize(x->budget, conf->parallel_max);
}

void
indexing_close(struct indexing *x)
{
	if (x == NULL)
		return;
	share_close(x->budget);
	map_free(x->tenants);
	pthread_mutex_destroy(&x->mutex);
	free(x);
}

/* The next four under the lock. */
static bool
tenant_may_begin(const struct index_tenant *t, bool has_changed)
{
	if (t == NULL)
		return true;
	return !t->is_running &&
	    ((has_changed && !t->has_failed) || clock_mono_us() >= t->until_us);
}

static struct index_tenant *
tenant_find(struct indexing *x, const char *tenant)
{
	return map_get(x->tenants, slice_str(mutated(MUTATION_INDEX_TENANT, tenant)));
}

/* NULL without memory. */
static struct index_tenant *
tenant_make(struct indexing *x, const char *tenant)
{
	struct index_tenant *t = xcalloc(1, sizeof(*t));

	if (map_put(x->tenants, slice_str(mutated(MUTATION_INDEX_TENANT, tenant)), t))
		return t;
	free(t);
	return NULL;
}

static void
tenant_rest(struct index_tenant *t, uint64_t rest_us, bool has_failed)
{
	t->is_running = t->has_changed = false;
	t->has_failed = has_failed;
	t->until_us = clock_mono_us() + rest_us;
}

bool
indexing_is_due(struct indexing *x, const char *tenant, bool has_changed)
{
	struct index_tenant *t;
	bool is_due;

	pthread_mutex_lock(&x->mutex);
	t = tenant_find(x, tenant);
	is_due = tenant_may_begin(t, has_changed);
	if (t != NULL && t->is_running)
		t->has_changed |= has_changed;
	pthread_mutex_unlock(&x->mutex);
	return is_due;
}

bool
index_tenant_enter(struct indexing *x, const char *tenant, bool has_changed)
{
	struct index_tenant *t;
	bool begins;

	pthread_mutex_lock(&x->mutex);
	t = tenant_find(x, tenant);
	begins = tenant_may_begin(t, has_changed);
	if (t == NULL)
		t = tenant_make(x, tenant);
	if (t != NULL && begins)
		t->is_running = true;
	else if (t != NULL && t->is_running)
		t->has_changed |= has_changed;
	pthread_mutex_unlock(&x->mutex);
	return begins;
}

bool
index_tenant_leave(struct indexing *x, const char *tenant, uint64_t rest_us)
{
	struct index_tenant *t;
	bool leaves;

	pthread_mutex_lock(&x->mutex);
	t = tenant_find(x, tenant);
	leaves = t == NULL || !t->has_changed;
	if (t != NULL && leaves)
		tenant_rest(t, rest_us, false);
	else if (t != NULL)
		t->has_changed = false;
	pthread_mutex_unlock(&x->mutex);
	return leaves;
}

void
index_tenant_fail(struct indexing *x, const char *tenant, uint64_t rest_us)
{
	struct index_tenant *t;

	pthread_mutex_lock(&x->mutex);
	t = tenant_find(x, tenant);
	if (t != NULL)
		tenant_rest(t, rest_us, true);
	pthread_mutex_unlock(&x->mutex);
}

struct share_budget *
indexing_budget(const struct indexing *indexing)
{
	return indexing->budget;
}
