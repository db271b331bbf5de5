/* SPDX-License-Identifier: MIT */
/*
 * orphans: projects at Neon that say they are this environment's and have no tenant, and tenants
 * whose project Neon does not know. Both are found by a whole inventory of the account, or not at
 * all: a page that fails, or that Neon says is not complete, is a failure.
 *
 * A project says whose it is by its annotations, or by a name that is one of ours (names.h): that
 * of an adopted one. One whose tenant's database is being made is none.
 */
#ifndef TENANTGATE_TENANT_ORPHANS_H
#define TENANTGATE_TENANT_ORPHANS_H

#include "tenantgate/tenant.h"

struct tenant_orphans;
struct tenant_orphans	*tenant_orphans_new(struct tenants *);
void			 tenant_orphans_free(struct tenant_orphans *);	/* NULL is fine */

/* Fails with ERR_INVALID_FIELD (the provider is not Neon), ERR_NEON, ERR_CATALOG. Once for each
 * object. Minutes where there are many projects of others: each is asked for its annotations. */
enum flow_rc		 tenant_orphans_find(struct flow *, struct tenant_orphans *)
			    __attribute__((warn_unused_result));

/* After a good end, borrowed. tenant: as the project says it. */
struct orphan {
	const char	*project_id, *name, *tenant;
};
unsigned		 tenant_orphans_projects(const struct tenant_orphans *);
unsigned		 tenant_orphans_tenants(const struct tenant_orphans *);
unsigned		 tenant_orphans_seen(const struct tenant_orphans *);
struct orphan		 tenant_orphan_project(const struct tenant_orphans *, unsigned);
struct orphan		 tenant_orphan_tenant(const struct tenant_orphans *, unsigned);

/* Has the i-th project deleted at Neon, if at this moment it still is an orphan. *is_gone: it was
 * (or had been already); false: it has a tenant by now. Neon can recover it for 7 days. */
enum flow_rc		 tenant_orphan_remove(struct flow *, struct tenant_orphans *, unsigned i,
			    bool *is_gone) __attribute__((warn_unused_result));

#endif
