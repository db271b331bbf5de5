/* SPDX-License-Identifier: MIT */
/*
 * lease_renewer: renews an attempt's lease while the attempt works, and aborts the attempt when the
 * lease is lost: from then on another worker or replica may be at work on the tenant.
 */
#ifndef TENANT_LEASE_RENEWER_H
#define TENANT_LEASE_RENEWER_H

#include "tenant/row.h"
#include "tenant/tenant_internal.h"

struct lease_renewer;

/* Right after the claim. `claim` is copied, `work` (the attempt, already started) lives until
 * renewer_stop(). When the lease is lost, work is aborted with ERR_PROVISIONING (another has the
 * row) or ERR_CATALOG (it could not be renewed in time). */
struct lease_renewer *renewer_start(struct tenants *, const struct row_claim *claim,
    struct flow *work);
void renewer_stop(struct lease_renewer **); /* idempotent; the lease itself stays in the row */

#endif
