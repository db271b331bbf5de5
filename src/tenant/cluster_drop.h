/* SPDX-License-Identifier: MIT */
/*
 * cluster_drop: a tenant's database and role on a cluster of one's own go, when it is deleted.
 */
#ifndef TENANT_CLUSTER_DROP_H
#define TENANT_CLUSTER_DROP_H

#include "tenant/cluster.h"

struct cluster_drop {
	struct flow flow;
	struct tenants *tenants;      /* borrowed */
	struct pool_lease lease;      /* of the administrator's pool */
	struct pg_result result;      /* owned */
	char name[CLUSTER_NAME_SIZE]; /* of role and database */
	char sql[128];
	unsigned statement;
	bool is_left; /* after a good end: the row names another database, which is not ours */
};
/* The parent calls cluster_drop_init(), then flow_try(). What is not there is as good. Fails with
 * ERR_DATABASE, or as pool_borrow() does. */
extern const struct flow_kind cluster_drop_kind;
void cluster_drop_init(struct cluster_drop *, struct tenants *, const struct tenant_row *);

#endif
