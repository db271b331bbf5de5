/* SPDX-License-Identifier: MIT */
/*
 * tenant_end: the flow that carries out what is owed of a tenant's end, on this worker.
 */
#ifndef TENANT_TENANT_END_H
#define TENANT_TENANT_END_H

#include "tenant/tenant_internal.h"
#include "tenantgate/loop/join.h"
#include "tenantgate/tenant/ends.h"

/* In tenants->ends, for as long as it is under way. */
struct end_handle {
	struct join join;
};

/* The one under way; begun if there is none. NULL: there is no memory. */
struct end_handle *tenant_end_handle(struct tenants *, const char *id);

#endif
