/* SPDX-License-Identifier: MIT */
/*
 * acquire: makes a tenant's row ours when its turn has come, or finds that its database was made by
 * another, or is refused. A child flow in memory of its caller's.
 */
#ifndef TENANT_ACQUIRE_H
#define TENANT_ACQUIRE_H

#include "tenant/neon_ticket.h"
#include "tenant/row.h"

struct row_acquisition {
	struct flow flow;
	struct tenants *tenants;       /* borrowed, as all to ready_at_us */
	const struct row_claim *claim; /* how it is claimed */
	struct tenant_row *row;	       /* filled: as it was read last */
	struct neon_ticket *ticket; /* held after a good end that needs it; the caller leaves */
	uint64_t *ready_at_us; /* monotonic: when the database should be ready, as is known then */
	struct pg_result result;       /* owned */
	struct timer timer;
	uint64_t looked_us;  /* when the row was last read; monotonic */
	unsigned polls;	     /* that found another attempt at work */
	bool seen_elsewhere; /* set by the first of them */
	bool was_abandoned;  /* its lease has run out */
	bool is_ours;	     /* after a good end; else the row is ready or suspended */
};

/* What is borrowed is set, the rest zeroed. Fails with ERR_CATALOG, with ERR_NEON or
 * ERR_PROVISIONING (what the last attempt failed with, with retry_after), ERR_TIMEOUT. */
enum flow_rc row_acquire(struct flow *, struct row_acquisition *)
    __attribute__((warn_unused_result));

#endif
