/* SPDX-License-Identifier: MIT */
/*
 * tenant_named_head: see tenant_named.h; a request's headers and its query.
 */
#include "tenantgate/auth/tenant_named.h"

bool
tenant_named_in_head(const struct http_exchange *x, char tenant[TENANT_ID_MAX + 1], struct arena *a,
    struct err *err)
{
	struct slice rest = http_query(x), name, value;

	for (unsigned i = 0; http_header_item(x, i, &name, &value); i++)
		if (!tenant_named_agrees(name, value, tenant, err))
			return false;
	while (http_query_next(&rest, a, &name, &value))
		if (!tenant_named_agrees(name, value, tenant, err))
			return false;
	return true;
}
