/* SPDX-License-Identifier: MIT */
/*
 * provision: the flow that makes a tenant's database, as those see it who wait for it.
 */
#ifndef TENANT_PROVISION_H
#define TENANT_PROVISION_H

#include "tenant/tenant_internal.h"
#include "tenantgate/loop/join.h"

/* Where to wait, and what a good end fills. In tenants->making as long as the flow lives. */
struct provision_handle {
	struct join join;
	struct tenant_record *record; /* the flow's reference */
};

/* NULL when there is no memory. */
struct provision_handle *provision_start(struct tenants *, const char *id);

#endif
