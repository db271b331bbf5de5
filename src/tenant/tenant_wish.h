/* SPDX-License-Identifier: MIT */
/*
 * tenant_wish: the flow that asks Neon for what a tenant's row wishes, as it is seen by those who
 * wait for it: in tenants->wishes for as long as it lives. It outlives its waiters.
 */
#ifndef TENANT_TENANT_WISH_H
#define TENANT_TENANT_WISH_H

#include "tenant/tenant_internal.h"
#include "tenantgate/loop/join.h"

struct wish_handle {
	struct join join; /* woken when it is over, without its reason: that is in the row */
};

/* The one under way on this worker, or a new one; NULL without memory. */
struct wish_handle *wish_handle_get(struct tenants *, const char *id);

#endif
