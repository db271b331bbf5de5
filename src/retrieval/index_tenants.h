/* SPDX-License-Identifier: MIT */
/*
 * index_tenants: which tenants' indexes this process looks after at the moment, so that one flow a
 * tenant does, whichever worker is asked. Under one lock, held for a look into a map. Any thread.
 */
#ifndef RETRIEVAL_INDEX_TENANTS_H
#define RETRIEVAL_INDEX_TENANTS_H

#include <stdatomic.h>
#include <pthread.h>
#include <stdint.h>

#include "tenantgate/base/map.h"
#include "tenantgate/loop/share.h"
#include "tenantgate/retrieval/indexing.h"

struct indexing {
	_Atomic size_t	     memory_max; /* index_conf's */
	struct share_budget *budget; /* owned */
	pthread_mutex_t	     mutex;
	struct map	    *tenants; /* owned, under the mutex: id -> struct index_tenant */
};

/* Whether a flow is to begin; then it is noted that one has. If one is at work it looks once more
 * before it ends, where chunks have changed. */
bool index_tenant_enter(struct indexing *, const char *tenant, bool has_changed);
/* True: nothing has changed since it was entered, or since the last call, and it has left, for
 * rest_us at least unless something changes. */
bool index_tenant_leave(struct indexing *, const char *tenant, uint64_t rest_us);
/* Leaves whatever has changed; not before that time is looked again. */
void index_tenant_fail(struct indexing *, const char *tenant, uint64_t rest_us);

#endif
