/* SPDX-License-Identifier: MIT */
/*
 * use: which flows of a worker work for which tenant, so that they end when it does. A tenant that
 * is suspended or deleted is refused at the next lookup; what was let in before is aborted here,
 * with ERR_SUSPENDED or ERR_DELETED, and so ends in the form of its own protocol.
 *
 *	tenant_forget() on any worker; another replica's message; a lookup that finds it
 *	    --> each worker with uses of the tenant looks it up anew --> it has ended: they abort
 *
 * What always holds: nobody is believed but the catalog, so a forged message costs a lookup. Where
 * no message comes (no Redis), each tenant with uses is looked at once in tenant_cache_ttl.
 */
#ifndef TENANTGATE_TENANT_USE_H
#define TENANTGATE_TENANT_USE_H

#include <sys/queue.h>

#include "tenantgate/loop/flow.h"
#include "tenantgate/tenant.h"

struct tenant_users;

/* A member of the flow's struct, zeroed; in one list at most. The worker's thread only. */
struct tenant_use {
	TAILQ_ENTRY(tenant_use)	 link;
	struct tenant_users	*users;	/* borrowed: the tenant's on this worker; NULL: in none */
	struct flow		*flow;	/* borrowed: aborted when the tenant ends */
};

/* Before the tenant is looked up, so that no change comes between. id is copied. */
void	tenant_use_begin(struct tenants *, struct tenant_use *, const char *id, struct flow *);
/* No later than in the flow's end(). Idempotent. */
void	tenant_use_end(struct tenant_use *);

#endif
