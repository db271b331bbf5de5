/* SPDX-License-Identifier: MIT */
/*
 * provision: the flow that makes a tenant's database, as it is seen by those who wait for it. It
 * lives on one worker and outlives its waiters; its memory is its own.
 */
#ifndef TENANT_PROVISION_H
#define TENANT_PROVISION_H

#include "tenant/tenant_internal.h"
#include "tenantgate/loop/join.h"

/* Where to wait, and what a good end fills. In tenants->provisions for as long as the flow lives:
 * whoever waits takes a reference of the record, for the handle goes first. */
struct provision_handle {
	struct join join; /* woken when the attempt is over, with its reason if it failed */
	struct tenant_record *record; /* the flow's reference; filled on success */
	uint64_t ready_at_us; /* monotonic: when it should be ready, as far as we know */
};

/* Starts the flow at the loop's next turn, under its own deadline. The id is copied. There must be
 * none for this tenant yet. NULL when it could not be started; nothing is left then. */
struct provision_handle *provision_start(struct tenants *, const char *id);

#endif
