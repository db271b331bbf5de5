/* SPDX-License-Identifier: MIT */
/*
 * flow_sums: what all workers have counted of the flows that have ended, by kind. Any thread.
 */
#ifndef ADMIN_FLOW_SUMS_H
#define ADMIN_FLOW_SUMS_H

#include "tenantgate/admin.h"
#include "tenantgate/loop/flow_stat.h"

struct flow_sums {
	struct flow_stat	*kinds;	/* owned */
	unsigned		 count;
};

/* False without memory. The caller frees it either way. */
bool	flow_sums_gather(struct flow_sums *, const struct admin_context *);
void	flow_sums_free(struct flow_sums *);

#endif
