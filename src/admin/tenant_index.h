/* SPDX-License-Identifier: MIT */
/*
 * tenant_index: how far a tenant's index is, asked of its database: a flow under a handler's, which
 * may fail without the handler's failing. The worker's thread.
 */
#ifndef ADMIN_TENANT_INDEX_H
#define ADMIN_TENANT_INDEX_H

#include "admin/admin_request.h"
#include "tenantgate/retrieval/index_view.h"

struct tenant_index {
	struct flow flow;	       /* first */
	const struct api_context *api; /* borrowed */
	const char *id;		       /* borrowed */
	struct tenant tenant;	       /* has a password: wiped at the end */
	struct pool_target target;
	char target_key[TENANT_KEY_SIZE];
	struct pool_lease lease;
	struct pg_result result; /* owned until the end */
	struct index_view view;
	bool is_known; /* view is filled */
};

/* Zeroed but for the first three; for flow_try(). */
extern const struct flow_kind tenant_index_kind;

#endif
