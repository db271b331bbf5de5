/* SPDX-License-Identifier: MIT */
/*
 * pool_json: a pool as /admin/pools and a tenant's page have it.
 */
#ifndef ADMIN_POOL_JSON_H
#define ADMIN_POOL_JSON_H

#include "tenantgate/base/buf.h"
#include "tenantgate/pool.h"

void	pool_json(struct buf *, const struct pool_view *);

#endif
