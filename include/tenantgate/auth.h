/* SPDX-License-Identifier: MIT */
/*
 * auth: who sent a request. API keys `tg_<key id>_<secret>`; the catalog stores a SHA-256 of the
 * secret. Unknown key, wrong secret, revoked key, no credential: the same 401, so that key ids
 * cannot be found out. What is well formed is also refused in the same time, but for the lookup.
 *
 * A struct auth belongs to a worker and its thread. It keeps a bounded cache of key records, found
 * and not found, for a short while; identical lookups share one flow.
 */
#ifndef TENANTGATE_AUTH_H
#define TENANTGATE_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/id.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/catalog.h"
#include "tenantgate/loop/flow.h"

enum caller_kind {
	CALLER_TENANT,	/* one tenant's key: for that tenant only */
	CALLER_SERVICE,	/* a web application's: names the tenant of each request */
	CALLER_ADMIN,	/* an operator's: for no tenant */
};

struct caller {
	enum caller_kind	kind;
	char			key_id[KEY_ID_LEN + 1];		/* never the secret */
	char			tenant[TENANT_ID_MAX + 1];	/* "" unless CALLER_TENANT */
};

struct auth;

struct auth_conf {
	uint64_t	cache_ttl_us;		/* a revoked key works at most this long */
	uint64_t	cache_negative_ttl_us;	/* a new key is refused at most this long */
	unsigned	cache_max;		/* found records, and as many not found; a worker */
};
void		 auth_conf_init(struct auth_conf *);

/* conf is copied, the catalog borrowed. Flows that wait on it have ended before auth_close(). */
struct auth	*auth_open(struct worker *, struct catalog *, const struct auth_conf *);
void		 auth_close(struct auth *);

/* `authorization`: the field's value, p NULL when absent; it and *out must live until the wait is
 * over. Fails with ERR_UNAUTHENTICATED, ERR_CATALOG when the key cannot be looked up,
 * ERR_OVERLOADED when too many are or there is no memory. */
enum flow_rc	 auth_check(struct flow *, struct auth *, struct slice authorization,
		    struct caller *) __attribute__((warn_unused_result));

/*
 * The tenant this request is for: the caller's own, or the one a service key names (`requested`:
 * the X-Tenant-Id field, p NULL when absent). ERR_INVALID_TENANT when it is not an id or a service
 * key names none; ERR_FORBIDDEN when a tenant key names another, and for an admin key. Pure.
 */
bool		 auth_tenant(const struct caller *, struct slice requested,
		    char out[TENANT_ID_MAX + 1], struct err *);
/* 1 to TENANT_ID_MAX bytes of [A-Za-z0-9._:@-]. */
bool		 auth_tenant_valid(struct slice);

/* Makes a key. `text` ("tg_…") gets AUTH_KEY_TEXT_SIZE bytes, once the key is in the catalog;
 * nobody can read it again, and the caller wipes it. tenant: NULL unless the kind is CALLER_TENANT;
 * it need not exist yet. note: may be NULL. Both are copied. Fails with ERR_INVALID_TENANT,
 * ERR_CONFLICT (the id drawn is in use: try again) or ERR_CATALOG. */
#define AUTH_KEY_TEXT_SIZE	(sizeof("tg__") + KEY_ID_LEN + KEY_SECRET_LEN)
enum flow_rc	 auth_key_create(struct flow *, struct catalog *, enum caller_kind,
		    const char *tenant, const char *note, char *text)
		    __attribute__((warn_unused_result));

#endif
