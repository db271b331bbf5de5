/* SPDX-License-Identifier: MIT */
/*
 * quota_seeding: Redis is empty, or new, and knows nothing of a tenant's month: what the tenant has
 * used of it is read from the catalog, which has all but what no worker has written yet.
 */
#ifndef API_QUOTA_SEEDING_H
#define API_QUOTA_SEEDING_H

#include "tenantgate/api.h"
#include "tenantgate/limit/quota.h"

/* In the background; all is copied. While the catalog is away nothing comes of it. */
void	quota_seeding_begin(const struct api_context *, const char *tenant,
	    const struct quota_request *);

#endif
