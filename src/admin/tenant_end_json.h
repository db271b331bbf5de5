/* SPDX-License-Identifier: MIT */
/*
 * tenant_end_json: how a tenant's suspension, and the receipt of its deletion, are told. NULL is
 * want of memory.
 */
#ifndef ADMIN_TENANT_END_JSON_H
#define ADMIN_TENANT_END_JSON_H

#include <jansson.h>

#include "tenantgate/tenant/ends.h"

/* state, suspendedAt, reason, endpoint and what is owed. */
json_t	*suspension_json(const char *id, const struct tenant_end_view *);
/* The last deletion's; the view has one. */
json_t	*receipt_json(const char *id, const struct tenant_end_view *);
/* What an order would do now. */
json_t	*order_plan_json(const char *id, enum tenant_order, const struct tenant_end_view *);

#endif
