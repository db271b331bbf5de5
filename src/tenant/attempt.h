/* SPDX-License-Identifier: MIT */
/*
 * attempt: the work between a claimed row and a ready one. It runs under the lease of the row's
 * attempt_id, as a child of the flow that claimed it, and fills the row it is given.
 */
#ifndef TENANT_ATTEMPT_H
#define TENANT_ATTEMPT_H

#include "tenant/cluster.h"
#include "tenant/neon.h"
#include "tenant/neon_ticket.h"
#include "tenant/owner_mark.h"
#include "tenant/row.h"

/* One login to the new database: a child flow, so that its failure can be tried again. */
struct attempt_login {
	struct flow flow;
	struct tenants *tenants;     /* borrowed */
	const struct tenant *tenant; /* borrowed */
	struct pool_lease *lease;    /* borrowed: the attempt's */
};

struct attempt {
	struct flow flow;
	struct tenants *tenants; /* borrowed */
	struct tenant_row *row;	 /* borrowed: read, and filled with what is learnt */
	struct neon_ticket *ticket; /* borrowed: given back when the provider is done with */
	union {
		struct neon_creation neon;
		struct cluster_creation cluster;
		struct neon_waiter wait;
		struct attempt_login login;
		struct owner_mark owner;
	} child;		 /* one at a time */
	struct pg_result result; /* owned */
	struct buf sealed;	 /* owned: the password as the catalog holds it */
	char port[8];		 /* decimal, for row_save() */
	char version[12];	 /* of the schema, for row_ready() */
	struct pool_lease lease; /* of the tenant's own database */
	struct timer backoff_timer;
	struct err why;	    /* outcome of the last login */
	char told[ERR_TOLD_SIZE]; /* the same for operators */
	unsigned logins;    /* tried so far */
	unsigned statement; /* of conf->schema: the one to run, or under way */
	bool was_gone;	    /* the provider answered 404 for our project: not taken twice */
	bool is_locked_out; /* after a failure: the saved login opened no database */
};

/* The parent calls attempt_init(), then flow_try(f, &a->flow, &attempt_kind, &why). The row's state
 * is TENANT_READY after a good end. */
extern const struct flow_kind attempt_kind;
void attempt_init(struct attempt *, struct tenants *, struct tenant_row *, struct neon_ticket *);

#endif
