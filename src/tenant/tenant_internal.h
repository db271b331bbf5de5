/* SPDX-License-Identifier: MIT */
/*
 * tenant_room: what the files of this room share. A struct tenants is one worker's.
 */
#ifndef TENANT_TENANT_INTERNAL_H
#define TENANT_TENANT_INTERNAL_H

#include "tenant/tenant_record.h"
#include "tenantgate/base/map.h"
#include "tenantgate/tenant.h"

#define DROP_CHANNEL "tg:tenant:drop"
#define ORIGIN_LEN   8

struct tenants {
	struct worker *worker; /* borrowed, as all below */
	struct catalog *catalog;
	struct redis *redis; /* NULL: one replica */
	struct web *web;
	struct dns *dns;
	struct pools *pools;
	const struct seal *seal;
	const struct tenants_conf *conf;
	struct pool_target admin;    /* provider postgres */
	struct arena *arena;	     /* owned: admin's strings */
	struct lookup_cache *records; /* owned: tenant id -> tenant_record */
	struct map *provisions;	     /* owned: tenant id -> provision, each its own owner */
	char origin[ORIGIN_LEN + 1]; /* ours in the channel */
};

/* A READY record to Redis, and a word to the other workers. */
void tenants_publish(struct tenants *, const struct tenant *);
const char *tenants_provider_name(const struct tenants *);
/* The cache of records, and how one is looked up (tenant_lookup.c). */
struct lookup_cache *tenants_records_open(struct tenants *);

/* A copy, or the failure that its state is. */
enum flow_rc tenant_check_state(struct flow *, const struct tenant *, struct tenant *out)
    __attribute__((warn_unused_result));

#endif
