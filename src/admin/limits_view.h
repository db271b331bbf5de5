/* SPDX-License-Identifier: MIT */
/*
 * limits_view: what a tenant may have, whose word each value is, and what it uses of it.
 */
#ifndef LIMITS_VIEW_H
#define LIMITS_VIEW_H

#include "admin/admin_request.h"
#include "tenantgate/limit/quota.h"
#include "tenantgate/tenant/view.h"

#define TENANT_LIMIT_KEYS 3	/* api_tenant_redis_key(): rate, quota, leases */

struct limits_view {
	struct tenant_limits	 limits;	/* owned */
	char			 keys[TENANT_LIMIT_KEYS][TENANT_REDIS_KEY_SIZE];
	struct limit_use	 rate;
	struct quota_use	 quota;
	struct pool_view	 pool;		/* of this process; without a key: it has none */
};

/* Zeroed memory, of the flow; a row of tenant_look(). Waits for what Redis knows of the rate and
 * of token quotas. */
enum flow_rc	limits_view_read(struct flow *, struct limits_view *, const struct pg_result *)
		    __attribute__((warn_unused_result));
/* A JSON array. */
void		limits_view_put(struct buf *, const struct limits_view *);
void		limits_view_clear(struct limits_view *);

#endif
