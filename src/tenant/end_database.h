/* SPDX-License-Identifier: MIT */
/*
 * end_database: what is asked of the provider when a tenant ends: of Neon, or of a cluster of one's
 * own.
 */
#ifndef TENANT_END_DATABASE_H
#define TENANT_END_DATABASE_H

#include "tenant/cluster_drop.h"
#include "tenant/neon_end.h"
#include "tenant/owner_mark.h"

struct end_database {
	struct tenant_row *row; /* borrowed */
	union {
		struct neon_end neon;
		struct cluster_drop cluster;
		struct owner_release owner;
	} child;
};

/* A step's wait, as flow_try(); *why says what came of it within us. */
enum flow_rc end_database_try(struct flow *, struct end_database *, struct tenants *,
    struct tenant_row *, enum tenant_order, uint64_t us, struct err *why)
    __attribute__((warn_unused_result));
/* After a good deletion, for its receipt: decimal or "", and what was left, or "". Borrowed. */
const char *end_database_stored(const struct end_database *);
const char *end_database_left(const struct end_database *);

#endif
