/* SPDX-License-Identifier: MIT */
/*
 * keeper: renews an attempt's lease while the attempt works, and stops the attempt when the lease
 * is lost: from then on somebody else may be at it.
 */
#ifndef TENANT_LEASE_RENEWER_H
#define TENANT_LEASE_RENEWER_H

#include "tenant/row.h"
#include "tenant/tenant_internal.h"

struct lease_renewer;

/* `claim`'s strings and `work` live until renewer_stop(). NULL when there is no memory. */
struct lease_renewer *renewer_start(struct tenants *, const struct row_claim *claim,
    struct flow *work);
void renewer_stop(struct lease_renewer **); /* idempotent */

#endif
