/* SPDX-License-Identifier: MIT */
/*
 * cluster: a database of its own for each tenant, on a Postgres cluster of one's own. Role and
 * database are named from the tenant id (names.h), and Postgres does not create a name twice: what
 * is already there is adopted, with a new password.
 */
#ifndef TENANT_CLUSTER_H
#define TENANT_CLUSTER_H

#include "tenant/row.h"
#include "tenant/tenant_internal.h"

/* Of the pool that connects as the administrator. */
#define CLUSTER_ADMIN_KEY SLICE_LIT("cluster:admin")

struct cluster_creation {
	struct flow flow;
	struct tenants *tenants; /* borrowed */
	struct tenant_row *row;	 /* borrowed: filled */
	struct pool_lease lease;      /* of the administrator's pool, then of the extension's */
	struct pg_result result;      /* owned */
	struct buf sql;		      /* owned: wiped, it holds a password */
	char name[CLUSTER_NAME_SIZE]; /* of role and database */
	/* Key of the pool that connects to the new database as administrator; "" before that. */
	char extension_key[sizeof("cluster:") + CLUSTER_NAME_SIZE];
	unsigned statement; /* of the administrator's: the one to run, or under way */
};
/* Fills the row's address, role and password. Fails with ERR_DATABASE, or as pool_borrow() does.
 * The password is new each time: until it is saved, no other may be relied on. */
enum flow_rc cluster_create(struct flow *, struct cluster_creation *, struct tenants *,
    struct tenant_row *) __attribute__((warn_unused_result));

#endif
