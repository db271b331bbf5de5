/* SPDX-License-Identifier: MIT */
/*
 * tenant_record: a tenant as loop/lookup caches it, and its form in Redis. Read by any worker once
 * it is filled.
 */
#ifndef TENANT_RECORD_H
#define TENANT_RECORD_H

#include "tenant/names.h"
#include "tenantgate/loop/lookup.h"
#include "tenantgate/tenant.h"

#define RECORD_KEY_SIZE (sizeof("tg:tenant:{}:") + ENVIRONMENT_MAX + TENANT_ID_MAX)

struct tenant_record {
	struct lookup_record base; /* negative: not READY, kept for a short time */
	bool filled; /* tenant is more than its id: set once, by record_fill() */
	struct tenant tenant; /* limits: own, or the configuration's */
	char *settings;	      /* owned: as the catalog has them; NULL: none */
	struct plan *own;     /* owned: what they make of the plan; NULL: nothing else */
	uint64_t generation;  /* of the plans that limits are of: of others, it is not valid */
};

/* With one reference, the caller's, and only the id in it (cut to TENANT_ID_MAX bytes). The last
 * lookup_unref() wipes the password. */
struct tenant_record *record_new(struct slice id);
/* Resolves its limits. settings: JSON, "" for none. */
void record_fill(struct tenant_record *, const struct plans *, const struct tenant *,
    const char *settings);

/* What holds for it by the plans of now, with its texts, in the arena: an older record is resolved
 * anew. NULL when the arena is full. */
const struct plan *record_limits(const struct tenant_record *, const struct plans *,
    struct arena *);

/* "neon", "postgres" or "url", as the catalog and Redis have it; static. False for any other. */
const char *provider_name(enum tenant_provider);
bool provider_parse(const char *name, enum tenant_provider *out);

/* "tg:tenant:<environment>:<id>": the key in Redis. It is authenticated with the value too: a value
 * copied to another tenant's key does not open. In a cluster the environment has the braces of a
 * hash tag, so that the records are where the limits are. */
void record_redis_key(char out[RECORD_KEY_SIZE], const char *environment, const char *id,
    bool is_cluster);
/* A READY tenant as a sealed text, appended to out; false when out is too small. */
bool record_close(const struct seal *, const struct tenant *, const char *settings, const char *key,
    struct buf *out);
#define RECORD_SEALED_MAX (8u * PLAN_SETTINGS_MAX) /* bytes that it appends at most */
/* False for anything that record_close() did not make for this very key and tenant. */
bool record_open(const struct seal *, const char *id, const char *key, struct slice sealed,
    struct tenant *out, char settings[PLAN_SETTINGS_MAX + 1]);

#endif
