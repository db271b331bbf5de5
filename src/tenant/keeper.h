/* SPDX-License-Identifier: MIT */
/*
 * keeper: renews an attempt's lease while the attempt works, and stops the attempt when the lease
 * is lost: from then on somebody else may be at it.
 */
#ifndef TENANT_KEEPER_H
#define TENANT_KEEPER_H

#include "tenant/row.h"
#include "tenant/tenant_room.h"

struct keeper;

/* `claim`'s strings and `work` live until keeper_let_go(). NULL when there is no memory. */
struct keeper *keeper_start(struct tenants *, const struct row_claim *claim, struct flow *work);
void keeper_let_go(struct keeper **); /* idempotent */

#endif
