/* SPDX-License-Identifier: MIT */
/*
 * limits_view: what a tenant may have, whose word each value is, and what it uses of it.
 */
#ifndef LIMITS_VIEW_H
#define LIMITS_VIEW_H

#include "admin/admin_request.h"
#include "tenantgate/tenant/view.h"

struct limits_view {
	struct tenant_limits	 limits;	/* owned */
	char			 key[TENANT_REDIS_KEY_SIZE];
	struct limit_use	 rate;
	struct pool_view	 pool;		/* of this process; without a key: it has none */
};

/* Zeroed memory, of the flow; a row of tenant_look(). Waits for what Redis knows of the rate. */
enum flow_rc	limits_view_read(struct flow *, struct limits_view *, const struct pg_result *)
		    __attribute__((warn_unused_result));
/* A JSON array. */
void		limits_view_put(struct buf *, const struct limits_view *);
void		limits_view_clear(struct limits_view *);

#endif
