/* SPDX-License-Identifier: MIT */
/*
 * neon: a Neon project for a tenant. neon_create() finds it or has it made, once; neon_wait() waits
 * until Neon has done its operations.
 */
#ifndef TENANT_NEON_H
#define TENANT_NEON_H

#include "tenant/neon_call.h"
#include "tenant/neon_read.h"
#include "tenant/row.h"

/* All projects of one name. */
struct neon_list {
	struct flow flow;
	struct neon_call call;
	struct tenants *tenants; /* borrowed */
	const char *name;	 /* borrowed */
	unsigned pages;
	struct neon_inventory found;
};
enum flow_rc neon_list_all(struct flow *, struct neon_list *, struct tenants *, const char *name)
    __attribute__((warn_unused_result));

/* How sure we are after a creation that got no clear answer. */
enum neon_verify { VERIFY_NONE, VERIFY_FIRST_LIST, VERIFY_SECOND_LIST };

struct neon_creation {
	struct flow flow;
	struct neon_call call;
	struct neon_list list;
	struct tenants *tenants; /* borrowed */
	struct tenant_row *row;	 /* borrowed: read and filled */
	struct pg_result result; /* owned */
	struct timer timer;
	enum neon_verify verify;
	bool may_repeat; /* the server is through with the first creation */
	bool was_repeated;
};
/* row->is_posted and is_new are true however it ends. */
enum flow_rc neon_create(struct flow *, struct neon_creation *, struct tenants *,
    struct tenant_row *) __attribute__((warn_unused_result));

struct neon_waiter {
	struct flow flow;
	struct neon_call call;
	const struct tenant_row *row; /* borrowed */
	struct timer timer;
	unsigned looks; /* that found operations running */
	bool is_gone; /* after it: there is no such project (any more) */
};
enum flow_rc neon_wait(struct flow *, struct neon_waiter *, struct tenants *,
    const struct tenant_row *) __attribute__((warn_unused_result));

#endif
