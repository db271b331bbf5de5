/* SPDX-License-Identifier: MIT */
/*
 * cluster: a database of its own for each tenant, on a Postgres cluster of one's own. Role and
 * database are named from the tenant id; what is already there is adopted, with a new password.
 */
#ifndef TENANT_CLUSTER_H
#define TENANT_CLUSTER_H

#include "tenant/row.h"
#include "tenant/tenant_internal.h"

struct cluster_creation {
	struct flow flow;
	struct tenants *tenants; /* borrowed */
	struct tenant_row *row;	 /* borrowed: filled */
	struct pool_lease lease;
	struct pg_result result;      /* owned */
	struct buf sql;		      /* owned: wiped, it holds a password */
	char name[CLUSTER_NAME_SIZE]; /* of role and database */
	/* the pool for the new database */
	char extension_key[sizeof("cluster:") + CLUSTER_NAME_SIZE];
	unsigned statement;
};
enum flow_rc cluster_create(struct flow *, struct cluster_creation *, struct tenants *,
    struct tenant_row *) __attribute__((warn_unused_result));

#endif
