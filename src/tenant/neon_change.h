/* SPDX-License-Identifier: MIT */
/*
 * neon_change: gives a tenant's project and endpoint what is wished of them. A child flow in memory
 * of its caller's. Each of its calls may be sent again: it sets, and adds nothing.
 */
#ifndef TENANT_NEON_CHANGE_H
#define TENANT_NEON_CHANGE_H

#include "tenant/neon.h"
#include "tenant/neon_settings.h"
#include "tenant/row_wish.h"

struct neon_change {
	struct flow flow;
	struct neon_call call;
	struct neon_waiter waiter;
	struct tenants *tenants;      /* borrowed, as all to applied */
	struct tenant_row *row;	      /* ids of tenant, project and endpoint */
	const struct row_wish *claim; /* how what is done is written down */
	const json_t *wished;
	json_t *applied;	 /* what Neon has: filled as it gets it */
	struct buf text;	 /* owned: applied, for the row */
	struct pg_result result; /* owned */
	bool is_refused; /* after a failure: Neon does not want it so; to ask again is of no use */
};

/* neon_change_init(), then flow_try(f, &c->flow, &neon_change_kind, &why). Fails with ERR_NEON (a
 * refusal's detail has Neon's own reason: for operators), ERR_PROVISIONING (the rate), ERR_CATALOG.
 * Has no deadline but its parent's. */
extern const struct flow_kind neon_change_kind;
void neon_change_init(struct neon_change *, struct tenants *, struct tenant_row *,
    const struct row_wish *, const json_t *wished, json_t *applied);

#endif
