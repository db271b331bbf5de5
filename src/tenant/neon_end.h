/* SPDX-License-Identifier: MIT */
/*
 * neon_end: what is asked of Neon when a tenant ends: its endpoint is disabled or enabled, or its
 * project deleted. A child flow in memory of its caller's, without a deadline but its parent's.
 */
#ifndef TENANT_NEON_END_H
#define TENANT_NEON_END_H

#include "tenant/neon.h"
#include "tenantgate/tenant/ends.h"

struct neon_end {
	struct flow flow;
	struct neon_call call;
	struct neon_list list;
	struct neon_owners owners;
	struct tenants *tenants; /* borrowed */
	struct tenant_row *row;	 /* borrowed: which project and endpoint */
	enum tenant_order order;
	char project_id[PROVIDER_ID_SIZE]; /* what is deleted next; "": none is known */
	unsigned deleted;		   /* projects, so far */
	/* after a good end of a deletion */
	char stored_bytes[24];	 /* decimal, as Neon told of the row's project; "" : it did not */
	char projects_left[160]; /* ids of its name that do not say whose they are; "" : none */
};
/* The parent calls neon_end_init(), then flow_try(). May be repeated: what is gone, or as it should
 * be, is fine. Fails with ERR_NEON, or with ERR_PROVISIONING and a retry_after while a creation
 * that was sent may still arrive. */
extern const struct flow_kind neon_end_kind;
void neon_end_init(struct neon_end *, struct tenants *, struct tenant_row *, enum tenant_order);

#endif
