/* SPDX-License-Identifier: MIT */
/*
 * record: a tenant as loop/lookup keeps it (one worker's thread), and its form in Redis.
 */
#ifndef TENANT_RECORD_H
#define TENANT_RECORD_H

#include "tenant/names.h"
#include "tenantgate/loop/lookup.h"
#include "tenantgate/tenant.h"

#define RECORD_KEY_SIZE (sizeof("tg:tenant::") + ENVIRONMENT_MAX + TENANT_ID_MAX)

struct tenant_record {
	struct lookup_record base; /* negative: not READY, kept for a short time */
	bool filled;
	struct tenant tenant;
};

/* With one reference; NULL without memory. The last lookup_unref() wipes the password. */
struct tenant_record *record_new(struct slice id);
void record_fill(struct tenant_record *, const struct tenant *);

/* "tg:tenant:<environment>:<id>": the key in Redis, and what its value is sealed to. */
void record_redis_key(char out[RECORD_KEY_SIZE], const char *environment, const char *id);
/* A READY tenant as a sealed text; false when out is too small. */
bool record_close(const struct seal *, const struct tenant *, const char *key, struct buf *out);
/* False for anything that record_close() did not make for this very key and tenant. */
bool record_open(const struct seal *, const char *id, const char *key, struct slice sealed,
    struct tenant *out);

#endif
