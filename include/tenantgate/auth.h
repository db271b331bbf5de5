/* SPDX-License-Identifier: MIT */
/*
 * auth: who asks. API keys `tg_<key id>_<secret>`; the catalog stores a SHA-256 of the secret.
 * Unknown key, wrong secret, revoked key, no credential: the same 401, in the same time but for
 * the lookup.
 *
 * An auth belongs to a worker and keeps a bounded cache of key records (found and not found, a
 * short while); identical lookups share one flow.
 */
#ifndef TENANTGATE_AUTH_H
#define TENANTGATE_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/id.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/catalog.h"
#include "tenantgate/loop/flow.h"

enum caller_kind { CALLER_TENANT, CALLER_SERVICE, CALLER_ADMIN };

struct caller {
	enum caller_kind	kind;
	char			key_id[KEY_ID_LEN + 1];		/* never the secret */
	char			tenant[TENANT_ID_MAX + 1];	/* "" unless CALLER_TENANT */
};

struct auth;

struct auth_conf {
	uint64_t	cache_ttl_us;		/* a revoked key works at most this long */
	uint64_t	cache_negative_ttl_us;
	unsigned	cache_max;
};
void		 auth_conf_init(struct auth_conf *);

struct auth	*auth_open(struct worker *, struct catalog *, const struct auth_conf *);
void		 auth_close(struct auth *);

/* `authorization`: the header's value, p NULL when absent. Fails with ERR_UNAUTHENTICATED, or
 * ERR_CATALOG when the key cannot be looked up. */
enum flow_rc	 auth_check(struct flow *, struct auth *, struct slice authorization,
		    struct caller *) __attribute__((warn_unused_result));

/*
 * The tenant this request is for: the caller's own, or the one a service key names (`asked`: the
 * X-Tenant-Id header, p NULL when absent). ERR_INVALID_TENANT when it is not an id or a service
 * key names none; ERR_FORBIDDEN when a tenant key names another. Pure.
 */
bool		 auth_tenant(const struct caller *, struct slice asked,
		    char out[TENANT_ID_MAX + 1], struct err *);
/* 1 to 128 bytes of [A-Za-z0-9._:@-]. */
bool		 auth_tenant_valid(struct slice);

/* Makes a key; `text` ("tg_…", shown once) gets AUTH_KEY_TEXT_SIZE bytes. tenant: NULL unless the
 * kind is CALLER_TENANT. The tenant need not exist yet. */
#define AUTH_KEY_TEXT_SIZE	(sizeof("tg__") + KEY_ID_LEN + KEY_SECRET_LEN)
enum flow_rc	 auth_key_create(struct flow *, struct catalog *, enum caller_kind,
		    const char *tenant, const char *note, char *text)
		    __attribute__((warn_unused_result));

#endif
