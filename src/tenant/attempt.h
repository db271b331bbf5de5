/* SPDX-License-Identifier: MIT */
/*
 * attempt: the work between a claimed row and a ready one. Started under a lease, fills the row it
 * is given.
 */
#ifndef TENANT_ATTEMPT_H
#define TENANT_ATTEMPT_H

#include "tenant/cluster.h"
#include "tenant/neon.h"
#include "tenant/row.h"

/* A login to the new database; a failure is its own, not the attempt's. */
struct attempt_login {
	struct flow flow;
	struct tenants *tenants;     /* borrowed */
	const struct tenant *tenant; /* borrowed */
	struct pool_lease *lease;    /* borrowed */
};

struct attempt {
	struct flow flow;
	struct tenants *tenants; /* borrowed */
	struct tenant_row *row;	 /* borrowed: filled */
	union {
		struct neon_creation neon;
		struct cluster_creation cluster;
		struct neon_waiter wait;
		struct attempt_login login;
	} child;		 /* one at a time */
	struct pg_result result; /* owned */
	struct buf sealed;	 /* owned */
	char port[8];
	char version[12];
	struct pool_lease lease; /* of the tenant's own database */
	struct timer backoff_timer;
	struct err why; /* of the last login */
	unsigned logins;
	unsigned statement; /* of the schema */
	bool was_gone;	    /* the provider did not know our project */
	bool is_locked_out; /* after it: the password opened no database */
};

/* What a parent calls: flow_try(f, &a->flow, &attempt_kind, &why) after attempt_init(). */
extern const struct flow_kind attempt_kind;
void attempt_init(struct attempt *, struct tenants *, struct tenant_row *);

#endif
