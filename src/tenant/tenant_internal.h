/* SPDX-License-Identifier: MIT */
/*
 * tenant_internal: what the files of this folder share. A struct tenants is one worker's, and its
 * thread's only.
 */
#ifndef TENANT_TENANT_INTERNAL_H
#define TENANT_TENANT_INTERNAL_H

#include <sys/queue.h>

#include "tenant/tenant_record.h"
#include "tenantgate/base/map.h"
#include "tenantgate/replica/drop_channel.h"
#include "tenantgate/tenant.h"

/* By which replicas tell each other to forget a tenant, or to doubt its record. */
#define DROP_CHANNEL "tg:tenant:drop"

/* The detail of ERR_SUSPENDED, wherever a suspended tenant is met. */
#define TENANT_SUSPENDED_DETAIL "The tenant is suspended. Ask the operator to resume it."
/* The same of ERR_DELETED. */
#define TENANT_DELETED_DETAIL \
	"The tenant was deleted, and no request makes it anew. Ask the operator, who can (POST " \
	"/admin/tenants/{id}/recreate)."

/* Where Redis keeps what all replicas share of one account of Neon's; NEON_KEY_SIZE each. */
#define NEON_KEY_SIZE 48
struct neon_keys {
	char bucket[NEON_KEY_SIZE];
	char tickets[NEON_KEY_SIZE], waiting[NEON_KEY_SIZE], seen[NEON_KEY_SIZE];
	char slots[NEON_KEY_SIZE];
};

struct tenants {
	struct worker *worker; /* borrowed, as all to conf */
	struct catalog *catalog;
	struct redis *redis; /* NULL: no Redis is configured; this worker's cache stands alone */
	struct web *web;
	struct dns *dns;
	struct pools *pools;
	const struct seal *seal;
	struct tenants_shared *shared;
	const struct tenants_conf *conf; /* now */
	const struct network_list *allowed; /* borrowed: one for all workers */
	struct tenants_conf now;
	struct pool_target admin;    /* provider postgres: the cluster's administrator */
	struct arena *arena;	     /* owned: admin's strings */
	TAILQ_ENTRY(tenants) link;   /* shared->workers */
	struct tenant_uses *uses;    /* owned: this worker's flows, by tenant */
	struct map *ends;	     /* owned: tenant id -> struct end_handle, of a flow */
	struct lookup_cache *records; /* owned: tenant id -> tenant_record; shared->records */
	struct map *provisions;	     /* owned: tenant id -> provision, each frees itself */
	struct map *wishes;	     /* owned: tenant id -> wish_handle, each frees itself */
	struct neon_keys neon_keys;
	struct drop_channel drops;   /* to the other replicas */
	unsigned retractions;	     /* under way */
	uint64_t queue_seen_us; /* monotonic: when Redis last told the queue's state; 0: never */
};

/* Writes a READY record, sealed, to Redis, where other workers and replicas look when they have no
 * record. It tells nobody: a record that *changed* is dropped everywhere by tenant_forget(). Nobody
 * waits for the write; a lost one costs a look into the catalog. */
void tenants_publish(struct tenants *, const struct tenant_record *);
/* Closes its pooled connections; those that are lent go when they come back. */
void tenants_forget_pool(struct tenants *, const char *id);
/* Takes the record out of Redis, and for a while keeps an older one from being put there. */
void tenants_unpublish(struct tenants *, const char *id);
/* The same, as redis_command(). */
enum flow_rc tenants_unpublish_wait(struct flow *, struct tenants *, const char *id,
    struct redis_reply *) __attribute__((warn_unused_result));
/* Behind the caller, who has done that and told the other replicas to forget it: sees to it that
 * Redis has both. */
void tenant_retract(struct tenants *, const char *id);
/* "neon" or "postgres": the column public.tenants.provider. Static. */
const char *tenants_provider_name(const struct tenants *);
/* How to connect to it: TLS as the configuration says now, whatever was so when it was made. */
void tenant_set_tls(const struct tenants *, struct tenant *);
/* True when the configuration's provider has made it; else err says what to do. */
bool tenant_provider_check(const struct tenants *, const struct tenant *, struct err *);
/* The cache of records, and how one is looked up (tenant_lookup.c). */
struct lookup_cache *tenants_records_open(struct tenants *);
void tenants_records_configure(struct tenants *);

/* Copies the tenant into *out, its limits into the flow's arena (one without an arena has none of
 * them); ERR_SUSPENDED, and *out untouched, when it is suspended. */
enum flow_rc tenant_check_state(struct flow *, const struct tenants *,
    const struct tenant_record *, struct tenant *out)
    __attribute__((warn_unused_result));

#endif
