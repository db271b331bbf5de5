/* SPDX-License-Identifier: MIT */
/*
 * neon: a Neon project for a tenant. neon_create() finds it or has it made, once; neon_wait() waits
 * until Neon has done its operations. Each is a child flow in memory of its caller's; what it
 * allocates is freed at its end.
 */
#ifndef TENANT_NEON_H
#define TENANT_NEON_H

#include "tenant/neon_call.h"
#include "tenant/neon_read.h"
#include "tenant/row.h"

/* All projects of the tenant's names, over every page of the listing; found is good after a good
 * end. A partial listing is a failure: the project may be among what is missing. */
struct neon_list {
	struct flow flow;
	struct neon_call call;
	struct tenants *tenants; /* borrowed */
	char stem[PROJECT_NAME_SIZE]; /* what is searched for: both names begin with it */
	struct neon_names names;
	unsigned pages; /* read so far */
	struct neon_inventory found;
};
enum flow_rc neon_list_all(struct flow *, struct neon_list *, struct tenants *,
    struct tenant_row *) __attribute__((warn_unused_result));

/* Whose the projects of an inventory are, by their annotations. */
struct neon_owners {
	struct flow flow;
	struct neon_call call;
	struct tenants *tenants;	    /* borrowed, as the next two */
	const struct tenant_row *row;
	const struct neon_inventory *found; /* NEON_HITS_MAX hits at the most */
	unsigned looked;
	/* after a good end */
	unsigned ours;
	unsigned disputed; /* they have the tenant's name and do not say whose they are */
	char ours_id[PROVIDER_ID_SIZE]; /* the last of ours */
	char ids[160];			/* of ours and the disputed, for people: "id, id" */
};
enum flow_rc neon_owners_ask(struct flow *, struct neon_owners *, struct tenants *,
    struct tenant_row *, const struct neon_inventory *) __attribute__((warn_unused_result));

/* After a creation that got no clear response: which listing comes next, or is under way. A listing
 * may lag behind a creation, so one that is empty proves nothing. */
enum neon_verify { VERIFY_NONE, VERIFY_FIRST_LIST, VERIFY_SECOND_LIST };

struct neon_creation {
	struct flow flow;
	struct neon_call call;
	struct neon_list list;
	struct neon_owners owners;
	struct tenants *tenants; /* borrowed */
	struct tenant_row *row;	 /* borrowed: read and filled */
	struct pg_result result; /* owned */
	struct timer timer;
	enum neon_verify verify;
	bool may_repeat;   /* the server answered the creation: it is not under way any more */
	bool was_repeated; /* a second creation was asked for: there is no third */
};
/* Fills the row: ids, address, password, sslmode. However it ends, row->is_posted says whether a
 * creation of unknown outcome is left, and is_new whether this call made the project. Fails with
 * ERR_NEON, ERR_CATALOG, or ERR_PROVISIONING (too early to create again; the row is another's). */
enum flow_rc neon_create(struct flow *, struct neon_creation *, struct tenants *,
    struct tenant_row *) __attribute__((warn_unused_result));

/* How long, in seconds, a creation that got no response may be under way. */
int neon_grace_s(const struct tenants_conf *);

struct neon_waiter {
	struct flow flow;
	struct neon_call call;
	struct tenants *tenants; /* borrowed */
	struct tenant_row *row;	 /* borrowed */
	struct timer timer;
	unsigned looks;	     /* so far */
	uint64_t running_us; /* after the creation: when the operations were last seen running */
	bool is_gone; /* after a good end: Neon has no such project (any more) */
};
/* Fails with ERR_NEON; has no deadline but its parent's. row->operations_us: how long Neon took for
 * a project that was made by this attempt. */
enum flow_rc neon_wait(struct flow *, struct neon_waiter *, struct tenants *, struct tenant_row *)
    __attribute__((warn_unused_result));

#endif
