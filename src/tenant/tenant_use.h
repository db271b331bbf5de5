/* SPDX-License-Identifier: MIT */
/*
 * tenant_use: the room's own side of tenantgate/tenant/use.h: who finds out that a tenant may have
 * ended says so here. The worker's thread.
 */
#ifndef TENANT_TENANT_USE_H
#define TENANT_TENANT_USE_H

#include "tenantgate/tenant/use.h"

struct tenant_uses *tenant_uses_open(struct tenants *);
void tenant_uses_close(struct tenant_uses *); /* no flow is left; NULL is fine */

/* This worker's flows that work for the tenant are aborted if the catalog says that it has ended.
 * Costs nothing where there are none. */
void tenant_uses_check(struct tenants *, struct slice id);
/* The same on all workers of the process, this one included. */
void tenant_uses_check_everywhere(struct tenants *, const char *id);
/* Messages may have been missed: every tenant that has some, on this worker. */
void tenant_uses_check_all(struct tenants *);

#endif
